"""Say a step of a path in the designer's words: the names of the elements, in Chinese and in English."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from services.designers.policy_check.facts import Fact, Pattern
from services.designers.policy_check.moves import DECISION, ERROR, JOB, MESSAGE, SIGNAL, Move
from services.designers.policy_check.report import Sentence
from services.designers.policy_check.world import NO_ANSWER, World
from services.domain.process.messages import APPLICATION_SUBMITTED
from services.domain.stages.schema import StageFile
from services.runtime.models import Element, Model

SUBMITTED: Sentence = ("申请提交", "an application is submitted")
_SHOWN = (bool, int, float, str)
_CASE: Mapping[str, Sentence] = {
    "case begins": ("流程启动", "the process begins"),
    "case ends": ("案件结束", "the case ends"),
}


class Words:
    def __init__(self, models: Mapping[str, Model], stage_file: StageFile, world: World) -> None:
        self._models = models
        self._stages = stage_file.stages
        self._outcomes = stage_file.outcomes
        self._world = world

    def element(self, process_id: str, element_id: str) -> Sentence:
        """Return an element's names; its id where it has none."""
        model = self._models.get(process_id)
        element = None if model is None else model.elements.get(element_id)
        return (element_id, element_id) if element is None else _names(element)

    def anywhere(self, element_id: str) -> Sentence:
        """Return the names of an element of any process."""
        for model in self._models.values():
            if element_id in model.elements:
                return _names(model.elements[element_id])
        return element_id, element_id

    def stage(self, code: str) -> Sentence:
        stage = self._stages.get(code)
        return (code, code) if stage is None else (stage.zh, stage.en)

    def beginning(self, message: str, timer: str = "") -> Sentence:
        """Return what begins a case: the submission of an application, another message, or a timer."""
        if timer:
            return f"定时启动 {timer}", f"the timer {timer} starts it"
        return (
            SUBMITTED if message == APPLICATION_SUBMITTED else (f"收到消息 {message}", f"the message {message} comes")
        )

    def step(self, move: Move) -> Sentence:
        zh, en = self.element(move.process_id, move.element_id)
        shown = self._shown(move)
        item = "".join(f" ({value})" for _, value in move.of)
        match move.kind:
            case kind if kind == JOB:
                return f"“{zh}”{item}完成{shown}", f"{en}{item} is done{shown}"
            case kind if kind == ERROR:
                return f"“{zh}”{item}以 {move.what} 结束", f"{en}{item} ends with {move.what}"
            case kind if kind == DECISION:
                stage_zh, stage_en = self.stage(move.name)
                of_zh, of_en = self._outcome(move.what)
                return f"{stage_zh}：{of_zh}{shown}", f"{stage_en}: {of_en}{shown}"
            case kind if kind == MESSAGE:
                return f"收到消息 {move.name}（“{zh}”）", f"the message {move.name} comes ({en})"
            case kind if kind == SIGNAL:
                return f"收到信号 {move.name}", f"the signal {move.name} comes"
        return f"时间到：“{zh}”", f"time passes: {en}"

    def pattern(self, pattern: Pattern) -> Sentence:
        """Return a pattern in words: the names of its stages, jobs and messages, and what it compares."""
        if pattern.kind == "stage":
            zh, en = _joined([self.stage(code) for code in sorted(pattern.names)]) or ("每个环节", "each stage")
            outcomes = _joined([self._outcome(code) for code in sorted(pattern.whats)])
            if outcomes is not None:
                zh, en = f"{zh}：{outcomes[0]}", f"{en}: {outcomes[1]}"
        elif pattern.kind == "job":
            zh, en = _joined([self._job(name) for name in sorted(pattern.names)]) or ("任何工作", "any job")
            zh, en = self._how(zh, en, sorted(pattern.whats))
        elif pattern.kind == "message" and pattern.names:
            zh, en = _joined([self._message(name) for name in sorted(pattern.names)]) or ("", "")
            zh, en = f"收到消息 {zh}", f"the message {en} comes"
        else:
            return _CASE.get(pattern.text, (pattern.text, pattern.text))
        compared = ", ".join(f"{one.name} {one.sign} {_text(one.value)}" for one in pattern.conditions)
        return (f"{zh}（{compared}）", f"{en} ({compared})") if compared else (zh, en)

    def fact(self, fact: Fact, compared: Iterable[str] = ()) -> Sentence:
        """Return what happened in words, with the values that a rule compares."""
        if fact.kind == "stage":
            zh, en = self.stage(fact.name)
            of_zh, of_en = self._outcome(fact.what)
            zh, en = f"{zh}：{of_zh}", f"{en}: {of_en}"
        elif fact.kind == "job":
            zh, en = self.anywhere(fact.element_id) if fact.element_id else self._job(fact.name)
            zh, en = self._how(f"“{zh}”" if fact.element_id else zh, en, [fact.what])
        elif fact.kind == "message":
            zh, en = self._message(fact.name)
            zh, en = f"收到消息 {zh}", f"the message {en} comes"
        else:
            zh, en = _CASE.get(str(fact), (str(fact), str(fact)))
        names = sorted(compared)
        if not names:
            return zh, en
        shown = ", ".join(f"{name} = {_text(fact.values.get(name))}" for name in names)
        return f"{zh}（{shown}）", f"{en} ({shown})"

    def _job(self, job_type: str) -> Sentence:
        """Return the name of the element that has this job done; the job's type where several or none do."""
        found = {_names(element) for model in self._models.values() for element in model.of_job(job_type)}
        if len(found) != 1:
            return f"工作 {job_type}", f"the job {job_type}"
        [(zh, en)] = found
        return f"“{zh}”（{job_type}）", f"{en} ({job_type})"

    def _message(self, name: str) -> Sentence:
        elements = [element for model in self._models.values() if (element := model.awaiting(name)) is not None]
        if len(elements) != 1:
            return name, name
        zh, en = _names(elements[0])
        return f"{name}（“{zh}”）", f"{name} ({en})"

    def _how(self, zh: str, en: str, whats: Sequence[str]) -> Sentence:
        """Return how a job stands: it starts, is done, or ends with an error."""
        match whats:
            case ["starts"]:
                return f"{zh}开始", f"{en} starts"
            case ["done"]:
                return f"{zh}完成", f"{en} is done"
        codes = [what.removeprefix("error ") for what in whats]
        return f"{zh}以 {'／'.join(codes)} 结束", f"{en} ends with {' or '.join(codes)}"

    def _outcome(self, code: str) -> Sentence:
        if code == NO_ANSWER and code not in self._outcomes:
            return "没有结论", "no answer"
        outcome = self._outcomes.get(code)
        return (code, code) if outcome is None else (outcome.zh, outcome.en)

    def _shown(self, move: Move) -> str:
        """Return what tells this outcome from the others of the job or the review."""
        others: list[Mapping[str, Any]] = []
        if move.kind == JOB:
            others = list(self._world.outcomes(move.name))
        elif move.kind == DECISION:
            others = [values for outcome, values in self._world.decisions(move.name, None) if outcome == move.what]
        telling = [
            name
            for name, value in move.values.items()
            if isinstance(value, _SHOWN) and any(other.get(name) != value for other in others)
        ]
        return "".join(f", {name} = {_text(move.values[name])}" for name in telling)


def _joined(words: Sequence[Sentence]) -> Sentence | None:
    """Return alternatives as one; None where there are none."""
    if not words:
        return None
    return "／".join(zh for zh, _ in words), " or ".join(en for _, en in words)


def _names(element: Element) -> Sentence:
    return element.zh or element.id, element.en or element.id


def _text(value: object) -> str:
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)

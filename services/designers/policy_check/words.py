"""Say a step of a path in the designer's words: the names of the elements, in Chinese and in English."""

from collections.abc import Mapping
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
        """Return a pattern in words: the stage's name, or what the rule says."""
        if pattern.kind == "stage" and len(pattern.names) == 1:
            zh, en = self.stage(next(iter(pattern.names)))
            outcomes = sorted(pattern.whats)
            return (
                zh + ("：" + "／".join(self._outcome(code)[0] for code in outcomes) if outcomes else ""),
                en + (": " + " or ".join(self._outcome(code)[1] for code in outcomes) if outcomes else ""),
            )
        return pattern.text, pattern.text

    def fact(self, fact: Fact) -> Sentence:
        if fact.element_id:
            zh, en = self.anywhere(fact.element_id)
            return f"{fact}（“{zh}”）", f"{fact} ({en})"
        return str(fact), str(fact)

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


def _names(element: Element) -> Sentence:
    return element.zh or element.id, element.en or element.id


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

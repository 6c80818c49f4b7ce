"""Walks saved as scenario files, the form that ``policy check --paths`` writes, and run again on edited models.

A file is read by any runner of such scenarios. ``then`` is ours: what started with the step, in the words of the
policy's rules, without which a step only has to be possible.
"""

import json
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from services.designers.play import fields as value_fields
from services.designers.play.fields import LATEST
from services.designers.play.models import Beginning, Models
from services.designers.play.walk import Walk
from services.designers.policy_check.case import Case
from services.designers.policy_check.jobs_apart import fits, open_jobs
from services.designers.policy_check.moves import DECISION, ERROR, JOB, MESSAGE, SIGNAL, Move
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.domain.process.messages import REVIEW_DECIDED
from services.engine.state.jobs import Job
from services.runtime import json_lines
from services.runtime.errors import Refused
from services.runtime.translations import Bilingual, Joined, Message, Text

FOLDER = "walks"
"""Beside the models."""
VERSION = 1
LONGEST_NAME = 80
_NAME = re.compile(r"\w[\w .-]*")
_JOB_STARTS = re.compile(r"^job (?P<type>\S+) starts$")
_CASE_ENDS = re.compile(r"^case ends(?: where (?P<values>.*))?$")
Started = tuple[str, ...]


class _Shape(BaseModel):
    # other runners have keys of their own, such as what they expect
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Deploy(_Shape):
    do: Literal["deploy"]
    files: tuple[str, ...] = ()


class _Activate(_Shape):
    do: Literal["activate"]


class _Step(_Shape):
    then: Started | None = None


class Publish(_Step):
    do: Literal["publish"]
    name: str
    correlationKey: str = ""
    variables: dict[str, Any] = Field(default_factory=dict)


class Create(_Step):
    do: Literal["create"]
    processId: str
    variables: dict[str, Any] = Field(default_factory=dict)


class _JobOf(_Shape):
    type: str
    elementId: str | None = None
    where: dict[str, Any] = Field(default_factory=dict)


class Complete(_Step):
    do: Literal["complete"]
    job: _JobOf
    variables: dict[str, Any] = Field(default_factory=dict)


class ThrowError(_Step):
    do: Literal["throwError"]
    job: _JobOf
    code: str


class Signal(_Step):
    do: Literal["signal"]
    name: str


class AdvanceClock(_Step):
    do: Literal["advanceClock"]
    ms: Annotated[int, Field(gt=0, lt=2**53)]
    continues: bool = False
    """Whether it is of the same step as the turn before it: a step stops at each timer on its way."""


Call = Annotated[
    _Deploy | _Activate | Publish | Create | Complete | ThrowError | Signal | AdvanceClock, Field(discriminator="do")
]
Act = Publish | Create | Complete | ThrowError | Signal | AdvanceClock


class _File(_Shape):
    version: Annotated[int, Field(le=VERSION)] = VERSION
    about: str = ""
    steps: tuple[Call, ...]


@dataclass(frozen=True)
class SavedWalk:
    """A walk as it was saved; ``folder`` is the one of the models that it was walked on."""

    path: Path
    folder: Path
    beginning: Beginning
    first: Started | None
    acts: Sequence[Act]

    @property
    def name(self) -> str:
        return self.path.stem


@dataclass(frozen=True)
class Departure:
    """A step, from 1, that goes another way than it did; 0 is the beginning."""

    step: int
    said: Text

    @property
    def sentence(self) -> Text:
        if self.step == 0:
            return Message("At the beginning: {what}.", what=self.said)
        return Message("Step {number}: {what}.", number=self.step, what=self.said)


@dataclass(frozen=True)
class Run:
    """A walk that was taken again: as far as it goes; ``steps`` is how many it had."""

    walk: Walk
    steps: int
    departures: Sequence[Departure]

    @property
    def is_same(self) -> bool:
        return not self.departures


def scenario(walk: Walk, about: str, files: Sequence[str]) -> dict[str, Any]:
    """Return a walk as a scenario; ``files`` are the models, from the folder of the scenario."""
    steps: list[dict[str, Any]] = [{"do": "deploy", "files": list(files)}, *walk.calls()]
    return {"version": VERSION, "about": about, "steps": steps}


def save(walk: Walk, name: str, *, replaces: bool = False) -> Path:
    """Write a walk beside its models; raises Refused for a name that is none, or that another walk has."""
    shown = name.strip()
    if not _NAME.fullmatch(shown) or len(shown) > LONGEST_NAME:
        raise Refused(
            "walk-name",
            "Give the walk a name of letters, digits, spaces, dots and hyphens, at most {longest} characters.",
            status=422,
            field="name",
            longest=LONGEST_NAME,
        )
    folder = walk.models.folder / FOLDER
    path = folder / f"{shown}.json"
    if path.exists() and not replaces:
        raise Refused(
            "walk-exists",
            "There is a walk {walk} already: choose another name, or replace it.",
            field="name",
            walk=shown,
        )
    content = scenario(walk, shown, [f"../{file}" for file in walk.models.files])
    try:
        folder.mkdir(exist_ok=True)
        new = folder / f".{os.getpid()}.new"
        new.write_text(_text(content), encoding="utf-8")
        new.replace(path)
    except OSError as error:
        raise Refused(
            "walk-not-written",
            "The walk could not be written to {path}: {cause}.",
            path=str(path),
            cause=error.strerror or str(error),
        ) from error
    return path


def _text(content: Mapping[str, Any]) -> str:
    """Return a scenario with one step on each line, so that a difference of two shows the step."""
    head = {key: value for key, value in content.items() if key != "steps"}
    steps = ",\n".join("    " + json.dumps(step, ensure_ascii=False) for step in content["steps"])
    return json.dumps(head, ensure_ascii=False, indent=2)[:-2] + f',\n  "steps": [\n{steps}\n  ]\n}}\n'


def paths(folder: Path) -> list[Path]:
    """Return the walks that are saved beside the models of a folder; a name that no page can show is none of ours."""
    return sorted(path for path in (folder / FOLDER).glob("*.json") if path.name.isprintable())


def read(path: Path) -> SavedWalk:
    """Read a scenario file; raises UnreadableFile."""
    patterns = {"": "is a text that is not allowed here"}
    try:
        content, problems = json_lines.read(path, _File, patterns=patterns, contradictions=lambda _file: iter(()))
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, or a nest of brackets
        raise UnreadableFile(path, 1, f"it cannot be read: {error}") from error
    if content is None:
        first = problems[0]
        sentence = f"{first.key}: {first.sentence}" if first.key else first.sentence
        raise UnreadableFile(path, first.line, sentence)
    deployed = next((call for call in content.steps if isinstance(call, _Deploy)), None)
    acts = [call for call in content.steps if not isinstance(call, _Deploy | _Activate)]
    if not acts or not isinstance(acts[0], Publish | Create):
        raise UnreadableFile(
            path, 1, "the first step has to publish the message that begins a case, or create a process"
        )
    begins = acts[0]
    kind: Literal["message", "create"] = "message" if isinstance(begins, Publish) else "create"
    name = begins.name if isinstance(begins, Publish) else begins.processId
    files = deployed.files if deployed is not None else ()
    folder = (path.parent / files[0]).parent if files else path.parent
    beginning = Beginning(kind, name, begins.variables)
    return SavedWalk(path, folder, beginning, begins.then, _steps_of(acts[1:]))


def _steps_of(acts: Sequence[Act]) -> tuple[Act, ...]:
    """Return the acts with the turns of one step as one."""
    steps: list[Act] = []
    for act in acts:
        last = steps[-1] if steps else None
        if isinstance(act, AdvanceClock) and act.continues and isinstance(last, AdvanceClock):
            then = None if act.then is None or last.then is None else (*last.then, *act.then)
            steps[-1] = last.model_copy(update={"ms": last.ms + act.ms, "then": then})
        else:
            steps.append(act)
    return tuple(steps)


def of_walk(walk: Walk) -> tuple[Started | None, Sequence[Act]]:
    """Return what a walk began with and its further steps, as if it had been saved and read."""
    content = json.dumps(scenario(walk, "", ()))
    calls = _File.model_validate_json(content).steps
    acts = [call for call in calls if not isinstance(call, _Deploy | _Activate)]
    return acts[0].then, _steps_of(acts[1:])


def run(models: Models, first: Started | None, acts: Sequence[Act]) -> Run:
    """Go the same way again as far as it goes, and say where it departs."""
    walk = Walk(models)
    departures = list(_differs(models, 0, first, walk))
    for number, act in enumerate(acts, 1):
        try:
            if isinstance(act, AdvanceClock):
                walk.turn(min(walk.case.now + timedelta(milliseconds=act.ms), LATEST))
            else:
                walk.choose(_move(models, walk.case, act))
        except Refused as refusal:
            departures.append(Departure(number, refusal.message))
            break
        departures += _differs(models, number, act.then, walk)
    return Run(walk, len(acts), departures)


def _differs(models: Models, number: int, then: Started | None, walk: Walk) -> Iterator[Departure]:
    """Yield a departure where something else started with the last step, or where it stops with an incident."""
    step = walk.steps[-1]
    came = Counter(name for call in step.calls for name in call.get("then", ()))
    expected = came if then is None else Counter(then)
    if came != expected:
        gone, new = sorted((expected - came).elements()), sorted((came - expected).elements())
        parts: list[Text] = []
        if gone:
            parts.append(Message("no longer: {what}", what=Joined(", ", [_named(models, name) for name in gone])))
        if new:
            parts.append(Message("now: {what}", what=Joined(", ", [_named(models, name) for name in new])))
        yield Departure(number, Joined("; ", parts))
    for finding in step.findings:
        if finding.kind == "incident":
            yield Departure(number, Bilingual(*finding.text))


def _named(models: Models, fact: str) -> Text:
    """Return what came of a step in words, with the name of its element where there is one."""
    match = _JOB_STARTS.match(fact)
    if match is not None:
        return Message("{job} starts", job=_job_name(models, match["type"]))
    match = _CASE_ENDS.match(fact)
    if match is not None:
        return (
            Message("the case ends ({values})", values=match["values"]) if match["values"] else Message("the case ends")
        )
    return Bilingual(fact, fact)


def _job_name(models: Models, job_type: str) -> Text:
    elements = [element for model in models.diagrams.values() for element in model.of_job(job_type)]
    if not elements:
        return Bilingual(job_type, job_type)
    return Bilingual(f"“{elements[0].zh}”（{job_type}）", f"“{elements[0].en}” ({job_type})")


def _move(models: Models, case: Case, act: Act) -> Move:
    """Return the step as it can be taken now; raises Refused where it cannot."""
    match act:
        case Complete() | ThrowError():
            return _job_move(models, case, act)
        case Publish():
            return _message_move(models, case, act)
        case Signal():
            key = next((k for k, s in sorted(case.state.signal_subscriptions.items()) if s.name == act.name), None)
            if key is None:
                raise _departs(Message("nothing waits for the signal {name}", name=act.name))
            subscription = case.state.signal_subscriptions[key]
            process_id = case.state.instances[subscription.process_instance_key].bpmn_process_id
            return Move(SIGNAL, key, process_id, subscription.element_id, act.name)
    raise _departs(Message("a second process begins, which a walk cannot take"))


def _job_move(models: Models, case: Case, act: Complete | ThrowError) -> Move:
    job = _job(case, act.job)
    if job is None:
        raise _departs(Message("{job} is not open here", job=_job_name(models, act.job.type)))
    process_id = case.state.instances[job.process_instance_key].bpmn_process_id
    move = Move(JOB, job.key, process_id, job.element_id, job.type, of=tuple(act.job.where.items()))
    if isinstance(act, ThrowError):
        is_known = job.type in models.world.workers or job.type in models.world.declared
        if is_known and act.code not in models.world.errors(job.type):
            raise _departs(Message("{job} no longer throws {code}", job=_job_name(models, job.type), code=act.code))
        return replace(move, kind=ERROR, what=act.code)
    _require(value_fields.of_job(models.world, job.type), act.variables)
    return replace(move, values=act.variables)


def _job(case: Case, wanted: _JobOf) -> Job | None:
    """Return the open job: at its element, or where that has another id now, the one of its type."""
    of_element = open_jobs(case, wanted.type, wanted.elementId)
    found = [job for job in of_element or open_jobs(case, wanted.type) if fits(case, job, wanted.where)]
    return found[0] if found else None


def _message_move(models: Models, case: Case, act: Publish) -> Move:
    found = [s for s in case.state.message_subscriptions.values() if s.name == act.name]
    found = sorted((s for s in found if s.correlation_key == act.correlationKey), key=lambda s: s.key)
    if not found:
        raise _departs(Message("nothing waits for the message {name} here", name=act.name))
    subscription = found[0]
    move = Move(MESSAGE, subscription.key, subscription.bpmn_process_id, subscription.element_id, act.name)
    if act.name != REVIEW_DECIDED:
        _require(value_fields.of_message(models.world, act.name), act.variables)
        return replace(move, values=act.variables)
    return _decision_move(models, case, act, move)


def _decision_move(models: Models, case: Case, act: Publish, move: Move) -> Move:
    """Return the move of a message as the decision of its review; raises Refused where that is none any more."""
    review = next((r for r in case.register.reviews if r.id == act.correlationKey), None)
    outcome = act.variables.get("decision")
    stage = models.world.stages.get(review.stage) if review is not None else None
    if review is None or stage is None:
        raise _departs(Message("the review {key} is not open here", key=act.correlationKey))
    name = Bilingual(*models.words.stage(review.stage))
    if outcome not in stage.outcomes:
        raise _departs(Message("{stage} no longer has the outcome {outcome}", stage=name, outcome=str(outcome)))
    values = {name: value for name, value in act.variables.items() if name != "decision"}
    fields = value_fields.of_decision(models.world, review.stage, str(outcome), case.register.marks)
    _require(fields, values)
    return replace(move, kind=DECISION, name=review.stage, what=str(outcome), values=act.variables, review=review.id)


def _require(fields: Sequence[value_fields.Field] | None, values: Mapping[str, Any]) -> None:
    """Raise Refused for values that the fields no longer take."""
    refusal = value_fields.check(fields, values)
    if refusal is not None:
        raise _departs(refusal)


def _departs(why: Text) -> Refused:
    return Refused("departs", why)

"""The models of a folder, ready to be walked. What cannot be read is reported as lint reports it."""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

from services.designers import own_workers
from services.designers.drawing import Plane, planes
from services.designers.lint import check as lint_check
from services.designers.lint.findings import Finding, Level
from services.designers.policy_check import rules
from services.designers.policy_check import world as policy_world
from services.designers.policy_check.check import Prepared, prepare
from services.designers.policy_check.in_memory import Beginning as CaseBeginning
from services.designers.policy_check.in_memory import Simulation
from services.designers.policy_check.words import Words
from services.designers.policy_check.world import World
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.domain.process.messages import APPLICATION_SUBMITTED
from services.domain.stages import file as stage_file
from services.engine.model.bpmn import ElementType, EventType, Process
from services.engine.processing import instances
from services.engine.processing.command_processor import Command
from services.engine.processing.execution import Execution
from services.runtime.jobs.worker import Worker
from services.runtime.models import Model
from services.runtime.translations import Bilingual, Text

# What lint finds where a folder cannot be walked at all.
_OF_READING = frozenset({"xml", "engine", "cluster-only", "review-stages", "own-workers"})
_BESIDE = (stage_file.NAME, own_workers.NAME, rules.NAME, policy_world.NAME)


@dataclass(frozen=True)
class Beginning:
    """What begins a case: a message, by its name and key, or a process that is created, by its id."""

    kind: Literal["message", "create"] = "message"
    name: str = APPLICATION_SUBMITTED
    variables: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def is_submission(self) -> bool:
        return self.kind == "message" and self.name == APPLICATION_SUBMITTED


SUBMISSION = Beginning()


class UnreadableModels(Exception):
    """The folder cannot be walked; ``sentences`` name file and line, and say what to correct."""

    def __init__(self, error: UnreadableFile, findings: Sequence[Finding]) -> None:
        super().__init__(str(error))
        self._findings = findings

    def sentences(self, language: str) -> list[str]:
        """Return what has to be corrected, as lint says it in this language."""
        return [finding.sentence(language) for finding in self._findings] or [str(self)]


@dataclass(frozen=True)
class Models:
    """A folder that was read; ``digest`` is of its files as they were then."""

    folder: Path
    digest: str
    beginning: Beginning
    prepared: Prepared
    words: Words
    _drawn: dict[tuple[str, str], Sequence[Plane]] = field(default_factory=dict, repr=False)

    def planes(self, process_id: str, language: str = "zh") -> Sequence[Plane]:
        """Return the drawings of a process with names in this language, the outermost first."""
        key = (process_id, language)
        if key not in self._drawn:
            self._drawn[key] = tuple(planes(self.diagrams[process_id], language))
        return self._drawn[key]

    def process_name(self, process_id: str) -> Text:
        """Return the name of a process; its id where it has none."""
        model = self.diagrams[process_id]
        return Bilingual(model.zh or process_id, model.en or process_id)

    def element_name(self, process_id: str, element_id: str) -> Text:
        """Return the name of an element, or of the process by its own id; the id where there is no name."""
        if element_id == process_id:
            return self.process_name(process_id)
        return Bilingual(*self.words.element(process_id, element_id))

    @property
    def simulation(self) -> Simulation:
        return self.prepared.simulation

    @property
    def world(self) -> World:
        return self.prepared.world

    @property
    def diagrams(self) -> Mapping[str, Model]:
        return self.prepared.files.diagrams

    @property
    def files(self) -> list[str]:
        """The names of the models that are deployed together."""
        return [resource.name for resource in self.prepared.files.resources]

    def begins_as(self, beginning: Beginning) -> bool:
        """Return whether a case begins in this way, and with these variables; the submission makes its own."""
        is_same = beginning == self.beginning
        return is_same and (beginning.is_submission or beginning.variables == self.beginning.variables)

    @property
    def key(self) -> str:
        """The correlation key of the message that begins a case; empty where the database has no such thing yet."""
        return self.simulation.key_of(self.beginning.name)

    def begins_process(self, beginning: Beginning) -> Text:
        """Return the name of the process that begins in this way."""
        if beginning.kind == "create":
            return self.process_name(beginning.name)
        starting = (p.id for p in self.simulation.by_id.values() if beginning.name in _messages_of(p))
        process_id = next(starting, None)
        return Bilingual(beginning.name, beginning.name) if process_id is None else self.process_name(process_id)

    def beginnings(self) -> list[Beginning]:
        """Return what a case can begin with, the submission of an application first."""
        found = sorted(set(_beginnings(self.simulation.processes.values())), key=lambda one: (one.kind, one.name))
        return sorted(found, key=lambda one: not one.is_submission)


def load(folder: Path, workers: Sequence[Worker], *, items: int, beginning: Beginning | None = None) -> Models:
    """Read and deploy the models of a folder in memory; raises UnreadableModels.

    Without ``beginning`` a case begins with the submission of an application, or with what the models offer instead.
    """
    digest = digest_of(folder)
    try:
        prepared = prepare(folder, workers, items=items, begins=_begins(beginning or SUBMISSION))
        if beginning is None:
            offered = set(_beginnings(prepared.simulation.processes.values()))
            beginning = SUBMISSION
            if SUBMISSION not in offered and offered:
                beginning = min(offered, key=lambda one: (one.kind != "message", one.name))
                prepared = prepare(folder, workers, items=items, begins=_begins(beginning))
    except UnreadableFile as error:
        raise UnreadableModels(error, _as_lint_finds(folder, workers)) from error
    files = prepared.files
    return Models(folder, digest, beginning, prepared, Words(files.diagrams, files.stage_file, prepared.world))


def digest_of(folder: Path) -> str:
    """Return a hash of all files that a walk depends on; a file that cannot be read counts by its name alone."""
    digest = hashlib.sha256()
    paths = [path for path in folder.glob("*") if path.suffix in (".bpmn", ".dmn") or path.name in _BESIDE]
    for path in sorted(paths):
        digest.update(path.name.encode() + b"\0")
        try:
            digest.update(hashlib.sha256(path.read_bytes()).digest())
        except OSError:
            digest.update(b"unreadable")
    return digest.hexdigest()


def _as_lint_finds(folder: Path, workers: Sequence[Worker]) -> list[Finding]:
    if not any(folder.glob("*.bpmn")):
        return []
    try:
        found = lint_check.find(folder, workers, templates=False)
    except OSError:
        return []  # the error of reading says the same
    return [
        one for one in found if one.rule in _OF_READING and (one.level is Level.ERROR or one.rule == "cluster-only")
    ]


def _beginnings(processes: Collection[Process]) -> Iterator[Beginning]:
    called = {
        element.called.id.text
        for process in processes
        for element in process.elements.values()
        if element.element_type == ElementType.CALL_ACTIVITY and element.called is not None
    }
    for process in processes:
        for name in _messages_of(process):
            yield Beginning("message", name)
        if process.root.none_start is not None and process.id not in called:
            yield Beginning("create", process.id)


def _messages_of(process: Process) -> Iterator[str]:
    """Yield the messages that begin a process."""
    for start in process.message_start_events():
        event = start.event
        if event is not None and event.event_type == EventType.MESSAGE and event.name is not None:
            yield event.name.text


def _begins(beginning: Beginning) -> Command | CaseBeginning | None:
    """Return what begins a case; None for the submission, which the simulation knows."""
    if beginning.is_submission:
        return None
    if beginning.kind == "message":
        return CaseBeginning(beginning.name, dict(beginning.variables))
    return partial(_create, process_id=beginning.name, variables=dict(beginning.variables))


def _create(execution: Execution, process_id: str, variables: dict[str, Any]) -> Any:
    definition = instances.find_definition(execution, -1, process_id, -1)
    return instances.create(execution, definition, variables)

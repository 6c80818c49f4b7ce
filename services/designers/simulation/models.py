"""The models of a folder on the engine's own processing, each case in a state of its own in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from services.designers.policy_check import files as policy_files
from services.designers.policy_check.compared_numbers import compared_numbers
from services.designers.policy_check.report import Sentence
from services.designers.policy_check.root_processes import find_roots
from services.designers.policy_check.words import Words
from services.designers.policy_check.world import NAME as WORLD
from services.designers.policy_check.world import World
from services.designers.policy_check.yaml_lines import UnreadableFile
from services.domain.stages.schema import StageFile
from services.engine.clock import ControlledClock
from services.engine.errors import Rejection, RejectionType
from services.engine.processing.command_processor import Command, CommandProcessor
from services.engine.processing.deployments import deploy
from services.engine.state.memory import MemoryStore, State
from services.engine.state.records import Record
from services.runtime.jobs.worker import Worker
from services.runtime.models import Element, Model
from services.runtime.places import own_or_shipped

_ITEMS = 1  # of the world; a case has its own
_DEPLOYED_AT = datetime(2026, 1, 1, tzinfo=UTC)  # no model asks when it was deployed


class CannotEnd(Exception):
    """A case of these models would go on without an end; ``sentence`` says where, in Chinese and in English."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(en)
        self.sentence: Sentence = (zh, en)


@dataclass(frozen=True)
class Applied:
    """What became of a command: the state after it, and the records; ``refused`` has the engine's sentence."""

    state: State
    records: Sequence[Record]
    refused: str = ""


class Models:
    """The files of a folder, read and deployed once; ``apply`` changes the state of one case."""

    def __init__(self, folder: Path, workers: Sequence[Worker]) -> None:
        """Raise UnreadableFile for files that cannot be read, or that the engine does not deploy."""
        files = policy_files.read(folder)
        declared = policy_files.declared_workers(folder, frozenset(worker.job_type for worker in workers))
        self.stage_file: StageFile = files.stage_file
        self.diagrams: Mapping[str, Model] = files.diagrams
        self.world = World(
            own_or_shipped(folder, WORLD).parent,
            workers,
            files.stage_file.stages,
            _ITEMS,
            compared=compared_numbers(files.resources),
            declared=declared,
        )
        self.words = Words(files.diagrams, files.stage_file, self.world)
        self._clock = ControlledClock()
        self._clock.pin(_DEPLOYED_AT)
        self._store = MemoryStore()
        self._processor = CommandProcessor(self._store, self._clock)
        [response] = self._processor.apply([partial(deploy, resources=list(files.resources))]).responses
        if isinstance(response, Rejection):
            raise UnreadableFile(folder, 0, f"the engine does not deploy these models: {response}")
        self.empty = self._store.state
        self.others = tuple(root.process_id for root in find_roots(files.resources) if not root.is_main)
        """The processes that begin by themselves besides the case of an application; no year of theirs is run."""
        calls = (element for model in self.diagrams.values() for element in model.elements.values())
        self.review_processes = frozenset(call.called for call in calls if call.stage and call.called)
        """The processes that are called for reviews."""

    def apply(self, state: State, now: datetime, command: Command) -> Applied:
        """Apply a command to a case; ``state`` stays as it is. Raises CannotEnd for a loop without a wait."""
        self._store.state = state
        self._clock.pin(now)
        batch = self._processor.apply([command])
        [response] = batch.responses
        if isinstance(response, Rejection):
            if response.reason == RejectionType.EXHAUSTED:
                raise CannotEnd("流程不断循环，中间没有任何等待", str(response))
            return Applied(state, [], str(response))
        return Applied(self._store.state, batch.records)

    def element(self, process_id: str, element_id: str) -> Element | None:
        """Return an element as it is drawn."""
        model = self.diagrams.get(process_id)
        return None if model is None else model.elements.get(element_id)

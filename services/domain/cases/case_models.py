"""The models that one case runs on: its own version where it is kept, else the newest one, marked as such."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from services.database.tables.applications import Application
from services.database.tables.process_steps import ProcessStep
from services.database.unit_of_work import UnitOfWork
from services.domain.cases.schemas.timeline import ModelSource
from services.domain.process.deployed_models import ProcessVersion
from services.domain.process.model_library import KnownModels, ModelLibrary
from services.runtime.models import Model

MAIN, REVIEW = "video-retrieval", "review"


@dataclass(frozen=True)
class DrawnModel:
    """A model, the version of it that the case runs on, and whether it is that one."""

    model: Model
    version: int | None
    source: ModelSource


class CaseModels:
    """The models of one case. ``steps`` tell the versions of the processes that it has called."""

    def __init__(self, known: KnownModels, application: Application, steps: Sequence[ProcessStep]) -> None:
        self._known = known
        self._application = application
        self._steps = steps

    @cached_property
    def main(self) -> DrawnModel:
        """The process that the case is."""
        application, newest = self._application, self._known.newest[MAIN]
        if application.process_instance_key is None:  # what it will begin on
            return DrawnModel(newest, None, "own")
        own = self._known.find(MAIN, application.model_sha256)
        return _drawn(own, newest, application.process_version)

    def of_version(self, process_id: str, version: ProcessVersion | None) -> DrawnModel | None:
        """Return a called process in a version that the engine has told; None for one that no file has."""
        own = self._known.of_version(version) if version is not None else None
        newest = self._known.newest.get(process_id, own)
        if newest is None:
            return None
        return _drawn(own, newest, version.version if version is not None else None)

    def of_process(self, process_id: str) -> DrawnModel | None:
        """Return a called process as it last worked for the case; None for one that no file has."""
        if process_id == MAIN:
            return self.main
        versions = [version_of(step) for step in self._steps if step.process_id == process_id]
        version = next((version for version in reversed(versions) if version is not None), None)
        if version is None and (beside := self._known.find(process_id, self._application.model_sha256)) is not None:
            return DrawnModel(beside, None, "own")  # in the same file as the case's own process
        return self.of_version(process_id, version)

    @cached_property
    def called(self) -> dict[str, DrawnModel]:
        """The processes besides reviews that the case's own one calls, and those that they call in turn, by id."""
        found: dict[str, DrawnModel] = {}
        ahead = [self.main.model]
        while ahead:
            for element in ahead.pop().elements.values():
                process_id = element.called
                if process_id is None or process_id in (MAIN, REVIEW, *found):
                    continue
                drawn = self.of_process(process_id)
                if drawn is not None:
                    found[process_id] = drawn
                    ahead.append(drawn.model)
        return found


def load(
    uow: UnitOfWork, library: ModelLibrary, cases: Iterable[tuple[Application, Sequence[ProcessStep]]]
) -> KnownModels:
    """Find the models of these cases; four statements at most, however many cases there are."""
    digests, versions = set[str](), set[ProcessVersion]()
    for application, steps in cases:
        if application.model_sha256 is not None:
            digests.add(application.model_sha256)
        versions.update(
            version for step in steps if step.process_id != MAIN and (version := version_of(step)) is not None
        )
    known = library.known(uow, digests, versions)
    mains = [model for digest in digests if (model := known.find(MAIN, digest)) is not None]
    called = {element.called for model in mains for element in model.elements.values()} - {None, REVIEW}
    return known if called <= known.newest.keys() else library.with_deployed(uow, known)


def version_of(step: ProcessStep) -> ProcessVersion | None:
    if step.process_version is None or step.process_definition_key is None:
        return None
    return ProcessVersion(step.process_id, step.process_version, step.process_definition_key)


def _drawn(own: Model | None, newest: Model, version: int | None) -> DrawnModel:
    if own is not None:
        return DrawnModel(own, version, "own")
    return DrawnModel(newest, version, "not-recorded" if version is None else "not-kept")

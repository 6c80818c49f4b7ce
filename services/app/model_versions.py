"""Which versions of the case process were deployed, how many open cases run on each, and where an edit finds them."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Literal

from lxml import etree
from sqlalchemy import func, select

from services.app.case_migration import Recorded
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.deployed_models import DeployedProcess
from services.database.unit_of_work import UnitOfWork
from services.designers import model_diff
from services.domain.process.messages import APPLICATION_CORRECTED, APPLICATION_SUBMITTED, COPY_RETURNED
from services.domain.process.running_cases import RunningCase
from services.domain.stages import file as stage_file
from services.runtime import models
from services.runtime.models import BPMN, Model

Position = Literal["before", "at", "past", "unknown"]


@dataclass(frozen=True)
class Version:
    """A deployed version; ``number`` and ``sha256`` are None for cases of which it is not known."""

    number: int | None
    sha256: str | None
    deployed_at: datetime | None
    cases: int
    positions: Mapping[Position, int] = field(default_factory=dict)


def list_versions(uow: UnitOfWork, process_id: str) -> list[Version]:
    """Return the versions that were deployed on record or have open cases, the newest first."""
    is_open = Application.process_instance_key.is_not(None) & Application.closed_at.is_(None)
    of_process = Application.process_id == process_id
    counted = select(Application.process_version, func.count()).where(is_open, of_process)
    cases = {row[0]: row[1] for row in uow.session.execute(counted.group_by(Application.process_version))}
    unknown = uow.session.scalar(select(func.count()).where(is_open, Application.process_id.is_(None))) or 0
    rows = select(DeployedProcess).where(DeployedProcess.process_id == process_id).order_by(DeployedProcess.deployed_at)
    # an engine that was made anew numbers from the start: the newest row of a number counts
    deployed = {row.version: row for row in uow.session.scalars(rows)}
    found = [
        Version(number, row.sha256, row.deployed_at, cases.get(number, 0)) for number, row in sorted(deployed.items())
    ]
    found += [Version(number, None, None, count) for number, count in cases.items() if number not in deployed]
    found.sort(key=lambda version: -(version.number or 0))
    return found + ([Version(None, None, None, unknown)] if unknown else [])


def count_positions(
    uow: UnitOfWork, versions: Sequence[Version], cases: Sequence[RunningCase], *, of: Recorded, folder: Path
) -> Iterator[Version]:
    """Yield the versions with how many of their cases are before, at and past what the folder changes."""
    held = {row.application_id: row for row in uow.session.scalars(select(HandOver).where(HandOver.ended_at.is_(None)))}
    for version in versions:
        own = [case for case in cases if case.application.process_version == version.number]
        edit = _edit(version, of, folder)
        counts: Counter[Position] = Counter()
        for case in own:
            counts["unknown" if edit is None else edit.position(case, held.get(case.application.id))] += 1
        yield replace(version, positions=dict(counts))


@dataclass(frozen=True)
class _Edit:
    """What changed of a version: its model, and the elements of it that the folder has otherwise."""

    model: Model
    changed: frozenset[str]

    def position(self, case: RunningCase, hand_over: HandOver | None) -> Position:
        """Return where the case stands: at a change, or somewhere from which one can still come."""
        places = self._places(case, hand_over)
        if not places:
            return "unknown"
        around = {scope for place in places for scope in self.model.scopes(place)}
        if (places | around) & self.changed:
            return "at"
        return "before" if self._ahead(places) & self.changed else "past"

    def _places(self, case: RunningCase, hand_over: HandOver | None) -> set[str]:
        """Return the elements at which the case is, as the database knows it; the model's, by what they do."""
        open_stages = {review.stage for review in case.reviews.values() if review.closed_at is None}
        found = [self.model.of_stage(stage) for stage in open_stages]
        if case.application.correction_until is not None:
            found.append(self.model.awaiting(APPLICATION_CORRECTED))
        if hand_over is not None and hand_over.accepted_at is not None and hand_over.returned_at is None:
            found.append(self.model.awaiting(COPY_RETURNED))
        places = {element.id for element in found if element is not None}
        places |= {step.element_id for step in case.steps if step.ended_at is None}
        return places & self.model.elements.keys()

    def _ahead(self, places: set[str]) -> set[str]:
        """Return everything that can come from these elements on, whatever is decided."""
        around = {scope for place in places for scope in (place, *self.model.scopes(place))}
        found = {after for scope in around for after in self.model.leads_to[scope]}
        return found | {inside for inside in self.model.elements if not found.isdisjoint(self.model.scopes(inside))}


def _edit(version: Version, of: Recorded, folder: Path) -> _Edit | None:
    """Return what the folder changes of a version; None where the models of that version are not on record."""
    if version.sha256 is None:
        return None
    contents = of.contents
    of_version = next((models for models in reversed(of.sets) if version.sha256 in models.files.values()), None)
    if of_version is None or any(digest not in contents for digest in of_version.files.values()):
        return None
    with tempfile.TemporaryDirectory() as place:
        for name, digest in of_version.files.items():
            (Path(place) / name).write_bytes(contents[digest])
        changes = model_diff.diff(Path(place), folder)
        file = next(name for name, digest in of_version.files.items() if digest == version.sha256)
        ids = {
            name: set(models.parse(contents[digest])) if name.endswith(".bpmn") else _decisions(contents[digest])
            for name, digest in of_version.files.items()
            if name.endswith((".bpmn", ".dmn"))
        }
    model = next(m for m in models.parse(contents[version.sha256]).values() if m.awaiting(APPLICATION_SUBMITTED))
    changed: set[str] = set()
    for change in changes:
        changed |= set(_in_model(change, model, file, ids, folder))
    return _Edit(model, frozenset(changed))


def _in_model(
    change: model_diff.Change, model: Model, file: str, ids: Mapping[str, set[str]], folder: Path
) -> Iterator[str]:
    """Yield the elements of the process in which a change is met.

    ``ids`` are the processes and decisions that each file had.
    """
    if change.file == stage_file.NAME:
        element = model.of_stage(change.element.removeprefix("stages."))
        yield from () if element is None else (element.id,)
    elif change.file.endswith(".dmn"):
        path = folder / change.file
        of_file = ids.get(change.file, set()) | (_decisions(path.read_bytes()) if path.exists() else set())
        yield from (element.id for element in model.elements.values() if element.decision in of_file)
    elif change.file != file:
        called = ids.get(change.file, set())
        yield from (element.id for element in model.elements.values() if element.called in called)
    elif change.element in model.elements:
        yield change.element
    else:
        path = folder / file
        for content in (model.content, path.read_bytes() if path.exists() else b"<none/>"):
            source = _source_of(content, change.element)
            if source in model.elements:
                yield source


def _decisions(content: bytes) -> set[str]:
    """Return the ids of the decisions of a DMN file."""
    root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    return {node.get("id", "") for node in root.iterfind(".//{*}decision")}


def _source_of(content: bytes, flow_id: str) -> str:
    """Return the element that a flow leaves; empty where there is no such flow."""
    root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True))
    flows = root.iter(BPMN + "sequenceFlow")
    return next((flow.get("sourceRef", "") for flow in flows if flow.get("id") == flow_id), "")

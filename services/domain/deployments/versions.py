"""The versions of models in the engine: those on record, and those that nobody has entered (R2, R52).

A version is known by the key that the engine gave its process definition. A cluster does not tell over gRPC what a
version holds, and numbers are given anew where an engine begins anew; a key is given once.

The record begins with the first deployment of a release that keeps it. Until then, and for what ran before, all is
known: versions of a process below the first that is on record, and process instances that had steps by then.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, func, select

from services.database.tables.deployments import ModelVersion
from services.database.tables.process_steps import ProcessStep
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import lock_setup
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import policy as change_policy
from services.domain.deployments.record import SHORTEST_REASON
from services.domain.notifications import service as notification_service
from services.runtime.errors import Fatal

ACCEPTED = "accepted"
SEEN_EVERY = timedelta(minutes=10)  # a worker that meets a version again and again writes no more often
NOTIFIED_EVERY = timedelta(hours=1)  # of any: a hundred versions at once are one notice
SHOWN_FOR = timedelta(days=1)  # after the last job: then the alert ends


class Versioned(Protocol):
    """A version of a process; ``definition_key`` is the engine's."""

    @property
    def process_id(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def definition_key(self) -> int: ...


V = TypeVar("V", bound=Versioned)


@dataclass(frozen=True)
class Definition:
    """The version that a job names."""

    process_id: str
    version: int
    definition_key: int


class RecordStatus(StrEnum):
    """Whether a version is known, and since when it cannot change any more."""

    RECORDED = "recorded"
    BEFORE = "before"  # older than the record of its process
    UNTIL_NOW = "until now"  # known for this job: the record has not begun, or its instance ran before
    UNRECORDED = "unrecorded"


def enter(uow: UnitOfWork, definitions: Iterable[V], result: str) -> list[V]:
    """Enter what the engine answered to a deployment; return those that were not on record."""
    new = []
    for definition in sorted(definitions, key=lambda definition: definition.definition_key):
        row = _row(uow, definition)
        if row.recorded_at is None:
            row.recorded_at, row.result = uow.now, result
            new.append(definition)
    return new


def status_of(uow: UnitOfWork, definition: Versioned, process_instance_key: int) -> RecordStatus:
    """Return whether the version of a job's model is known."""
    row = uow.session.get(ModelVersion, definition.definition_key)
    if row is not None and row.recorded_at is not None:
        return RecordStatus.RECORDED
    began = uow.session.scalar(select(func.min(ModelVersion.recorded_at)))
    if began is None:
        return RecordStatus.UNTIL_NOW
    # Not an accepted one: it says nothing of those below it.
    first = select(func.min(ModelVersion.version)).where(
        ModelVersion.process_id == definition.process_id,
        ModelVersion.recorded_at.is_not(None),
        ModelVersion.result != ACCEPTED,
    )
    lowest = uow.session.scalar(first)
    if lowest is not None:
        return RecordStatus.BEFORE if definition.version < lowest else RecordStatus.UNRECORDED
    ran = select(ProcessStep.element_instance_key).where(
        ProcessStep.process_instance_key == process_instance_key,
        ProcessStep.process_id == definition.process_id,
        ProcessStep.began_at < began,
    )
    return RecordStatus.UNTIL_NOW if uow.session.scalar(ran.limit(1)) is not None else RecordStatus.UNRECORDED


def note_unrecorded(uow: UnitOfWork, definition: Versioned) -> datetime:
    """Keep that a job of a version came which is on no record, and notify once; return when the first one came."""
    lock_setup(uow)  # several workers may meet it at once
    latest = uow.session.scalar(select(func.max(ModelVersion.first_seen_at)).where(_is_unrecorded()))
    known = uow.session.get(ModelVersion, definition.definition_key) is not None
    row = _row(uow, definition)
    if row.last_seen_at + SEEN_EVERY < uow.now:
        row.last_seen_at = uow.now
    if known:
        return row.first_seen_at
    audit_trail.record(uow, "model-unrecorded", "model", definition.process_id, **_detail(definition))
    if latest is None or latest + NOTIFIED_EVERY < uow.now:
        directory = access_queries.load_directory(uow)
        for person_id in sorted({*directory.administrators, *change_policy.checkers(directory)}):
            notification_service.notify(uow, person_id, "model-unrecorded", application_id=None)
    return row.first_seen_at


def accept(uow: UnitOfWork, key: int, reason: str, by: str) -> ModelVersion:
    """Let the jobs of a version run which was seen and is on no record; ``by`` is the account of the machine.

    Raises Fatal for a key that no worker has met, or that is on record, and for a reason that says nothing.
    """
    row = uow.session.get(ModelVersion, key)
    if row is None:
        raise Fatal(f"no worker has met a model with the key {key}: footage-desk models list names those that wait")
    if row.recorded_at is not None:
        raise Fatal(f"{row.process_id} version {row.version} is on record: there is nothing to accept")
    if len(reason.strip()) < SHORTEST_REASON:
        raise Fatal("say in a few words why these models may run: --reason 'the reason'")
    row.recorded_at, row.result = uow.now, ACCEPTED
    audit_trail.record(uow, "model-accepted", "model", row.process_id, **_detail(row), reason=reason.strip(), by=by)
    return row


def list_unrecorded(uow: UnitOfWork) -> Sequence[ModelVersion]:
    """List the versions on no record whose jobs came within a day, the newest first."""
    query = select(ModelVersion).where(_is_unrecorded(), ModelVersion.last_seen_at > uow.now - SHOWN_FOR)
    return uow.session.scalars(query.order_by(ModelVersion.last_seen_at.desc(), ModelVersion.definition_key)).all()


def count_unrecorded(uow: UnitOfWork) -> int:
    """Count what ``list_unrecorded`` lists."""
    query = select(func.count()).where(_is_unrecorded(), ModelVersion.last_seen_at > uow.now - SHOWN_FOR)
    return uow.session.scalar(query) or 0


def _is_unrecorded() -> ColumnElement[bool]:
    return ModelVersion.recorded_at.is_(None)


def _row(uow: UnitOfWork, definition: Versioned) -> ModelVersion:
    row = uow.session.get(ModelVersion, definition.definition_key)
    if row is None:
        row = ModelVersion(
            definition_key=definition.definition_key,
            process_id=definition.process_id,
            version=definition.version,
            first_seen_at=uow.now,
            last_seen_at=uow.now,
        )
        uow.session.add(row)
        uow.session.flush()
    return row


def _detail(definition: Versioned) -> dict[str, Any]:
    # The key as text: JSON has no whole numbers of 64 bits.
    return {"version": definition.version, "key": str(definition.definition_key)}

"""Rolling verification: which master, or replica, is read next, and what was found (R13, R53).

Each is read at least once in ``reverify_every``, the longest unread first, by an index; what was read within half of
that time waits, so that a day without much to do reads nothing twice.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import select

from services.database.tables.masters import Master
from services.database.unit_of_work import UnitOfWork
from services.domain.documents import retention

Place = Literal["primary", "replica"]
DRAWN = 5  # masters that are read each day besides, so that nobody knows which ones are not
DAMAGED = frozenset({"missing", "size", "bytes"})  # faults by which the footage itself is not what was sealed


@dataclass(frozen=True)
class Subject:
    """A master or its replica, to be read; ``sealed`` is that of the object in the place.

    ``label``: the SHA-256 of the footage, where it has a label. ``retain_until``: until when it must be locked; None
    where the store was not told yet.
    """

    master_id: str
    application_id: str
    item_id: str
    place: Place
    sealed: dict[str, Any]
    label: str | None
    retain_until: datetime | None

    @property
    def size(self) -> int:
        size: int = self.sealed["size"]
        return size


def list_due(uow: UnitOfWork, place: Place, limit: int) -> list[Subject]:
    """List what is to be read next in the place: suspected masters first, then the longest unread."""
    column = Master.last_verified_at if place == "primary" else Master.replica_last_verified_at
    kept = Master.discarded_at.is_(None), Master.unneeded_at.is_(None)
    rows: list[Master] = []
    if place == "primary":
        suspect = select(Master).where(Master.suspect_since.is_not(None), *kept).order_by(Master.suspect_since)
        rows += uow.session.scalars(suspect.limit(limit))
    rested = uow.now - uow.rules.reverify_every / 2
    oldest = select(Master).where(column <= rested, *kept).order_by(column, Master.id).limit(limit)
    rows += [row for row in uow.session.scalars(oldest) if row not in rows]
    return [subject_of(row, place) for row in rows[:limit]]


def draw(uow: UnitOfWork, count: int = DRAWN) -> list[Subject]:
    """Draw some masters at random, which were not read within the last day."""
    drawn: dict[str, Master] = {}
    for _ in range(count):
        # identifiers are random: the next one behind a random one is found by the primary key
        behind = (
            select(Master)
            .where(Master.id > secrets.token_hex(16), Master.discarded_at.is_(None), Master.unneeded_at.is_(None))
            .order_by(Master.id)
            .limit(1)
        )
        row = uow.session.scalar(behind) or uow.session.scalar(
            select(Master)
            .where(Master.discarded_at.is_(None), Master.unneeded_at.is_(None))
            .order_by(Master.id)
            .limit(1)
        )
        if row is not None:
            drawn[row.id] = row
    return [subject_of(row, "primary") for row in drawn.values()]


def subject_of(row: Master, place: Place) -> Subject:
    told = row.retain_until if row.lock_due_since is None else None
    if place == "replica":
        return Subject(row.id, row.application_id, row.item_id, place, dict(row.replica or {}), None, told)
    label = row.sealed["sha256Plain"] if row.label_version is not None else None
    return Subject(row.id, row.application_id, row.item_id, place, dict(row.sealed), label, told)


def record(uow: UnitOfWork, subject: Subject, faults: Sequence[str]) -> bool:
    """Record that an object was read, and have locks laid anew that it lacks; return whether it still counts.

    One that was discarded, or made anew, while it was read does not.
    """
    row = uow.session.get_one(Master, subject.master_id, with_for_update=True, populate_existing=True)
    present = row.sealed if subject.place == "primary" else row.replica
    if row.discarded_at is not None or row.unneeded_at is not None or present is None:
        return False
    if (present["key"], present["versionId"]) != (subject.sealed["key"], subject.sealed["versionId"]):
        return False
    if subject.place == "primary":
        row.last_verified_at, row.suspect_since = uow.now, None
    else:
        row.replica_last_verified_at = uow.now
    if "retention" in faults or "hold" in faults:
        retention.make_due(uow, row)
    return True


def suspect(uow: UnitOfWork, master_ids: Sequence[str]) -> None:
    """Have these masters read before all others."""
    for row in uow.session.scalars(select(Master).where(Master.id.in_(master_ids)).with_for_update()):
        row.suspect_since = row.suspect_since or uow.now


def oldest_unverified(uow: UnitOfWork) -> datetime | None:
    """Return when the longest unread master or replica was last read; None where there is none."""
    kept = Master.discarded_at.is_(None), Master.unneeded_at.is_(None)
    moments = [
        uow.session.scalar(select(column).where(column.is_not(None), *kept).order_by(column).limit(1))
        for column in (Master.last_verified_at, Master.replica_last_verified_at)
    ]
    return min((moment for moment in moments if moment is not None), default=None)

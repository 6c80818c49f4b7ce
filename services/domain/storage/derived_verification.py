"""Redacted copies in the rolling verification: which is read next, and what was found (R6, R13, R53, R58).

They have no replica. What is damaged is opened and handed out no more, and Security is told: it is made anew by its
recipe, which is in the register, with another redaction of the same copy.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from services.database.tables.derivatives import Derivative
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.custody import integrity
from services.domain.notifications import service as notification_service
from services.domain.storage import findings
from services.domain.storage.findings import Found
from services.domain.storage.verification import DAMAGED

NOTICE = "redacted-copy-damaged"
KIND = "derived-damaged"  # of its finding
_KINDS = {"hold": "lock", "replaced": "overlaid"}


@dataclass(frozen=True)
class Derived:
    """A redacted copy to be read, as it was sealed."""

    derivative_id: str
    application_id: str
    sealed: dict[str, Any]

    @property
    def size(self) -> int:
        size: int = self.sealed["size"]
        return size


def list_due(uow: UnitOfWork, limit: int, without: Collection[str] = ()) -> list[Derived]:
    """List what is to be read next, the longest unread first; each at least once in the time for which it is kept."""
    rested = uow.now - min(uow.rules.reverify_every, uow.rules.derived_retention) / 2
    query = (
        select(Derivative)
        .where(
            Derivative.made_at.is_not(None),
            Derivative.discarded_at.is_(None),
            Derivative.key_destroyed_at.is_(None),
            Derivative.damaged_at.is_(None),
            Derivative.last_verified_at <= rested,
            Derivative.id.not_in(without),
        )
        .order_by(Derivative.last_verified_at, Derivative.id)
        .limit(limit)
    )
    return [Derived(row.id, row.application_id, dict(row.sealed)) for row in uow.session.scalars(query) if row.sealed]


def record(uow: UnitOfWork, day: str, subject: Derived, faults: Sequence[str]) -> bool:
    """Record that it was read; return whether it is damaged. One that was discarded meanwhile does not count."""
    row = uow.session.get_one(Derivative, subject.derivative_id, with_for_update=True, populate_existing=True)
    if row.discarded_at is not None or row.key_destroyed_at is not None or row.damaged_at is not None:
        return False
    row.last_verified_at = uow.now
    damaged = DAMAGED.intersection(faults)
    key, matter = subject.sealed["key"], uow.session.get_one(Matter, row.matter_id)
    detail = {"faults": list(faults), "redaction": matter.number}
    kinds = {KIND if fault in DAMAGED else _KINDS.get(fault, "label-wrong") for fault in faults}
    findings.record(uow, day, [Found(kind, "primary", key, "", row.application_id, detail) for kind in sorted(kinds)])
    if not damaged:
        return False
    row.damaged_at, row.damaged_as = uow.now, list(faults)
    audit_trail.record(
        uow,
        "redaction-damaged",
        "derivative",
        row.id,
        application_id=row.application_id,
        key=key,
        faults=list(faults),
        recipe=row.recipe_sha256,
    )
    people = {*integrity.list_security(uow, row.application_id), *filter(None, [matter.opened_by])}
    for person_id in sorted(people):
        notification_service.notify(uow, person_id, NOTICE, application_id=row.application_id, subject_id=matter.id)
    return True

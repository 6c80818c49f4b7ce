"""Findings of reconciliations: each difference is one row, found each day anew, until it is gone or explained."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, func, select, update

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.maintenance import ReconciliationFinding
from services.database.tables.violations import Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.custody import violations
from services.domain.storage import difference_orders, finding_notices, readers
from services.domain.storage.differences import EVENTS, EXPLAINED, GONE, GRAVE, OPEN, STATES, UNRESOLVED
from services.runtime.canonical_json import hash_of
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

DIFFERENCE = "difference"  # of the facts of a violation: the kind of finding that it is about


@dataclass(frozen=True)
class Found:
    """One difference, in ``place``: primary, replica, recorder or engine. ``distinct``: which one of its subject."""

    kind: str
    place: str
    subject: str
    distinct: str = ""
    application_id: str | None = None
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        return "|".join((self.kind, self.place, self.subject, self.distinct))


def record(uow: UnitOfWork, day: str, found: Sequence[Found]) -> int:
    """Record what was found on a day, each difference once; return how many are new or have come back.

    What has happened is another finding where it has other details: a recorder that counts its exports from one again
    would else hide a new one behind an old one that is explained. What is explained is open again where it is not as it
    was then: a lock may become shorter still.
    """
    by_mark: dict[str, Found] = {}
    present = _known(uow, [one.fingerprint for one in found])
    for one in found:
        mark = one.fingerprint
        before = [other.detail for other in (present.get(mark), by_mark.get(mark)) if other is not None]
        if one.kind in EVENTS and any(detail != one.detail for detail in before):
            mark = f"{mark}|{hash_of(one.detail)[:16]}"
        by_mark[mark] = one
    known = _known(uow, by_mark)
    new = 0
    for mark, one in by_mark.items():
        row, explained = known.get(mark), None
        if row is None:
            row = ReconciliationFinding(
                id=new_id(),
                fingerprint=mark,
                kind=one.kind,
                place=one.place,
                subject=one.subject,
                application_id=one.application_id,
                detail=one.detail,
                found_at=uow.now,
                first_day=day,
                last_day=day,
                state=OPEN,
            )
            uow.session.add(row)
            uow.session.flush()
        elif row.state == GONE or (row.state == EXPLAINED and _has_changed(row, one)):
            explained = _reopen(uow, row, day)
            row.detail = {**row.detail, **one.detail}
        else:
            row.last_day, row.detail = day, {**row.detail, **one.detail}
            continue
        new += 1
        audit_trail.record(
            uow,
            "reconciliation-finding",
            "reconciliation-finding",
            row.id,
            application_id=row.application_id,
            kind=row.kind,
            place=row.place,
            of=row.subject,
            **({"explained_before": explained} if explained else {}),
        )
        if row.kind in GRAVE and row.application_id is not None and row.violation_id is None:
            row.violation_id = _violation_of(uow, row, row.application_id).id
    return new


def _violation_of(uow: UnitOfWork, row: ReconciliationFinding, application_id: str) -> Violation:
    """Return the violation that a finding is handled with: one of a case and kind of finding at a time.

    One act of somebody leaves many traces, such as a line of the store's log for each range that was read; the
    violation lists them. One that an earlier release has opened does not say of which kind it is.
    """
    for known in violations.list_open_of_case(uow, application_id, violations.GHOST_EXPORT):
        if known.facts.get(DIFFERENCE) in (None, row.kind):
            return known
    facts = {**row.detail, "found": row.subject, "place": row.place, DIFFERENCE: row.kind}
    return violations.open_of_case(uow, application_id, violations.GHOST_EXPORT, facts)


def _known(uow: UnitOfWork, marks: Collection[str]) -> dict[str, ReconciliationFinding]:
    query = select(ReconciliationFinding).where(ReconciliationFinding.fingerprint.in_(marks)).with_for_update()
    return {row.fingerprint: row for row in uow.session.scalars(query)}


def _has_changed(row: ReconciliationFinding, found: Found) -> bool:
    """Return whether a finding says other than before; verification and reconciliation each tell details of a lock."""
    return any(name in row.detail and row.detail[name] != value for name, value in found.detail.items())


def _reopen(uow: UnitOfWork, row: ReconciliationFinding, day: str) -> str | None:
    """Open a finding that has come back; return what explained it the last time, which does not explain it now."""
    explained = row.explanation
    row.state, row.last_day, row.found_at, row.first_day = OPEN, day, uow.now, day
    row.explanation = row.explained_by = row.explained_at = row.work_order_id = None
    return explained


def close_gone(uow: UnitOfWork, day: str, places: Collection[str]) -> int:
    """Close the findings of these places that were not found on the day any more; return how many.

    Explained ones too: one that comes back later is a new one, and nobody has explained that.
    """
    closing = (
        update(ReconciliationFinding)
        .where(
            ReconciliationFinding.state != GONE,
            ReconciliationFinding.kind.in_(STATES),
            ReconciliationFinding.place.in_(places),
            ReconciliationFinding.last_day < day,
        )
        .values(state=GONE)
        .execution_options(synchronize_session=False)
    )
    result = uow.session.execute(closing)
    return int(getattr(result, "rowcount", 0))


def count_open(uow: UnitOfWork) -> int:
    """Count what is neither explained nor gone."""
    query = select(func.count()).select_from(ReconciliationFinding).where(_is_unresolved())
    return uow.session.scalar(query) or 0


def _is_unresolved() -> ColumnElement[bool]:
    return ReconciliationFinding.state.in_(UNRESOLVED)


def explain(uow: UnitOfWork, finding_id: str, explanation: str) -> ReconciliationFinding:
    """Explain an open finding in a sentence.

    Refused to who keeps what was compared, who examines it by an inquiry, and who has a part in its case.
    """
    readers.require_explainer(uow)
    row = uow.session.get(ReconciliationFinding, finding_id, with_for_update=True)
    if row is None or _concerns(uow, row):
        raise NotFound(Message("finding"), finding_id)
    readers.require_no_part(uow, row.application_id)
    difference_orders.require_not_asked(uow, row)
    if row.state == EXPLAINED:
        raise Refused("finding-explained", "This finding is explained already.")
    row.state, row.explanation = EXPLAINED, explanation.strip()
    row.explained_by, row.explained_at = uow.actor.id, uow.now
    audit_trail.record(
        uow,
        "reconciliation-finding-explained",
        "reconciliation-finding",
        row.id,
        application_id=row.application_id,
        kind=row.kind,
    )
    uow.session.flush()
    finding_notices.end_settled(uow, [row.first_day])
    difference_orders.cancel_if_settled(uow, row.work_order_id)
    return row


def _concerns(uow: UnitOfWork, row: ReconciliationFinding) -> bool:
    if row.application_id is None:
        return False
    return uow.actor.id in uow.session.get_one(Application, row.application_id).subject_ids

"""The end of a day's reconciliation: its report 《对账报告》, and who is told (R13, R53, R62)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select

from services.database.tables.applications import Application
from services.database.tables.maintenance import MaintenanceRun, Reconciliation, ReconciliationFinding
from services.database.tables.masters import Master
from services.database.tables.notices import Notice
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.documents import service as document_service
from services.domain.notifications import service as notification_service
from services.domain.storage import (
    damages,
    difference_orders,
    finding_notices,
    findings,
    maintenance,
    readers,
    verification,
)
from services.domain.storage.reconciliation_sheet import TITLE

KIND = "reconciliation"
NOTICE = "reconciliation-findings"
NAMED = 500  # findings that a report names one by one; the page has all


@dataclass(frozen=True)
class NotTold:
    """What was not compared, and why: unsupported, away, no-log, no-engine."""

    of: str
    because: str

    def as_json(self) -> dict[str, str]:
        return {"of": self.of, "because": self.because}


def get_last(uow: UnitOfWork) -> datetime | None:
    """Return when the last reconciliation was made."""
    return uow.session.scalar(select(func.max(Reconciliation.made_at)))


def get_first_master(uow: UnitOfWork) -> datetime | None:
    """Return when the first master that is kept came: since then there is something to compare."""
    return uow.session.scalar(
        select(Master.retrieved_at)
        .where(Master.discarded_at.is_(None), Master.unneeded_at.is_(None))
        .order_by(Master.last_verified_at)
        .limit(1)
    )


def finish(uow: UnitOfWork, day: str, places: Sequence[str], not_told: Sequence[NotTold]) -> Reconciliation:
    """End the day's reconciliation and write its report, once; tell who explains findings of the new ones.

    ``places``: those that were compared whole, so that what was not found there any more is gone.
    """
    known = uow.session.get(Reconciliation, day)
    if known is not None:
        return known
    gone = findings.close_gone(uow, day, places)
    run = uow.session.get_one(MaintenanceRun, (day, maintenance.RECONCILE))
    query = select(ReconciliationFinding).where(ReconciliationFinding.first_day == day)
    new = uow.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    named = list(
        uow.session.scalars(query.order_by(ReconciliationFinding.found_at, ReconciliationFinding.id).limit(NAMED))
    )
    orders = difference_orders.settle(uow, day)
    finding_notices.end_settled(uow, _list_told(uow))
    still_open = findings.count_open(uow)
    document = document_service.write_once(
        uow,
        KIND,
        day,
        lambda: {
            "title": TITLE,
            "day": day,
            "began": run.began_at.isoformat(),
            "made": uow.now.isoformat(),
            "compared": dict(run.counts),
            "notTold": [one.as_json() for one in not_told],
            "found": new,
            "gone": gone,
            "open": still_open,
            "workOrders": [order.number for order in orders],
            "findings": [_as_json(uow, row) for row in named],
            "verified": _verified(uow, day),
        },
        application_id=None,
    )
    report = Reconciliation(
        day=day,
        made_at=uow.now,
        document=document.number,
        compared=dict(run.counts),
        found=new,
        open=still_open,
        not_told=[one.as_json() for one in not_told],
    )
    uow.session.add(report)
    maintenance.end(uow, day, maintenance.RECONCILE)
    audit_trail.record(
        uow, "reconciled", "reconciliation", day, number=document.number, found=new, open=still_open, gone=gone
    )
    if new:
        for person_id in dict.fromkeys([*readers.list_overseers(uow), *readers.list_keepers(uow)]):
            notification_service.notify(uow, person_id, NOTICE, application_id=None, subject_id=day)
    return report


def _list_told(uow: UnitOfWork) -> Sequence[str]:
    """List the days of whose findings somebody is still told."""
    told = select(Notice.subject_id).where(
        Notice.code == NOTICE, Notice.done_at.is_(None), Notice.subject_id.is_not(None)
    )
    return [str(day) for day in uow.session.scalars(told.distinct())]


def _as_json(uow: UnitOfWork, row: ReconciliationFinding) -> dict[str, Any]:
    application = uow.session.get(Application, row.application_id) if row.application_id else None
    return {
        "kind": row.kind,
        "place": row.place,
        "subject": row.subject,
        "application": application.number if application is not None else None,
        "detail": row.detail,
        "violation": row.violation_id,
    }


def _verified(uow: UnitOfWork, day: str) -> dict[str, Any]:
    """Return how far the rolling verification is."""
    run = uow.session.get(MaintenanceRun, (day, maintenance.REVERIFY))
    oldest = verification.oldest_unverified(uow)
    return {
        "bytes": run.bytes_read if run is not None else 0,
        "objects": dict(run.counts) if run is not None else {},
        "oldest": oldest.isoformat() if oldest is not None else None,
        "unrepaired": damages.count_unrepaired(uow),
    }

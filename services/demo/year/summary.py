"""What a demo year leaves, counted in the register."""

from typing import Any

from sqlalchemy import ColumnElement, func, select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.devices import Device, Medium
from services.database.tables.disclosures import Disclosure
from services.database.tables.disposals import DisposalItem
from services.database.tables.holds import Hold
from services.database.tables.inspections import GroupInspection, InspectionFinding
from services.database.tables.maintenance import Reconciliation
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.reviews import Review
from services.database.tables.sites import Site
from services.database.tables.violations import Violation
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork

LEAST = {
    "inspections finished": 1,
    "inspections open": 1,
    "work orders": 40,
    "violations": 12,
    "holds": 3,
    "recalls": 1,
    "provided to authorities": 1,
    "recordings to dispose of": 1,
    "reconciliations": 7,
}


def count(uow: UnitOfWork) -> dict[str, int]:
    """Count it: one statement for each number."""

    def number(table: Any, *conditions: ColumnElement[bool]) -> int:
        return uow.session.scalar(select(func.count()).select_from(table).where(*conditions)) or 0

    def different(column: Any) -> int:
        return uow.session.scalar(select(func.count(column.distinct()))) or 0

    lent = (HandOver.accepted_at.is_not(None), HandOver.returned_at.is_(None), HandOver.ended_at.is_(None))
    return {
        "applications": number(Application, Application.submitted_at.is_not(None)),
        "cases ended": number(Application, Application.closed_at.is_not(None)),
        "cases open": number(Application, Application.closed_at.is_(None)),
        "cases refused": number(Application, Application.closed_as == "rejected"),
        "copies on loan": number(HandOver, *lent),
        "loans overdue": number(HandOver, *lent, HandOver.due_at <= uow.now),
        "returns in inspection": number(HandOver, HandOver.returned_at.is_not(None), HandOver.ended_at.is_(None)),
        "reviews that wait": number(Review, Review.closed_at.is_(None)),
        "masters": number(Master, Master.discarded_at.is_(None)),
        "inspections finished": number(GroupInspection, GroupInspection.closed_at.is_not(None)),
        "inspections open": number(GroupInspection, GroupInspection.closed_at.is_(None)),
        "findings": number(InspectionFinding),
        "work orders": number(WorkOrder),
        "kinds of work orders": different(WorkOrder.kind),
        "work orders under way": number(WorkOrder, WorkOrder.closed_at.is_(None)),
        "violations": number(Violation),
        "kinds of violations": different(Violation.kind),
        "violations open": number(Violation, Violation.closed_at.is_(None)),
        "holds": number(Hold, Hold.lifted_at.is_(None)),
        "recalls": number(Matter, Matter.kind == "recall"),
        "recalls that nobody has signed": number(Matter, Matter.kind == "recall", Matter.closed_as == "moot"),
        "provided to authorities": number(Disclosure, Disclosure.received_at.is_not(None)),
        "recordings to dispose of": number(DisposalItem, DisposalItem.state == "listed"),
        "sites": number(Site, Site.closed_at.is_(None)),
        "devices": number(Device, Device.retired_at.is_(None)),
        "media": number(Medium),
        "reconciliations": number(Reconciliation),
    }

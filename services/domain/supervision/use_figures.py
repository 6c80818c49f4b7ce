"""The figures of the report on safety and use, counted in the register for a period and the one before (R1).

Some are of what happened in the period, others of how it stood when the period ended (``…AtEnd``). What stood at the
end is read from the moments of the rows, so a report that is made late says the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, Select, and_, case, exists, func, literal, or_, select, union_all
from sqlalchemy import String as Text
from sqlalchemy.orm import InstrumentedAttribute

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Download, Viewing
from services.database.tables.custody import HandOver
from services.database.tables.disclosures import Disclosure
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.maintenance import Damage, MaintenanceRun, Reconciliation, ReconciliationFinding
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.people import Department
from services.database.tables.violations import Violation
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.storage import maintenance
from services.domain.supervision.breaches import CLEARED
from services.domain.supervision.periods import Period

REFUSED_ACCESS = ("access-denied", "access-refused")  # to copies, and to pages
OPEN = "open"  # of an application that has no end yet
NOW, BEFORE = 0, 1
BY_DEPARTMENT = ("submitted", "received", "overdue", "lost", "violations")
Query = Select[*tuple[Any, ...]]


@dataclass(frozen=True)
class Reported:
    """A period whose figures are counted, with its days in the organisation's zone."""

    period: Period
    zone: str

    def within(self, column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        return and_(column >= self.period.start, column < self.period.end)

    def until(self, column: InstrumentedAttribute[Any]) -> ColumnElement[bool]:
        return column < self.period.end

    def not_yet(self, moment: Any) -> ColumnElement[bool]:
        """Build the condition that what ``moment`` ends was not over when the period ended."""
        return or_(moment.is_(None), moment >= self.period.end)

    def of_day(self, column: InstrumentedAttribute[str]) -> ColumnElement[bool]:
        """Build the condition on a day such as 2031-03-04 that it is one of the period."""
        first, end = (moment.astimezone(ZoneInfo(self.zone)).date() for moment in (self.period.start, self.period.end))
        return and_(column >= first.isoformat(), column < end.isoformat())

    @property
    def days(self) -> int:
        zone = ZoneInfo(self.zone)
        return (self.period.end.astimezone(zone).date() - self.period.start.astimezone(zone).date()).days


def _back() -> ColumnElement[Any]:
    """Build the moment at which a loan was over; NULL while it is not."""
    return func.coalesce(HandOver.returned_at, HandOver.lost_at, HandOver.ended_at)


def _number(*conditions: ColumnElement[bool]) -> Query:
    return select(func.count()).where(*conditions)


def _overdue(reported: Reported) -> ColumnElement[bool]:
    """Build the condition that a loan was due in the period and not back by then."""
    back = _back()
    late = or_(back.is_(None), back > HandOver.due_at)
    return and_(reported.within(HandOver.due_at), late, HandOver.accepted_at.is_not(None))


def _violated(reported: Reported) -> ColumnElement[bool]:
    cleared = and_(Violation.closed_as.is_not(None), Violation.closed_as == CLEARED)
    return and_(reported.within(Violation.opened_at), ~cleared)


def _late_work(reported: Reported) -> Query:
    attempt = exists().where(
        WorkOrderAttempt.work_order_id == WorkOrder.id,
        reported.until(WorkOrderAttempt.due_at),
        reported.not_yet(WorkOrderAttempt.done_at),
    )
    return _number(reported.until(WorkOrder.opened_at), reported.not_yet(WorkOrder.closed_at), attempt)


def _unrepaired(reported: Reported) -> Query:
    return (
        select(func.count())
        .select_from(Damage)
        .join(Master, Master.id == Damage.master_id)
        .where(
            reported.until(Damage.found_at),
            *(reported.not_yet(moment) for moment in (Damage.repaired_at, Master.discarded_at, Master.unneeded_at)),
        )
    )


def _lacking(reported: Reported) -> Query:
    query = select(func.count()).select_from(Master).join(Item, Item.id == Master.item_id)
    return query.where(reported.within(Master.retrieved_at), Item.outcome.in_(("partial", "unreadable")))


def _last_open(reported: Reported) -> Query:
    """Select how many differences the last reconciliation of the period left open."""
    last = select(func.max(Reconciliation.day)).where(reported.of_day(Reconciliation.day)).scalar_subquery()
    return select(func.coalesce(func.sum(Reconciliation.open), 0)).where(Reconciliation.day == last)


def _closed_as(*ends: str) -> Callable[[Reported], Query]:
    return lambda reported: _number(reported.within(Application.closed_at), Application.closed_as.in_(ends))


# group: code: what is counted
MEASURES: Mapping[str, Mapping[str, Callable[[Reported], Query]]] = {
    "use": {
        "submitted": lambda of: _number(of.within(Application.listed_at), Application.submitted_at.is_not(None)),
        "approved": lambda of: _number(of.within(Document.made_at), Document.kind == "application-form"),
        "rejected": _closed_as("rejected"),
        "withdrawn": _closed_as("withdrawn", "expired"),
        "unavailable": _closed_as("footage-unavailable"),
        "retrieved": lambda of: _number(of.within(Master.retrieved_at)),
        "lacking": _lacking,
        "received": lambda of: _number(of.within(HandOver.accepted_at)),
        "viewings": lambda of: _number(of.within(Viewing.opened_at)),
        "downloads": lambda of: _number(of.within(Download.asked_at)),
        "provided": lambda of: _number(of.within(Disclosure.allowed_at)),
        "urgent": lambda of: _number(of.within(Matter.opened_at), Matter.kind == "urgent"),
        "returned": lambda of: _number(of.within(HandOver.returned_at)),
        "onLoanAtEnd": lambda of: _number(of.until(HandOver.accepted_at), of.not_yet(_back())),
    },
    "safety": {
        "overdue": lambda of: _number(_overdue(of)),
        "overdueAtEnd": lambda of: _number(
            HandOver.accepted_at.is_not(None), of.until(HandOver.due_at), of.not_yet(_back())
        ),
        "lost": lambda of: _number(of.within(HandOver.lost_at)),
        "problems": lambda of: _number(of.within(Matter.opened_at), Matter.kind == "problem"),
        "violations": lambda of: _number(_violated(of)),
        "violationsAtEnd": lambda of: _number(of.until(Violation.opened_at), of.not_yet(Violation.closed_at)),
        "refusedAccess": lambda of: _number(AuditEvent.action.in_(REFUSED_ACCESS), of.within(AuditEvent.at)),
        "holdsAtEnd": lambda of: _number(of.until(Hold.placed_at), of.not_yet(Hold.lifted_at)),
    },
    "storage": {
        "daysVerified": lambda of: _number(
            MaintenanceRun.task == maintenance.REVERIFY,
            MaintenanceRun.ended_at.is_not(None),
            of.of_day(MaintenanceRun.day),
        ),
        "bytesVerified": lambda of: select(func.coalesce(func.sum(MaintenanceRun.bytes_read), 0)).where(
            MaintenanceRun.task == maintenance.REVERIFY, of.of_day(MaintenanceRun.day)
        ),
        "damaged": lambda of: _number(of.within(Damage.found_at)),
        "repaired": lambda of: _number(of.within(Damage.repaired_at)),
        "unrepairedAtEnd": _unrepaired,
        "daysReconciled": lambda of: _number(of.of_day(Reconciliation.day)),
        "differences": lambda of: _number(of.within(ReconciliationFinding.found_at)),
        "differencesAtEnd": _last_open,
        "discarded": lambda of: _number(of.within(Master.discarded_at)),
    },
    "work": {
        "workOpened": lambda of: _number(of.within(WorkOrder.opened_at)),
        "workDone": lambda of: _number(of.within(WorkOrder.closed_at), WorkOrder.closed_as == "done"),
        "workOverdueAtEnd": _late_work,
    },
}


def count(uow: UnitOfWork, period: Period, before: Period) -> dict[str, Any]:
    """Count a period and the one before: five statements, however many rows there are."""
    both = [Reported(period, uow.rules.zone), Reported(before, uow.rules.zone)]
    return {
        "days": {"now": both[NOW].days, "before": both[BEFORE].days},
        "figures": _figures(uow, both),
        "departments": _departments(uow, both),
        "violations": _violations(uow, both),
    }


def _figures(uow: UnitOfWork, both: Sequence[Reported]) -> list[dict[str, Any]]:
    parts = []
    for measures in MEASURES.values():
        for code, build in measures.items():
            for place, reported in enumerate(both):
                number = build(reported).scalar_subquery()
                parts.append(select(literal(code, Text), literal(place, Integer), number))
    found = {(code, place): int(number) for code, place, number in uow.session.execute(union_all(*parts))}
    return [
        {"group": group, "code": code, "now": found[code, NOW], "before": found[code, BEFORE]}
        for group, measures in MEASURES.items()
        for code in measures
    ]


def _departments(uow: UnitOfWork, both: Sequence[Reported]) -> list[dict[str, Any]]:
    """Count by department: the applications of each period with their outcomes, and what loans led to."""
    outcome = func.coalesce(Application.closed_as, OPEN)
    of_loan = select(HandOver).join(Application, Application.id == HandOver.application_id)
    of_violation = select(Violation).join(Application, Application.id == Violation.application_id)
    parts: list[Query] = []
    for place, reported in enumerate(both):
        # how the applications of a period ended is said as it was when the report was made
        rows = select(
            literal("outcome", Text), literal(place, Integer), Application.department_id, outcome, func.count()
        )
        submitted = and_(reported.within(Application.listed_at), Application.submitted_at.is_not(None))
        parts.append(rows.where(submitted).group_by(Application.department_id, Application.closed_as))
        for measure, query in (
            ("received", of_loan.where(reported.within(HandOver.accepted_at))),
            ("overdue", of_loan.where(_overdue(reported))),
            ("lost", of_loan.where(reported.within(HandOver.lost_at))),
            ("violations", of_violation.where(_violated(reported))),
        ):
            counted = query.with_only_columns(
                *(literal(measure, Text), literal(place, Integer), Application.department_id),
                *(literal("", Text), func.count()),
            )
            parts.append(counted.group_by(Application.department_id))
    found: dict[str, dict[str, Any]] = {}
    for measure, place, department, how, number in uow.session.execute(union_all(*parts)):
        line = found.setdefault(department, {"outcomes": {}, "now": _nothing(), "before": _nothing()})
        of_period = line["now" if place == NOW else "before"]
        if measure == "outcome":
            of_period["submitted"] += int(number)
            if place == NOW:
                line["outcomes"][how] = int(number)
        else:
            of_period[measure] = int(number)
    named = uow.session.scalars(select(Department).where(Department.id.in_(found)))
    return sorted(
        ({"id": one.id, "zh": one.name_zh, "en": one.name_en, **found[one.id]} for one in named),
        key=lambda line: (-line["now"]["submitted"], line["zh"]),
    )


def _nothing() -> dict[str, int]:
    return dict.fromkeys(BY_DEPARTMENT, 0)


def _violations(uow: UnitOfWork, both: Sequence[Reported]) -> list[dict[str, Any]]:
    """Count the violations by kind."""
    within = [case((_violated(reported), 1), else_=0) for reported in both]
    query = (
        select(Violation.kind, *(func.sum(one) for one in within))
        .where(or_(*(_violated(reported) for reported in both)))
        .group_by(Violation.kind)
        .order_by(Violation.kind)
    )
    return [{"kind": kind, "now": int(now), "before": int(before)} for kind, now, before in uow.session.execute(query)]

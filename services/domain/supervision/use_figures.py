"""The figures of the report on safety and use, counted in the register for a period and the one before (R1).

Some are of what happened in the period, others of how it stood when the period ended (``…AtEnd``). What stood at the
end is read from the moments of the rows, so a report that is made late says the same.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, Select, and_, exists, func, literal, or_, select, union_all
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
from services.database.tables.statistics import MonthCount
from services.database.tables.violations import Violation
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.storage import maintenance
from services.domain.supervision.periods import Period

REFUSED_ACCESS = ("access-denied", "access-refused")  # to copies, and to pages
OPEN = "open"  # of an application that has no end yet
NOW, BEFORE = 0, 1
# what the statistics show as well, and what they call it
SHARED = {
    "submitted": "applications",
    "rejected": "refused",
    "overdue": "overdue",
    "lost": "lost",
    "violations": "violations",
}
OF_DEPARTMENTS = {measure: code for code, measure in SHARED.items() if code != "rejected"}
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


# group: code: what is counted; None of what the totals of the statistics have
MEASURES: Mapping[str, Mapping[str, Callable[[Reported], Query] | None]] = {
    "use": {
        "submitted": None,
        "approved": lambda of: _number(of.within(Document.made_at), Document.kind == "application-form"),
        "rejected": None,
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
        "overdue": None,
        "overdueAtEnd": lambda of: _number(
            HandOver.accepted_at.is_not(None), of.until(HandOver.due_at), of.not_yet(_back())
        ),
        "lost": None,
        "problems": lambda of: _number(of.within(Matter.opened_at), Matter.kind == "problem"),
        "violations": None,
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


@dataclass(frozen=True)
class Totals:
    """What the statistics keep of some months, the last of the period last; ``length``: how many months it has."""

    names: Sequence[str]
    kept: Mapping[str, Sequence[MonthCount]]
    length: int

    def sums(self, place: int, group: str) -> Counter[tuple[str, str]]:
        """Return the figures of the period, or of the one before, by measure and department (or kind)."""
        end = len(self.names) - place * self.length
        found: Counter[tuple[str, str]] = Counter()
        for name in self.names[end - self.length : end]:
            for row in self.kept.get(name, ()):
                found[row.measure, str(getattr(row, group))] += row.number
        return found

    def trend(self, months: int) -> list[dict[str, Any]]:
        """Return the figures of each of the last months."""
        lines = []
        for name in self.names[-months:]:
            numbers = Counter[str]()
            for row in self.kept.get(name, ()):
                numbers[row.measure] += row.number
            lines.append({"month": name, **{measure: numbers[measure] for measure in SHARED.values()}})
        return lines


def count(uow: UnitOfWork, period: Period, before: Period, totals: Totals) -> dict[str, Any]:
    """Count a period and the one before: four statements, however many rows there are.

    What the statistics show as well is taken from their ``totals``, so both always say the same.
    """
    both = [Reported(period, uow.rules.zone), Reported(before, uow.rules.zone)]
    return {
        "days": {"now": both[NOW].days, "before": both[BEFORE].days},
        "figures": _figures(uow, both, totals),
        "departments": _departments(uow, both, totals),
        "violations": _violations(totals),
    }


def _figures(uow: UnitOfWork, both: Sequence[Reported], totals: Totals) -> list[dict[str, Any]]:
    parts = []
    for measures in MEASURES.values():
        for code, build in measures.items():
            if build is None:
                continue
            for place, reported in enumerate(both):
                number = build(reported).scalar_subquery()
                parts.append(select(literal(code, Text), literal(place, Integer), number))
    found = {(code, place): int(number) for code, place, number in uow.session.execute(union_all(*parts))}
    for place in (NOW, BEFORE):
        sums = totals.sums(place, "measure")
        found |= {(code, place): sums[measure, measure] for code, measure in SHARED.items()}
    return [
        {"group": group, "code": code, "now": found[code, NOW], "before": found[code, BEFORE]}
        for group, measures in MEASURES.items()
        for code in measures
    ]


def _departments(uow: UnitOfWork, both: Sequence[Reported], totals: Totals) -> list[dict[str, Any]]:
    """Count by department: what each received and how its applications ended; the rest is of the totals."""
    outcome = func.coalesce(Application.closed_as, OPEN)
    of_loan = select(HandOver).join(Application, Application.id == HandOver.application_id)
    parts: list[Query] = []
    for place, reported in enumerate(both):
        # how the applications of a period ended is said as it was when the report was made
        rows = select(
            literal("outcome", Text), literal(place, Integer), Application.department_id, outcome, func.count()
        )
        submitted = and_(reported.within(Application.listed_at), Application.submitted_at.is_not(None))
        if place == NOW:
            parts.append(rows.where(submitted).group_by(Application.department_id, Application.closed_as))
        received = of_loan.where(reported.within(HandOver.accepted_at)).with_only_columns(
            *(literal("received", Text), literal(place, Integer), Application.department_id),
            *(literal("", Text), func.count()),
        )
        parts.append(received.group_by(Application.department_id))
    found: dict[str, dict[str, Any]] = {}

    def line_of(department: str) -> dict[str, Any]:
        return found.setdefault(department, {"outcomes": {}, "now": _nothing(), "before": _nothing()})

    for measure, place, department, how, number in uow.session.execute(union_all(*parts)):
        line = line_of(department)
        if measure == "outcome":
            line["outcomes"][how] = int(number)
        else:
            line["now" if place == NOW else "before"][measure] = int(number)
    for place, name in ((NOW, "now"), (BEFORE, "before")):
        for (measure, department), number in totals.sums(place, "department_id").items():
            if measure in OF_DEPARTMENTS:
                line_of(department)[name][OF_DEPARTMENTS[measure]] = number
    named = uow.session.scalars(select(Department).where(Department.id.in_(found)))
    return sorted(
        ({"id": one.id, "zh": one.name_zh, "en": one.name_en, **found[one.id]} for one in named),
        key=lambda line: (-line["now"]["submitted"], line["zh"]),
    )


def _nothing() -> dict[str, int]:
    return dict.fromkeys(BY_DEPARTMENT, 0)


def _violations(totals: Totals) -> list[dict[str, Any]]:
    """Return the violations by kind."""
    now, before = (totals.sums(place, "kind") for place in (NOW, BEFORE))
    kinds = sorted({kind for measure, kind in (*now, *before) if measure == "violations"})
    return [{"kind": kind, "now": now["violations", kind], "before": before["violations", kind]} for kind in kinds]

"""Statistics by month: what was asked, refused, lent late and lost, and how long each stage took (R62, R63).

All is counted in SQL, of the cases that the reader sees. A month begins in the organisation's zone. One that is over is
counted once and kept (``month_totals``), so its figures stay what the report of the month says.

applications  submitted in the month
refused       closed as rejected in the month
overdue       loans that were due in the month and not back by then
lost          loans whose copies were reported lost in the month
violations    opened in the month, but for those that were unfounded
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Integer, Select, and_, case, func, literal, or_, select, union_all
from sqlalchemy import String as Text

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.people import Department
from services.database.tables.stage_visits import IS_TO_TOTAL, StageVisit
from services.database.tables.violations import Hearing, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.audit import trail as audit_trail
from services.domain.supervision import month_totals, readers
from services.domain.supervision.audit_schemas import DepartmentCounts, MonthCounts, StageMonths, Statistics
from services.domain.supervision.breaches import CLEARED

ACTION = "statistics-read"
MEASURES = ("applications", "refused", "overdue", "lost", "violations")
FEWEST_MONTHS, MOST_MONTHS = 1, 36


@dataclass(frozen=True)
class Months:
    """So many months, the present one last; ``bounds`` are their beginnings, and the end of the last."""

    first_days: tuple[date, ...]
    bounds: tuple[datetime, ...]

    @property
    def since(self) -> datetime:
        return self.bounds[0]

    @property
    def until(self) -> datetime:
        return self.bounds[-1]

    @property
    def names(self) -> tuple[str, ...]:
        """The months as 2031-03."""
        return tuple(f"{day:%Y-%m}" for day in self.first_days)

    def of(self, moment: ColumnElement[Any]) -> ColumnElement[int]:
        """Build the number of the month in which a moment of the period lies, from 0."""
        ends = [(moment < bound, place) for place, bound in enumerate(self.bounds[1:-1])]
        return case(*ends, else_=len(ends)) if ends else literal(0, Integer)

    def holds(self, moment: ColumnElement[Any]) -> ColumnElement[bool]:
        return and_(moment >= self.since, moment < self.until)


def months_before(now: datetime, zone: str, count: int) -> Months:
    """Return the last ``count`` months up to that of ``now``."""
    place = ZoneInfo(zone)
    today = now.astimezone(place)
    numbers = [today.year * 12 + today.month - 1 - back for back in range(count - 1, -2, -1)]
    days = [date(number // 12, number % 12 + 1, 1) for number in numbers]
    return Months(tuple(days[:-1]), tuple(datetime.combine(day, time(), place) for day in days))


def read_statistics(uow: UnitOfWork, *, months: int, department_id: str = "") -> Statistics:
    """Read the figures of the last months, of all departments or one; the reading is an event.

    Six statements. Months that are over are read from what ``month_totals`` keeps, so they stay as they were counted;
    who may not see a case of them has them counted anew, without it. Nothing tells the reader which it is: that a case
    is hidden is what they must not learn.
    """
    readers.require_reader(uow)
    count = min(max(months, FEWEST_MONTHS), MOST_MONTHS)
    period = months_before(uow.now, uow.rules.zone, count)
    audit_trail.record(uow, ACTION, "statistics", "cases", months=count, department=department_id or None)
    sees_all = _sees_all(uow)
    rows = _read_counts(uow, period, department_id, sees_all=sees_all)
    by_month: list[dict[str, int]] = [dict.fromkeys(MEASURES, 0) for _ in period.first_days]
    by_department: dict[str, dict[str, list[int]]] = {}
    for one in rows:
        by_month[one.month][one.measure] += one.number
        of_department = by_department.setdefault(one.department, {measure: [0] * count for measure in MEASURES})
        of_department[one.measure][one.month] += one.number
    return Statistics(
        months=[MonthCounts(month=day, **counts) for day, counts in zip(period.first_days, by_month, strict=True)],
        departments=_departments(uow, by_department),
        stages=_stages(uow, period, department_id, sees_all=sees_all),
    )


@dataclass(frozen=True)
class Count:
    """One figure: ``month`` is its number in the period, from 0; ``kind`` that of a violation, else empty."""

    month: int
    measure: str
    department: str
    kind: str
    number: int


def _sees_all(uow: UnitOfWork) -> bool:
    """Return whether nothing of what is counted is hidden from the reader, who reads all cases else."""
    hidden = select(Application.id).where(
        visibility.concerns(str(uow.actor.id)), Application.drafter_id != uow.actor.id
    )
    heard = select(Hearing.matter_id).where(Hearing.person_id == uow.actor.id)
    return not uow.session.scalar(select(or_(hidden.exists(), heard.exists())))


def _read_counts(uow: UnitOfWork, period: Months, department_id: str, *, sees_all: bool) -> list[Count]:
    """Read the months that are kept, and count the others; two statements."""
    kept = month_totals.read(uow, period.names) if sees_all else {}
    found = [
        Count(place, row.measure, row.department_id, row.kind, row.number)
        for place, name in enumerate(period.names)
        for row in kept.get(name, ())
        if not department_id or row.department_id == department_id
    ]
    first = next((place for place, name in enumerate(period.names) if name not in kept), len(period.names))
    if first == len(period.names):
        return found
    rest = Months(period.first_days[first:], period.bounds[first:])
    counted = count_measures(uow, rest, department_id, of_reader=not sees_all)
    return found + [replace(one, month=one.month + first) for one in counted if rest.names[one.month] not in kept]


def count_measures(uow: UnitOfWork, period: Months, department_id: str = "", *, of_reader: bool) -> list[Count]:
    """Count each measure by month and department, in one statement; ``of_reader``: of what the actor may see."""
    late = func.coalesce(HandOver.returned_at, HandOver.lost_at, HandOver.ended_at, uow.now) > HandOver.due_at
    heard = select(Hearing.matter_id).where(Hearing.person_id == uow.actor.id)
    loans = select(HandOver).join(Application, Application.id == HandOver.application_id)
    violated = (
        select(Violation)
        .join(Application, Application.id == Violation.application_id)
        .where(or_(Violation.closed_as.is_(None), Violation.closed_as != CLEARED))
    )
    if of_reader:
        violated = violated.where(or_(Violation.matter_id.is_(None), Violation.matter_id.not_in(heard)))
    submitted = select(Application).where(Application.submitted_at.is_not(None))
    moments: Mapping[str, tuple[Select[*tuple[Any, ...]], ColumnElement[Any]]] = {
        # the moment by which applications are listed is that of their submission, and an index has it
        "applications": (submitted, Application.listed_at.expression),
        "refused": (select(Application).where(Application.closed_as == "rejected"), Application.closed_at.expression),
        "overdue": (loans.where(late, HandOver.accepted_at.is_not(None)), HandOver.due_at.expression),
        "lost": (loans, HandOver.lost_at.expression),
        "violations": (violated, Violation.opened_at.expression),
    }
    parts = []
    for measure, (query, moment) in moments.items():
        # PostgreSQL does not know that two expressions with bound values are the same, so it groups by columns
        kind = Violation.kind.expression if measure == "violations" else literal("", Text)
        rows = (
            query.where(
                period.holds(moment),
                moment <= uow.now,
                *([visibility.is_of_visible(uow, Application.id.expression)] if of_reader else []),
                *([Application.department_id == department_id] if department_id else []),
            )
            .with_only_columns(
                period.of(moment).label("month"), Application.department_id.label("department"), kind.label("kind")
            )
            .subquery()
        )
        groups = rows.c.month, rows.c.department, rows.c.kind
        parts.append(select(literal(measure, Text).label("measure"), *groups, func.count()).group_by(*groups))
    return [
        Count(int(month), measure, department, kind, int(number))
        for measure, month, department, kind, number in uow.session.execute(union_all(*parts))
    ]


def _departments(uow: UnitOfWork, counted: Mapping[str, dict[str, list[int]]]) -> list[DepartmentCounts]:
    """Return the departments by what they asked for, the most first."""
    named = {row.id: row for row in uow.session.scalars(select(Department).where(Department.id.in_(counted)))}
    found = [
        DepartmentCounts(
            id=key,
            name_zh=named[key].name_zh,
            name_en=named[key].name_en,
            months=counts,
            **{measure: sum(numbers) for measure, numbers in counts.items()},
        )
        for key, counts in counted.items()
    ]
    return sorted(found, key=lambda one: (-one.applications, one.name_zh))


def _stages(uow: UnitOfWork, period: Months, department_id: str, *, sees_all: bool) -> list[StageMonths]:
    """Return how long the stages of cases that have ended took on average, by the month in which each began."""
    since = StageVisit.since.expression
    query = select(StageVisit.stage, period.of(since).label("month"), StageVisit.seconds).where(period.holds(since))
    if sees_all:
        query = query.where(IS_TO_TOTAL)
    else:
        query = query.where(visibility.is_of_visible(uow, StageVisit.application_id.expression))
    if department_id:
        of_department = select(Application.id).where(Application.department_id == department_id)
        query = query.where(StageVisit.application_id.in_(of_department))
    rows = query.subquery()
    counted = select(
        *(rows.c.stage, rows.c.month, func.count(), func.sum(rows.c.seconds), func.max(rows.c.seconds))
    ).group_by(rows.c.stage, rows.c.month)
    summed: dict[tuple[str, int], tuple[int, float, float]] = {}
    for stage, place, *figures in (
        *uow.session.execute(counted),
        *(month_totals.read_stages(uow, period.names, department_id) if sees_all else ()),
    ):
        number, seconds, longest = summed.get((stage, place), (0, 0.0, 0.0))
        summed[stage, place] = number + int(figures[0]), seconds + figures[1], max(longest, figures[2])
    found: dict[str, list[tuple[int, int, float, float]]] = {}
    for (stage, place), one in sorted(summed.items()):
        found.setdefault(stage, []).append((place, *one))
    return [_stage(stage, of_months, len(period.first_days)) for stage, of_months in sorted(found.items())]


def _stage(stage: str, rows: Sequence[tuple[int, int, float, float]], months: int) -> StageMonths:
    means: list[float | None] = [None] * months
    for place, number, seconds, _ in rows:
        means[place] = seconds / number
    ended = sum(number for _, number, _, _ in rows)
    return StageMonths(
        stage=stage,
        ended=ended,
        mean=sum(seconds for _, _, seconds, _ in rows) / ended,
        longest=max(longest for _, _, _, longest in rows),
        means=means,
    )

"""Totals of the statistics that are kept: months that are over, counted once, and the stages of ended cases (R62, R63).

A month is counted as soon as it is over, and stays so: a violation that is found unfounded later, or a due date that is
moved, is a matter of the month in which that happens. Stages are added to the month in which each began, once the case
has ended.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError

from services.database.tables.applications import Application
from services.database.tables.stage_visits import IS_TO_TOTAL, StageVisit
from services.database.tables.statistics import CountedMonth, MonthCount, StageTotal
from services.database.unit_of_work import UnitOfWork

CASES_AT_ONCE = 500


def read(uow: UnitOfWork, names: Sequence[str]) -> dict[str, list[MonthCount]]:
    """Return what is kept of these months, by their name; a month that is not counted is left out; one statement."""
    query = (
        select(CountedMonth.month, MonthCount)
        .outerjoin(MonthCount, MonthCount.month == CountedMonth.month)
        .where(CountedMonth.month.in_(names))
    )
    found: dict[str, list[MonthCount]] = {}
    for name, row in uow.session.execute(query):
        rows = found.setdefault(name, [])
        if row is not None:
            rows.append(row)
    return found


def read_stages(uow: UnitOfWork, names: Sequence[str], department_id: str) -> list[tuple[str, int, int, float, float]]:
    """Return stage, number of the month, visits, seconds and the longest; one statement."""
    query = select(
        *(StageTotal.stage, StageTotal.month, func.sum(StageTotal.ended)),
        *(func.sum(StageTotal.seconds), func.max(StageTotal.longest)),
    ).where(StageTotal.month.in_(names))
    if department_id:
        query = query.where(StageTotal.department_id == department_id)
    places = {name: place for place, name in enumerate(names)}
    return [
        (stage, places[month], int(ended), seconds, longest)
        for stage, month, ended, seconds, longest in uow.session.execute(
            query.group_by(StageTotal.stage, StageTotal.month)
        )
    ]


def keep(uow: UnitOfWork, names: Sequence[str], counted: Iterable[Mapping[str, Any]]) -> None:
    """Keep what was counted of months that are over; one that another process has kept meanwhile stays as it is."""
    try:
        with uow.savepoint():
            uow.session.add_all(CountedMonth(month=name, counted_at=uow.now) for name in names)
            uow.session.flush()
            uow.session.add_all(MonthCount(**row) for row in counted)
    except IntegrityError:
        return


def add_up_stages(uow: UnitOfWork) -> bool:
    """Add the visits of ``CASES_AT_ONCE`` cases to the totals; return whether more are left."""
    query = select(StageVisit.application_id).where(IS_TO_TOTAL).distinct()
    ids = uow.session.scalars(query.order_by(StageVisit.application_id).limit(CASES_AT_ONCE)).all()
    # the cases are locked, so two processes never add the same visits
    owned = select(Application.id, Application.department_id).where(Application.id.in_(ids))
    departments = {row.id: row.department_id for row in uow.session.execute(owned.with_for_update(skip_locked=True))}
    if not departments:
        return False
    visits = select(StageVisit.application_id, StageVisit.stage, StageVisit.since, StageVisit.seconds)
    here = StageVisit.application_id.in_(list(departments)), IS_TO_TOTAL
    zone, totals = ZoneInfo(uow.rules.zone), dict[tuple[str, str, str], list[float]]()
    for row in uow.session.execute(visits.where(*here)):
        key = f"{row.since.astimezone(zone):%Y-%m}", row.stage, departments[row.application_id]
        totals.setdefault(key, []).append(row.seconds)
    _add(uow, totals)
    done = update(StageVisit).where(*here).values(totalled=True)
    uow.session.execute(done.execution_options(synchronize_session=False))
    return len(ids) == CASES_AT_ONCE


def _add(uow: UnitOfWork, totals: Mapping[tuple[str, str, str], Sequence[float]]) -> None:
    if not totals:
        return
    dialect = sqlite if uow.session.get_bind().dialect.name == "sqlite" else postgresql
    insert = dialect.insert(StageTotal)
    new, old = insert.excluded, StageTotal
    greatest = func.max if dialect is sqlite else func.greatest
    statement = insert.on_conflict_do_update(
        index_elements=["month", "stage", "department_id"],
        set_={
            "ended": old.ended + new.ended,
            "seconds": old.seconds + new.seconds,
            "longest": greatest(old.longest, new.longest),
        },
    )
    rows = [
        {
            **{"month": month, "stage": stage, "department_id": department},
            **{"ended": len(lengths), "seconds": sum(lengths), "longest": max(lengths)},
        }
        for (month, stage, department), lengths in sorted(totals.items())
    ]
    uow.session.execute(statement, rows)

"""《视频录像安全与使用报告》: what was asked, lent, lost, verified and put right in a period, for the management (R1).

The system makes one for each month, for each period of supervision, which is a month or a quarter as the organisation's
rules say, and for each year, once it is over; after an outage those that lack. Others are made when a supervisor or who
leads Security asks for one. A report is made once and never changed: it says when it was made. What the statistics show
of the same months it takes from the same totals, with those of the months before as a trend.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeAlias

from sqlalchemy import select

from services.database.leases import Lease, Leased
from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import supervision as access_supervision
from services.domain.documents import service as document_service
from services.domain.notifications import service as notification_service
from services.domain.supervision import (
    month_keeping,
    month_totals,
    periods,
    readers,
    statistics,
    use_figures,
    use_report_sheet,
)
from services.domain.supervision.periods import Period
from services.domain.supervision.use_figures import Totals
from services.runtime.errors import Refused
from services.runtime.periodic import Periodic

KIND = "use-report"
NOTICE = "use-report-made"
ACTOR = Actor("system", "use-reports")
EVERY = timedelta(minutes=10)
BACK = timedelta(days=366)  # how far back reports are made that lack
TREND_MONTHS = 12
INSTANT = timedelta(microseconds=1)
Counted: TypeAlias = dict[str, Any]  # figures and trend of a report


async def make_apart(database: Database, actor: Actor, name: str) -> str:
    """Make a report as ``make`` does, and return its number; nobody who writes waits while the figures are counted."""
    period = await database.read(actor, _require_period, name)
    counted = await _count_apart(database, actor, period)
    return await database.run(actor, lambda uow: make(uow, name, counted).number)


def make(uow: UnitOfWork, name: str, counted: Counted | None = None) -> Document:
    """Make the report on a month, quarter or year that is over, as a supervisor or who leads Security.

    ``counted``: what ``count`` has found of it, where it was asked before. Refused for others, for a period that is not
    over or without anything to report on, and where there is one.
    """
    return _write(uow, _require_period(uow, name), counted)


def _require_period(uow: UnitOfWork, name: str) -> Period:
    readers.require_reader(uow)
    period = periods.parse_reported(name, uow.rules.zone)
    if period.end > uow.now:
        raise Refused(
            "period-not-over",
            "This period is not over yet: choose one that has ended.",
            status=422,
            field="period",
        )
    if not _was_used(uow, period):
        raise Refused(
            "period-empty",
            "Nothing had been applied for before the end of this period: choose a later one.",
            status=422,
            field="period",
        )
    _refuse_second(uow, period)
    return period


def make_due(uow: UnitOfWork, counted: Mapping[str, Counted] | None = None) -> list[str]:
    """Make the reports that are missing, as the system, and return their numbers.

    ``counted``: what ``count`` has found, by the name of the period; those alone are made.
    """
    due = [period for period in list_due(uow) if counted is None or period.name in counted]
    return [_write(uow, period, (counted or {}).get(period.name)).number for period in due]


def list_due(uow: UnitOfWork) -> list[Period]:
    """List the months, periods of supervision and years of which there is no report, the first ended first.

    It is the last of each, and of those that ended within ``BACK`` what lacks since the first report of that length: an
    installation that has made none yet is not asked about the past.
    """
    zone, first = uow.rules.zone, _first_use(uow)
    reported = set(uow.session.scalars(select(Document.subject_id).where(Document.kind == KIND)))
    lasts = [
        periods.last_complete(uow.now, length, zone)
        for length in dict.fromkeys((periods.MONTH, uow.rules.inspection_period))
    ]
    due = []
    for last in (*lasts, periods.last_year(uow.now, zone)):
        beginnings = [
            period.start
            for period in (periods.parse_reported(name, zone) for name in reported if name is not None)
            if periods.length_of(period) == periods.length_of(last)
        ]
        since = min(beginnings, default=last.start)
        period = last
        while period == last or (period.start >= since and period.end > uow.now - BACK):
            if period.name not in reported and first is not None and first < period.end:
                due.append(period)
            period = periods.before(period, zone)
    return sorted(due, key=lambda period: period.end)


def use_reports(database: Database) -> Periodic:
    """Return the task that makes them; one process at a time."""
    return Leased(Lease.between_runs(database, "use-reports", EVERY), EVERY, partial(make_missing, database))


async def make_missing(database: Database) -> None:
    """Make the reports that are missing one after another: what is made stays, if the next one fails."""
    for period in await database.read(ACTOR, list_due):
        await database.run(ACTOR, make_due, {period.name: await _count_apart(database, ACTOR, period)})


async def _count_apart(database: Database, actor: Actor, period: Period) -> Counted:
    """Keep the months that the report shows, and then count it, by reading alone."""
    await month_keeping.keep_apart(database, actor, lambda uow: _months_of(uow, period))
    return await database.read(actor, count, period)


def _was_used(uow: UnitOfWork, period: Period) -> bool:
    first = _first_use(uow)
    return first is not None and first < period.end


def _first_use(uow: UnitOfWork) -> datetime | None:
    """Return when the first application was submitted; None where there is none."""
    query = select(Application.listed_at).where(
        Application.listed_at.is_not(None), Application.submitted_at.is_not(None)
    )
    return uow.session.scalar(query.order_by(Application.listed_at).limit(1))


def _refuse_second(uow: UnitOfWork, period: Period) -> None:
    known = document_service.of_subject(uow, KIND, period.name)
    if known is not None:
        raise Refused(
            "reported",
            "There is a report on this period already: read {number}.",
            field="period",
            number=known.number,
        )


def _write(uow: UnitOfWork, period: Period, counted: Counted | None = None) -> Document:
    number = document_service.next_number(uow, KIND)
    _refuse_second(uow, period)  # the series is locked now: of two at the same time one ends here
    if counted is None:
        _keep_months(uow, period)
        counted = count(uow, period)
    document = document_service.write(
        uow,
        KIND,
        number,
        _content(uow, number, period, counted),
        application_id=None,
        subject_id=period.name,
        named={"period": period.name},
    )
    for person_id in access_supervision.appointers(access_queries.load_directory(uow)):
        notification_service.notify(uow, person_id, NOTICE, application_id=None, subject_id=number)
    return document


def _content(uow: UnitOfWork, number: str, period: Period, counted: Counted) -> dict[str, Any]:
    before = periods.before(period, uow.rules.zone)
    by = None
    if uow.actor.kind == "person":
        by = {"id": uow.actor.id, "name": access_queries.get_names(uow, [uow.actor.id])[uow.actor.id]}
    return {
        "title": use_report_sheet.TITLE,
        "number": number,
        "organisation": uow.rules.organisation,
        "policyVersion": uow.rules.policy_version,
        "zone": uow.rules.zone,
        "period": _period(period),
        "before": _period(before),
        "madeAt": uow.now.isoformat(),
        "by": by,
        **counted,
    }


def count(uow: UnitOfWork, period: Period) -> Counted:
    """Count what the report shows; it only reads. The months of its trend are kept already."""
    shown = _months_of(uow, period)
    totals = Totals(shown.names, month_totals.read(uow, shown.names), periods.length_in_months(period))
    figures = use_figures.count(uow, period, periods.before(period, uow.rules.zone), totals)
    return {**figures, "trend": totals.trend(TREND_MONTHS)}


def _keep_months(uow: UnitOfWork, period: Period) -> None:
    """Keep what the statistics say of the months that the report shows, if it is not kept yet."""
    month_keeping.keep_over(uow, _months_of(uow, period))


def _months_of(uow: UnitOfWork, period: Period) -> statistics.Months:
    months = max(TREND_MONTHS, 2 * periods.length_in_months(period))
    return statistics.months_before(period.end - INSTANT, uow.rules.zone, months)


def _period(period: Period) -> dict[str, str]:
    return {
        "name": period.name,
        "length": periods.length_of(period),
        "start": period.start.isoformat(),
        "end": period.end.isoformat(),
    }

"""A month or a week of due dates, day by day, in the organisation's zone and with its working calendar."""

from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from services.database.unit_of_work import UnitOfWork
from services.domain.cases import due_dates
from services.domain.cases.due_dates import Period
from services.domain.cases.schemas.lists import DueDate
from services.domain.working_calendar import queries as calendar_queries
from services.runtime.calendar_days import CalendarDay

View = Literal["month", "week"]
DAY, WEEK = timedelta(days=1), 7
EARLIEST, LATEST = date(1971, 1, 1), date(2198, 12, 31)


@dataclass(frozen=True)
class Day:
    """One day; ``named`` is what the organisation's calendar says of it, ``inside`` that it is of the month shown."""

    day: date
    works: bool
    named: CalendarDay | None
    inside: bool
    today: bool
    due: list[DueDate] = field(default_factory=list)


@dataclass(frozen=True)
class DueCalendar:
    """The days of a month in whole weeks, or of a week, with what is due; ``overdue`` was due before the first.

    ``cut`` and ``overdue_cut``: more is due, or was, than is shown.
    """

    view: View
    day: date
    first: date
    days: list[Day]
    overdue: list[DueDate]
    previous: date
    next: date
    watches: bool
    watched: bool
    cut: bool
    overdue_cut: bool

    @property
    def last(self) -> date:
        return self.days[-1].day

    @property
    def number(self) -> int:
        return sum(len(day.due) for day in self.days)


def read_calendar(uow: UnitOfWork, *, view: View, day: date | None, watched: bool) -> DueCalendar:
    """Read the month or week that holds the day, today for None, with what is due in it."""
    zone = ZoneInfo(uow.rules.zone)
    today = uow.now.astimezone(zone).date()
    chosen = min(max(day or today, EARLIEST), LATEST)
    first, last, previous, following = _bounds(view, chosen)
    begin, end = (datetime.combine(bound, time(), zone) for bound in (first, last + DAY))
    watches = due_dates.may_watch(uow)
    # what lies before the first day is shown with the present alone: a month to come has nothing to do with it
    found = due_dates.list_due(uow, Period(begin, end, before=begin <= uow.now), watched=watched)
    working = calendar_queries.load(uow)
    days = {
        one: Day(
            day=one,
            works=working.works_on(one),
            named=working.days.get(one),
            inside=view == "week" or one.month == chosen.month,
            today=one == today,
        )
        for one in (first + DAY * number for number in range((last - first).days + 1))
    }
    for each in found.due:
        days[each.at.astimezone(zone).date()].due.append(each)
    return DueCalendar(
        view=view,
        day=chosen,
        first=first,
        days=list(days.values()),
        overdue=found.before,
        previous=previous,
        next=following,
        watches=watches,
        watched=watched,
        cut=found.cut,
        overdue_cut=found.before_cut,
    )


def _bounds(view: View, day: date) -> tuple[date, date, date, date]:
    """Return the first and last day that are shown, and a day of the period before and of the one after."""
    if view == "week":
        first = _monday(day)
        return first, first + DAY * (WEEK - 1), first - DAY * WEEK, first + DAY * WEEK
    beginning = day.replace(day=1)
    following = (beginning + 31 * DAY).replace(day=1)
    last = following - DAY
    return _monday(beginning), _monday(last) + DAY * (WEEK - 1), (beginning - DAY).replace(day=1), following


def _monday(day: date) -> date:
    return day - DAY * day.weekday()

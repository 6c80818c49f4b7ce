"""Computing with working time: every moment lies in working hours, and limits add up over nights and holidays."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import amount
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.domain.working_calendar import tables
from services.domain.working_calendar.working_time import WorkingCalendar
from services.runtime import working_hours
from services.runtime.calendar_days import CalendarDay, runs_of

SHANGHAI = ZoneInfo("Asia/Shanghai")
ZONES = ("Asia/Shanghai", "Europe/Berlin", "America/St_Johns", "UTC")
BEGINNING = date(2026, 1, 1)
LENGTH = 120  # days whose kind is drawn; what follows is Monday to Friday
SECOND = timedelta(seconds=1)

examples = settings(max_examples=amount.examples(sample=60, full=1500), deadline=None)


@st.composite
def hours(draw: st.DrawFn) -> tuple[tuple[int, int], ...]:
    count = draw(st.integers(1, 3))
    ends = sorted(draw(st.sets(st.integers(0, 1440), min_size=2 * count, max_size=2 * count)))
    return tuple((ends[place], ends[place + 1]) for place in range(0, 2 * count, 2))


@st.composite
def calendars(draw: st.DrawFn) -> WorkingCalendar:
    offsets = draw(st.dictionaries(st.integers(0, LENGTH), st.sampled_from(["off", "working"]), max_size=40))
    days = {
        BEGINNING + timedelta(days=number): CalendarDay(BEGINNING + timedelta(days=number), kind, "某日", "a day")
        for number, kind in offsets.items()
    }
    return WorkingCalendar(ZoneInfo(draw(st.sampled_from(ZONES))), draw(hours()), days, frozenset({2026}))


hours_passed = st.integers(0, 125 * 24 * 60).map(lambda minutes: timedelta(minutes=minutes))
moments = hours_passed.map(lambda passed: datetime(2025, 12, 28, tzinfo=UTC) + passed)
working_times = st.timedeltas(SECOND, timedelta(hours=60))
limits = st.timedeltas(timedelta(minutes=1), timedelta(days=12))


@examples
@given(calendars(), moments, working_times)
def test_the_moment_lies_in_working_time_and_the_span_to_it_is_the_sum_of_the_hours(
    calendar: WorkingCalendar, start: datetime, working: timedelta
) -> None:
    moment = calendar.add(start, working)

    assert calendar.between(start, moment) == working
    assert calendar.between(moment - timedelta(microseconds=1), moment) == timedelta(microseconds=1)
    local = moment.astimezone(calendar.zone)
    minutes = local.hour * 60 + local.minute
    midnight = (local - timedelta(microseconds=1)).date() != local.date()
    day = local.date() - timedelta(days=1) if midnight and not calendar.works_on(local.date()) else local.date()
    assert calendar.works_on(day) or (midnight and calendar.works_on(local.date() - timedelta(days=1)))
    assert midnight or any(opens <= minutes <= closes for opens, closes in calendar.hours)


@examples
@given(calendars(), moments, working_times, working_times)
def test_two_limits_one_after_the_other_are_their_sum(
    calendar: WorkingCalendar, start: datetime, first: timedelta, second: timedelta
) -> None:
    assert calendar.add(calendar.add(start, first), second) == calendar.add(start, first + second)


@examples
@given(calendars(), moments, limits, limits)
def test_a_longer_limit_never_ends_sooner(
    calendar: WorkingCalendar, start: datetime, one: timedelta, other: timedelta
) -> None:
    shorter, longer = sorted((one, other))

    assert calendar.working_limit(shorter) <= calendar.working_limit(longer)
    assert calendar.add(start, calendar.working_limit(shorter)) <= calendar.add(start, calendar.working_limit(longer))


@examples
@given(calendars(), moments, moments, working_times)
def test_what_opens_later_never_ends_sooner(
    calendar: WorkingCalendar, one: datetime, other: datetime, working: timedelta
) -> None:
    assume(one != other)
    earlier, later = sorted((one, other))

    assert start_of(calendar, earlier) <= start_of(calendar, later)
    assert calendar.add(earlier, working) <= calendar.add(later, working)


def start_of(calendar: WorkingCalendar, moment: datetime) -> datetime:
    return calendar.add(moment, timedelta(microseconds=1))


@examples
@given(calendars(), st.integers(0, 60), st.integers(1, 60))
def test_a_span_of_whole_days_is_the_hours_of_its_working_days(
    calendar: WorkingCalendar, first: int, length: int
) -> None:
    assume(calendar.zone.key in ("Asia/Shanghai", "UTC"))  # whose days all have 24 hours
    days = [BEGINNING + timedelta(days=first + number) for number in range(length)]
    start = datetime.combine(days[0], datetime.min.time(), calendar.zone)
    end = datetime.combine(days[-1] + timedelta(days=1), datetime.min.time(), calendar.zone)

    assert calendar.between(start, end) == calendar.day_length * sum(map(calendar.works_on, days))


@pytest.fixture
def china() -> Callable[[str], datetime]:
    """A moment by the clock in China."""
    return lambda text: datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def of_2026(hours_text: str = working_hours.DEFAULT) -> WorkingCalendar:
    table, wrong = tables.read(tables.read_shipped("2026"))
    assert table is not None, wrong
    return WorkingCalendar(
        SHANGHAI, working_hours.parse(hours_text), {day.date: day for day in table.days}, frozenset({2026})
    )


@pytest.mark.parametrize(
    ("start", "limit", "end"),
    [
        ("2026-09-30T16:00", "1 day", "2026-10-08T16:00"),  # over the seven days of October
        ("2026-10-09T16:00", "1 day", "2026-10-10T16:00"),  # a Saturday on which people work in exchange
        ("2026-10-10T16:00", "1 day", "2026-10-12T16:00"),  # and the Sunday after it, on which they do not
        ("2026-02-14T10:00", "2 days", "2026-02-25T10:00"),  # Saturday before the Spring Festival
        ("2026-10-03T11:30", "1 day", "2026-10-08T18:00"),  # opened on a holiday: it begins with the next working day
        ("2026-11-27T20:00", "1 day", "2026-11-30T18:00"),  # opened on a Friday evening
        ("2026-11-27T11:00", "2 hours", "2026-11-27T14:00"),  # over the hour at noon
        ("2026-11-27T17:00", "2 hours", "2026-11-30T10:00"),
        ("2026-11-27T10:00", "12 hours", "2026-11-30T10:00"),  # hours are at most one working day
    ],
)
def test_limits_in_china(china: Callable[[str], datetime], start: str, limit: str, end: str) -> None:
    number, unit = limit.split()
    asked = int(number) * (timedelta(days=1) if unit.startswith("day") else timedelta(hours=1))
    calendar = of_2026()

    assert calendar.add(china(start), calendar.working_limit(asked)) == china(end)


def test_working_hours_round_the_clock_keep_weekends_and_holidays_off(china: Callable[[str], datetime]) -> None:
    calendar = of_2026("00:00-24:00")

    assert calendar.add(china("2026-09-30T16:00"), timedelta(hours=24)) == china("2026-10-08T16:00")


@pytest.mark.parametrize("year", tables.list_shipped())
def test_a_shipped_year_is_a_table_of_that_year(year: int) -> None:
    table, wrong = tables.read(tables.read_shipped(str(year)))

    assert table is not None, wrong
    assert table.year == year
    assert tables.read(tables.write(table.days).encode()) == (table, [])
    assert all(day.date.weekday() >= 5 for day in table.days if day.kind == "working")
    assert len(runs_of(table.days)) < len(table.days)

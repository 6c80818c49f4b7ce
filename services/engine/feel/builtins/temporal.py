"""Calendar and clock functions."""

from datetime import date as python_date
from decimal import Decimal

from services.engine.feel.builtins.registry import builtin
from services.engine.feel.scope import Now
from services.engine.feel.temporal import (
    Date,
    DateTime,
    DayTime,
    YearMonths,
    date_time_from_python,
    day_number,
    day_of,
    month_length,
)
from services.engine.feel.temporal_text import format_for_json
from services.engine.feel.values import Value

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip


@builtin("now", reads_clock=True)
def now(clock: Now) -> Value:
    return date_time_from_python(clock())


@builtin("today", reads_clock=True)
def today(clock: Now) -> Value:
    return date_time_from_python(clock()).date


@builtin("day of year", "date: date")
def day_of_year(value: Date | DateTime) -> Value:
    date = day_of(value)
    return Decimal(date.number - day_number(date.year, 1, 1) + 1)


@builtin("day of week", "date: date")
def day_of_week(value: Date | DateTime) -> Value:
    return _DAYS[day_of(value).weekday - 1]


@builtin("month of year", "date: date")
def month_of_year(value: Date | DateTime) -> Value:
    return _MONTHS[day_of(value).month - 1]


@builtin("week of year", "date: date")
def week_of_year(value: Date | DateTime) -> Value:
    """Return the ISO week; the calendar repeats every 400 years."""
    date = day_of(value)
    return Decimal(python_date(2000 + date.year % 400, date.month, date.day).isocalendar().week)


@builtin("last day of month", "date: date")
def last_day_of_month(value: Date | DateTime) -> Value:
    date = day_of(value)
    return Date(date.year, date.month, month_length(date.year, date.month))


@builtin("cycle", "interval: duration")
@builtin("cycle", "repetitions: duration")
def cycle(interval: YearMonths | DayTime) -> Value:
    """Return the text of an endless cycle timer, Zeebe's addition to FEEL."""
    return "R/" + format_for_json(interval)


@builtin("cycle", "repetitions: number?", "interval: duration")
def bounded_cycle(repetitions: Decimal | None, interval: YearMonths | DayTime) -> Value:
    count = "" if repetitions is None else int(repetitions)
    return f"R{count}/{format_for_json(interval)}"

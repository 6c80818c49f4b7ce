"""Read properties: context entries and parts of calendar values."""

from collections.abc import Callable
from decimal import Decimal

from services.engine.feel.temporal import NANOS, Date, DateTime, DayTime, Time, YearMonths
from services.engine.feel.values import Function, Value

# property names with blanks, which the grammar must know
SPACED_PROPERTIES = ("time offset",)


def property_of(value: Value, key: str) -> Value:  # noqa: PLR0911 - one for each type
    """Return a property, or null; a list returns its items' properties."""
    if isinstance(value, dict):
        entry = value.get(key)
        return None if isinstance(entry, Function) else entry  # a context's function can be called and nothing else
    if isinstance(value, list):
        return [property_of(item, key) for item in value]
    if isinstance(value, Date):
        return _date(value, key)
    if isinstance(value, Time):
        return _clock(value, key)
    if isinstance(value, DateTime):
        return _date(value.date, key) if key in _DATE else _clock(value, key)
    if isinstance(value, YearMonths | DayTime):
        return _duration(value, key)
    return None


_DATE: dict[str, Callable[[Date], int]] = {
    "year": lambda date: date.year,
    "month": lambda date: date.month,
    "day": lambda date: date.day,
    "weekday": lambda date: date.weekday,
}
_DAY_TIME_PARTS = ("days", "hours", "minutes", "seconds")


def _date(date: Date, key: str) -> Value:
    return Decimal(_DATE[key](date)) if key in _DATE else None


def _clock(value: Time | DateTime, key: str) -> Value:
    seconds = value.nanos // NANOS
    parts = {"hour": seconds // 3600, "minute": seconds // 60 % 60, "second": seconds % 60}
    if key in parts:
        return Decimal(parts[key])
    if value.zone is None:
        return None
    if key == "time offset":
        return DayTime(value.offset * NANOS)
    return value.zone.region if key == "timezone" else None


def _duration(value: YearMonths | DayTime, key: str) -> Value:
    if isinstance(value, YearMonths):
        parts = {"years": value.years_part, "months": value.months_part}
        return Decimal(parts[key]) if key in parts else None
    if key not in _DAY_TIME_PARTS:
        return None
    return Decimal(value.in_whole_seconds().parts()[_DAY_TIME_PARTS.index(key)])

"""Conversion functions."""

import re
from decimal import Decimal

from services.engine.feel.builtins.registry import Unsuitable, builtin
from services.engine.feel.convert import text_of
from services.engine.feel.temporal import (
    MAX_OFFSET,
    NANOS,
    Date,
    DateTime,
    DayTime,
    Time,
    YearMonths,
    Zone,
    date_time_at,
    day_of,
    zoned_date_time,
)
from services.engine.feel.temporal_text import parse_date, parse_date_time, parse_duration, parse_time, parse_zone
from services.engine.feel.values import Value

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@builtin("date", "from: any")
def date(source: Value) -> Value:
    if isinstance(source, str):
        return parse_date(source)
    if isinstance(source, DateTime):
        return source.date
    return source if isinstance(source, Date) else None


@builtin("date", "year: number", "month: number", "day: number")
def date_of(year: Decimal, month: Decimal, day: Decimal) -> Value:
    try:
        return Date(int(year), int(month), int(day))
    except ValueError as error:
        raise Unsuitable from error


@builtin("time", "from: any")
def time(source: Value) -> Value:
    if isinstance(source, str):
        return parse_time(source)
    if isinstance(source, DateTime):
        return Time(source.nanos, source.zone)
    return Time(0, Zone(offset=0)) if isinstance(source, Date) else None


@builtin("time", "hour: number", "minute: number", "second: number")
def time_of(hour: Decimal, minute: Decimal, second: Decimal) -> Value:
    return Time(_nanos(hour, minute, second))


def _nanos(hour: Decimal, minute: Decimal, second: Decimal) -> int:
    if not (0 <= int(hour) < 24 and 0 <= int(minute) < 60 and 0 <= second < 60):
        raise Unsuitable
    return (int(hour) * 3600 + int(minute) * 60) * NANOS + int(second * NANOS)


@builtin("time", "hour: number", "minute: number", "second: number", "offset: any")
def time_with_offset(hour: Decimal, minute: Decimal, second: Decimal, offset: Value) -> Value:
    """Return a time; as in Camunda one without an offset loses its fraction of a second here."""
    if offset is None:
        return Time(_nanos(hour, minute, Decimal(int(second))))
    if not isinstance(offset, DayTime) or abs(offset.nanos // NANOS) > MAX_OFFSET:
        return None
    return Time(_nanos(hour, minute, second), Zone(offset=offset.nanos // NANOS))


@builtin("date and time", "from: string")
def date_and_time(source: str) -> Value:
    return parse_date_time(source)


@builtin("date and time", "date: date", "time: any")
def date_and_time_of(day: Date | DateTime, other: Value) -> Value:
    """Combine a date with a time, or convert a date and time to a zone; raises ValueError for an unknown zone."""
    if isinstance(other, Time):
        return zoned_date_time(day_of(day), other.nanos, other.zone)
    if not isinstance(other, str) or not isinstance(day, DateTime):
        return None
    zone = parse_zone(other)
    if zone is None:
        raise ValueError(f"there is no time zone '{other}'")
    return zoned_date_time(day.date, day.nanos, zone) if day.zone is None else date_time_at(day.instant_nanos, zone)


@builtin("duration", "from: string")
def duration(source: str) -> Value:
    return parse_duration(source)


@builtin("years and months duration", "from: date", "to: date")
def years_and_months_duration(start: Date | DateTime, end: Date | DateTime) -> Value:
    """Return the whole months between two days."""
    first, last = day_of(start), day_of(end)
    months = (last.year - first.year) * 12 + last.month - first.month
    if months > 0 and last.day < first.day:
        months -= 1
    elif months < 0 and last.day > first.day:
        months += 1
    return YearMonths(months)


@builtin("number", "from: string")
def number(source: str) -> Value:
    return Decimal(source) if _NUMBER.fullmatch(source) else None


@builtin("number", "from: string", "grouping separator: string")
def number_with_grouping(source: str, grouping: str) -> Value:
    return number(source.replace(grouping, "")) if grouping in (" ", ",", ".") else None


@builtin("number", "from: string", "grouping separator: string?", "decimal separator: string?")
def number_with_separators(source: str, grouping: str | None, decimal: str | None) -> Value:
    if grouping not in (None, " ", ",", ".") or decimal not in (None, ",", ".") or grouping == decimal:
        return None
    text = source.replace(grouping, "") if grouping else source
    return number(text.replace(decimal, ".") if decimal else text)


@builtin("string", "from: any")
def string(source: Value) -> Value:
    return source if source is None or isinstance(source, str) else text_of(source)

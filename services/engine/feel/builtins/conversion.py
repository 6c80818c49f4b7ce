"""Conversion functions."""

import json
import re
from decimal import Decimal

from services.engine.feel.builtins.registry import builtin
from services.engine.feel.convert import from_json as value_from_json
from services.engine.feel.convert import text_of
from services.engine.feel.convert import to_json as value_to_json
from services.engine.feel.temporal import NANOS, Date, DateTime, DayTime, Time, YearMonths, Zone, date_time_at
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
    return Date(int(year), int(month), int(day))


@builtin("time", "from: any")
def time(source: Value) -> Value:
    if isinstance(source, str):
        return parse_time(source)
    if isinstance(source, DateTime):
        return Time(source.nanos, source.zone)
    if isinstance(source, Date):
        return Time(0, Zone(offset=0))
    return source if isinstance(source, Time) else None


@builtin("time", "hour: number", "minute: number", "second: number", "offset: any?")
def time_of(hour: Decimal, minute: Decimal, second: Decimal, offset: Value = None) -> Value:
    if not (0 <= hour < 24 and 0 <= minute < 60 and 0 <= second < 60):
        return None
    nanos = (int(hour) * 3600 + int(minute) * 60) * NANOS + int(second * NANOS)
    if offset is None:
        return Time(nanos)
    if not isinstance(offset, DayTime) or abs(offset.nanos) > 18 * 3600 * NANOS:
        return None
    return Time(nanos, Zone(offset=offset.nanos // NANOS))


@builtin("date and time", "from: any")
def date_and_time(source: Value) -> Value:
    if isinstance(source, str):
        return parse_date_time(source)
    return source if isinstance(source, DateTime) else None


@builtin("date and time", "date: date", "timezone: string")
@builtin("date and time", "date: date", "time: any")
def date_and_time_of(day: Date | DateTime, other: Value) -> Value:
    """Combine a date with a time, or convert to a zone."""
    if isinstance(other, Time):
        return DateTime(day.date if isinstance(day, DateTime) else day, other.nanos, other.zone)
    zone = parse_zone(other) if isinstance(other, str) else None
    if zone is None or not isinstance(day, DateTime):
        return None
    if day.zone is None:
        return DateTime(day.date, day.nanos, zone)
    return date_time_at(day.instant_nanos, zone)


@builtin("duration", "from: any")
def duration(source: Value) -> Value:
    if isinstance(source, str):
        return parse_duration(source)
    return source if isinstance(source, YearMonths | DayTime) else None


@builtin("years and months duration", "from: date", "to: date")
def years_and_months_duration(start: Date | DateTime, end: Date | DateTime) -> Value:
    """Return the whole months between two days."""
    first = start.date if isinstance(start, DateTime) else start
    last = end.date if isinstance(end, DateTime) else end
    months = (last.year - first.year) * 12 + last.month - first.month
    if months > 0 and last.day < first.day:
        months -= 1
    elif months < 0 and last.day > first.day:
        months += 1
    return YearMonths(months)


@builtin("number", "from: any", "grouping separator: string?", "decimal separator: string?")
def number(source: Value, grouping: str | None = None, decimal: str | None = None) -> Value:
    if isinstance(source, Decimal):
        return source if grouping is None and decimal is None else None
    if not isinstance(source, str) or grouping not in (None, " ", ",", ".") or decimal not in (None, ",", "."):
        return None
    if grouping is not None and grouping == decimal:
        return None
    text = source.replace(grouping, "") if grouping else source
    text = text.replace(decimal, ".") if decimal else text
    return Decimal(text) if _NUMBER.fullmatch(text) else None


@builtin("string", "from: any")
def string(source: Value) -> Value:
    if source is None or isinstance(source, str):
        return source
    return text_of(source)


@builtin("from json", "value: string")
@builtin("from json", "json: string")
def from_json(text: str) -> Value:
    return value_from_json(json.loads(text, parse_float=Decimal, parse_int=Decimal))


@builtin("to json", "value: any")
def to_json(value: Value) -> Value:
    return json.dumps(value_to_json(value), ensure_ascii=False, separators=(",", ":"))

"""Compute `+ - * / **` and negation.

An impossible result is null, never an error.
"""

from collections.abc import Callable
from dataclasses import replace
from decimal import ROUND_DOWN, Decimal, DecimalException

from services.engine.feel.temporal import DAY, NANOS, Date, DateTime, DayTime, Time, YearMonths, Zone
from services.engine.feel.values import DECIMAL, Value

_UTC = Zone(offset=0)


def _or_null(operation: Callable[[Value, Value], Value]) -> Callable[[Value, Value], Value]:
    def guarded(left: Value, right: Value) -> Value:
        try:
            return operation(left, right)
        except (DecimalException, ValueError, OverflowError):
            return None  # overflow, division by zero, a day outside the calendar

    return guarded


@_or_null
def add(left: Value, right: Value) -> Value:  # noqa: PLR0911 - one for each pair of types
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return DECIMAL.add(left, right)
    if isinstance(left, str) and isinstance(right, str):
        return left + right
    if isinstance(left, YearMonths) and isinstance(right, YearMonths):
        return YearMonths(left.months + right.months)
    if isinstance(left, DayTime) and isinstance(right, DayTime):
        return DayTime(left.nanos + right.nanos)
    if isinstance(right, YearMonths | DayTime):
        return _add_duration(left, right)
    if isinstance(left, YearMonths | DayTime):
        return _add_duration(right, left)
    return None


@_or_null
def subtract(left: Value, right: Value) -> Value:
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return DECIMAL.subtract(left, right)
    if isinstance(left, YearMonths) and isinstance(right, YearMonths):
        return YearMonths(left.months - right.months)
    if isinstance(left, DayTime) and isinstance(right, DayTime):
        return DayTime(left.nanos - right.nanos)
    if isinstance(right, YearMonths):
        return _add_duration(left, YearMonths(-right.months))
    if isinstance(right, DayTime):
        return _add_duration(left, DayTime(-right.nanos))
    return _difference(left, right)


@_or_null
def multiply(left: Value, right: Value) -> Value:
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return DECIMAL.multiply(left, right)
    if isinstance(left, Decimal) and isinstance(right, YearMonths | DayTime):
        return _scale(right, left)
    if isinstance(right, Decimal) and isinstance(left, YearMonths | DayTime):
        return _scale(left, right)
    return None


@_or_null
def divide(left: Value, right: Value) -> Value:
    if isinstance(right, Decimal):
        if isinstance(left, Decimal):
            return DECIMAL.divide(left, right)
        if isinstance(left, YearMonths):
            return YearMonths(_whole(DECIMAL.divide(Decimal(left.months), right)))
        if isinstance(left, DayTime):
            return DayTime(_whole(DECIMAL.divide(Decimal(left.nanos), right)))
    if isinstance(left, YearMonths) and isinstance(right, YearMonths):
        return DECIMAL.divide(Decimal(left.months), Decimal(right.months))
    if isinstance(left, DayTime) and isinstance(right, DayTime):
        return DECIMAL.divide(Decimal(left.nanos), Decimal(right.nanos))
    return None


@_or_null
def power(left: Value, right: Value) -> Value:
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        if right == 0:
            return Decimal(1)
        result = DECIMAL.power(left, right)
        is_padded_root = right != right.to_integral_value() and result == result.to_integral_value()
        return Decimal(int(result)) if is_padded_root else result  # the root is exact, padded to 34 digits
    return None


def negate(value: Value) -> Value:
    if isinstance(value, Decimal):
        return DECIMAL.minus(value)
    if isinstance(value, YearMonths):
        return YearMonths(-value.months)
    if isinstance(value, DayTime):
        return DayTime(-value.nanos)
    return None


def _whole(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_DOWN))


def _scale(duration: YearMonths | DayTime, factor: Decimal) -> Value:
    if isinstance(duration, YearMonths):
        return YearMonths(_whole(DECIMAL.multiply(Decimal(duration.months), factor)))
    return DayTime(_whole(DECIMAL.multiply(Decimal(duration.nanos), factor)))


def _add_duration(value: Value, duration: YearMonths | DayTime) -> Value:
    if isinstance(duration, YearMonths):
        return value.plus_months(duration.months) if isinstance(value, Date | DateTime) else None
    if isinstance(value, Date):
        return value.plus_days(duration.nanos // DAY)  # from the day's midnight; the rest of a day is cut off
    if isinstance(value, Time | DateTime):
        return value.plus_nanos(duration.nanos)
    return None


def _difference(left: Value, right: Value) -> Value:
    if isinstance(left, Time) and isinstance(right, Time) and (left.zone is None) == (right.zone is None):
        return DayTime(left.nanos - right.nanos - (left.offset - right.offset) * NANOS)
    if isinstance(left, Date) and isinstance(right, Date):
        return DayTime((left.number - right.number) * DAY)
    first, second = _as_date_time(left), _as_date_time(right)
    if first is None or second is None:
        return None
    # a date beside a date and time is that day's midnight in UTC (DMN 1.3, table 53), so the other needs a zone
    if isinstance(left, Date):
        first = replace(first, zone=_UTC)
    if isinstance(right, Date):
        second = replace(second, zone=_UTC)
    if (first.zone is None) != (second.zone is None):
        return None
    return DayTime(first.instant_nanos - second.instant_nanos)


def _as_date_time(value: Value) -> DateTime | None:
    if isinstance(value, Date):
        return DateTime(value, 0)
    return value if isinstance(value, DateTime) else None

"""Compute `+ - * / **` and negation as Camunda's FEEL does.

What does not fit is null. A result beyond the calendar or beyond all numbers is a FeelEvaluationError. Durations are
multiplied by whole numbers and divided in whole milliseconds, as there.
"""

import math
from decimal import Decimal, DecimalException

from services.engine.feel.errors import FeelEvaluationError
from services.engine.feel.temporal import DAY, NANOS, Date, DateTime, DayTime, Time, YearMonths
from services.engine.feel.values import DECIMAL, Value, from_float

_MILLIS = 1_000_000  # nanoseconds
_MAX_EXPONENT = 999_999_999  # of java.math.BigDecimal.pow


def compute(operator: str, left: Value, right: Value) -> Value:
    """Apply an operator; raises FeelEvaluationError for a result that no value can hold."""
    try:
        return _positive_zero(_OPERATIONS[operator](left, right))
    except (DecimalException, ValueError, OverflowError) as error:
        raise FeelEvaluationError(f"'{operator}' has a result that is out of range.") from error


def _positive_zero(value: Value) -> Value:
    return abs(value) if isinstance(value, Decimal) and value.is_zero() else value


def _add(left: Value, right: Value) -> Value:  # noqa: PLR0911 - one for each pair of types
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


def _subtract(left: Value, right: Value) -> Value:
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


def _multiply(left: Value, right: Value) -> Value:
    if isinstance(left, Decimal) and isinstance(right, Decimal):
        return DECIMAL.multiply(left, right)
    if isinstance(left, Decimal) and isinstance(right, YearMonths | DayTime):
        left, right = right, left
    if not isinstance(right, Decimal):
        return None
    if isinstance(left, YearMonths):
        return YearMonths(left.months * whole_part(right))
    return DayTime(left.nanos * whole_part(right)) if isinstance(left, DayTime) else None


def _divide(left: Value, right: Value) -> Value:  # noqa: PLR0911 - one for each pair of types
    if isinstance(right, Decimal):
        if right.is_zero():
            return None
        if isinstance(left, Decimal):
            return DECIMAL.divide(left, right)
        if isinstance(left, YearMonths):
            return YearMonths(whole_part(DECIMAL.divide(Decimal(left.months), right)))
        if isinstance(left, DayTime):
            millis = whole_part(DECIMAL.divide(Decimal(_truncated(left.nanos, _MILLIS)), right))
            return DayTime(millis * _MILLIS)
    if isinstance(left, YearMonths) and isinstance(right, YearMonths) and right.months:
        return Decimal(_truncated(left.months, right.months))
    if isinstance(left, DayTime) and isinstance(right, DayTime) and right.nanos:
        return Decimal(_truncated(_truncated(left.nanos, _MILLIS), _truncated(right.nanos, _MILLIS)))
    return None


def _power(left: Value, right: Value) -> Value:
    if not isinstance(left, Decimal) or not isinstance(right, Decimal):
        return None
    if right != right.to_integral_value():
        return from_float(math.pow(float(left), float(right)))
    return _whole_power(left, whole_part(right))


def _whole_power(base: Decimal, exponent: int) -> Decimal:
    """Raise to a whole power by squaring, with as many digits more as ANSI X3.274 asks for."""
    if abs(exponent) > _MAX_EXPONENT:
        raise OverflowError("The exponent has more than nine digits.")
    if exponent == 0:
        return Decimal(1)
    working = DECIMAL.copy()
    working.prec = DECIMAL.prec + len(str(abs(exponent))) + 1
    result = Decimal(1)
    for bit in f"{abs(exponent):b}":
        result = working.multiply(result, result)
        if bit == "1":
            result = working.multiply(result, base)
    return DECIMAL.plus(working.divide(Decimal(1), result) if exponent < 0 else result)


_OPERATIONS = {"+": _add, "-": _subtract, "*": _multiply, "/": _divide, "**": _power}


def negate(value: Value) -> Value:
    """Return a number's opposite; null for everything else, durations too."""
    return _positive_zero(value.copy_negate()) if isinstance(value, Decimal) else None


def whole_part(number: Decimal) -> int:
    """Return a number without its fraction, in 32 bits with the sign: what Java's `intValue` returns."""
    if number.adjusted() > 400:  # far more digits than such a number keeps
        return 0
    return (int(number) + 2**31) % 2**32 - 2**31


def _truncated(dividend: int, divisor: int) -> int:
    """Divide and drop the fraction; raises ValueError for a divisor of 0."""
    if divisor == 0:
        raise ValueError("The divisor is less than a millisecond.")
    quotient = abs(dividend) // abs(divisor)
    return quotient if (dividend < 0) == (divisor < 0) else -quotient


def _add_duration(value: Value, duration: YearMonths | DayTime) -> Value:
    if isinstance(duration, YearMonths):
        return value.plus_months(duration.months) if isinstance(value, Date | DateTime) else None
    if isinstance(value, Date):
        return value.plus_days(duration.nanos // DAY)  # from the day's midnight; the rest of a day is cut off
    if isinstance(value, Time | DateTime):
        return value.plus_nanos(duration.nanos)
    return None


def _difference(left: Value, right: Value) -> Value:
    """Return the time between two values of the same kind; of times with a zone its size alone, as in Camunda."""
    if isinstance(left, Date) and isinstance(right, Date):
        return DayTime((left.number - right.number) * DAY)
    if isinstance(left, Time) and isinstance(right, Time) and (left.zone is None) == (right.zone is None):
        if left.zone is None:
            return DayTime(left.nanos - right.nanos)
        return DayTime(abs(left.nanos - right.nanos - (left.offset - right.offset) * NANOS))
    if isinstance(left, DateTime) and isinstance(right, DateTime) and (left.zone is None) == (right.zone is None):
        return DayTime(left.instant_nanos - right.instant_nanos)
    return None

"""Numeric functions."""

import math
import random
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_DOWN,
    ROUND_HALF_EVEN,
    ROUND_HALF_UP,
    ROUND_UP,
    Decimal,
)

from services.engine.feel.arithmetic import whole_part
from services.engine.feel.builtins.registry import builtin
from services.engine.feel.temporal import DayTime, YearMonths
from services.engine.feel.values import DECIMAL, Value, from_float

_MODES = {
    "UP": ROUND_UP,
    "DOWN": ROUND_DOWN,
    "CEILING": ROUND_CEILING,
    "FLOOR": ROUND_FLOOR,
    "HALF_UP": ROUND_HALF_UP,
    "HALF_DOWN": ROUND_HALF_DOWN,
    "HALF_EVEN": ROUND_HALF_EVEN,
}
_NO_PLACES = Decimal(0)
_MAX_SCALE = 6176  # digits behind the point, far more than a number is rounded to


def _round(number: Decimal, scale: Decimal, mode: str) -> Value:
    places = whole_part(scale)
    if abs(places) > _MAX_SCALE:
        return None
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent > _MAX_SCALE:
        return number  # it has no digits there, and would be written out with all its zeros
    context = DECIMAL.copy()
    context.prec = max(DECIMAL.prec, number.adjusted() + 2 + places)
    rounded = number.quantize(Decimal((0, (1,), -places)), rounding=mode, context=context)
    return rounded.copy_abs() if rounded.is_zero() else rounded


@builtin("decimal", "n: number", "scale: number")
def decimal(number: Decimal, scale: Decimal) -> Value:
    return _round(number, scale, ROUND_HALF_EVEN)


@builtin("decimal", "n: number", "scale: number", "mode: string")
def decimal_by_mode(number: Decimal, scale: Decimal, mode: str) -> Value:
    rounding = _MODES.get(mode.upper())
    if mode.upper() == "UNNECESSARY":
        return _unrounded(number, scale)
    return _round(number, scale, rounding) if rounding else None


def _unrounded(number: Decimal, scale: Decimal) -> Value:
    """Return the number with more places, null if it would have to be rounded."""
    rounded = _round(number, scale, ROUND_DOWN)
    return rounded if rounded == number else None


@builtin("floor", "n: number")
def floor(number: Decimal) -> Value:
    return _round(number, _NO_PLACES, ROUND_FLOOR)


@builtin("floor", "n: number", "scala: number")  # so is the parameter called in Camunda
def floor_to(number: Decimal, scale: Decimal) -> Value:
    return _round(number, scale, ROUND_FLOOR)


@builtin("ceiling", "n: number")
def ceiling(number: Decimal) -> Value:
    return _round(number, _NO_PLACES, ROUND_CEILING)


@builtin("ceiling", "n: number", "scale: number")
def ceiling_to(number: Decimal, scale: Decimal) -> Value:
    return _round(number, scale, ROUND_CEILING)


@builtin("round up", "n: number", "scale: number")
def round_up(number: Decimal, scale: Decimal) -> Value:
    return _round(number, scale, ROUND_UP)


@builtin("round down", "n: number", "scale: number")
def round_down(number: Decimal, scale: Decimal) -> Value:
    return _round(number, scale, ROUND_DOWN)


@builtin("round half up", "n: number", "scale: number")
def round_half_up(number: Decimal, scale: Decimal) -> Value:
    return _round(number, scale, ROUND_HALF_UP)


@builtin("round half down", "n: number", "scala: number")  # so is the parameter called in Camunda
def round_half_down(number: Decimal, scale: Decimal) -> Value:
    return _round(number, scale, ROUND_HALF_DOWN)


@builtin("abs", "number: any")
@builtin("abs", "n: any")
def absolute(value: Value) -> Value:
    """Return the absolute value of a number or a duration."""
    if isinstance(value, Decimal):
        return value.copy_abs()
    if isinstance(value, YearMonths):
        return YearMonths(abs(value.months))
    return DayTime(abs(value.nanos)) if isinstance(value, DayTime) else None


@builtin("modulo", "dividend: number", "divisor: number")
def modulo(dividend: Decimal, divisor: Decimal) -> Value:
    """Return the remainder with the divisor's sign; the evaluation fails for a divisor of 0."""
    rest = DECIMAL.remainder(DECIMAL.add(DECIMAL.remainder(dividend, divisor), divisor), divisor)
    return rest.copy_abs() if rest.is_zero() else rest


@builtin("sqrt", "number: number")
def sqrt(number: Decimal) -> Value:
    return from_float(math.sqrt(number)) if number >= 0 else None


@builtin("log", "number: number")
def log(number: Decimal) -> Value:
    return from_float(math.log(number))


@builtin("exp", "number: number")
def exp(number: Decimal) -> Value:
    return from_float(math.exp(number))


@builtin("odd", "number: number")
def odd(number: Decimal) -> Value:
    return number == number.to_integral_value() and whole_part(number) % 2 == 1


@builtin("even", "number: number")
def even(number: Decimal) -> Value:
    return number == number.to_integral_value() and whole_part(number) % 2 == 0


@builtin("random number")
def random_number() -> Value:
    return Decimal(repr(random.random()))  # noqa: S311 - FEEL's random number guards nothing

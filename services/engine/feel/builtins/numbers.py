"""Numeric functions."""

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

from services.engine.feel.builtins.registry import builtin
from services.engine.feel.temporal import DayTime, YearMonths
from services.engine.feel.values import DECIMAL, Value

_MODES = {
    "UP": ROUND_UP,
    "DOWN": ROUND_DOWN,
    "CEILING": ROUND_CEILING,
    "FLOOR": ROUND_FLOOR,
    "HALF_UP": ROUND_HALF_UP,
    "HALF_DOWN": ROUND_HALF_DOWN,
    "HALF_EVEN": ROUND_HALF_EVEN,
}
_MAX_SCALE = 6176  # of a decimal128


def _round(number: Decimal, scale: Decimal | None, mode: str) -> Value:
    places = int(scale or 0)
    if abs(places) > _MAX_SCALE:
        return None
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or -exponent <= places:
        return number
    context = DECIMAL.copy()
    context.prec = max(DECIMAL.prec, number.adjusted() + 2 + max(places, 0))
    rounded = number.quantize(Decimal((0, (1,), -places)), rounding=mode, context=context)
    return Decimal(int(rounded)) if places <= 0 else rounded


@builtin("decimal", "n: number", "scale: number", "mode: string?")
def decimal(number: Decimal, scale: Decimal, mode: str | None = None) -> Value:
    rounding = _MODES.get((mode or "HALF_EVEN").upper())
    return _round(number, scale, rounding) if rounding else None


@builtin("floor", "n: number", "scale: number?")
def floor(number: Decimal, scale: Decimal | None = None) -> Value:
    return _round(number, scale, ROUND_FLOOR)


@builtin("ceiling", "n: number", "scale: number?")
def ceiling(number: Decimal, scale: Decimal | None = None) -> Value:
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


@builtin("round half down", "n: number", "scale: number")
def round_half_down(number: Decimal, scale: Decimal) -> Value:
    return _round(number, scale, ROUND_HALF_DOWN)


@builtin("abs", "n: any")
@builtin("abs", "number: any")
def absolute(value: Value) -> Value:
    """Return the absolute value of a number or a duration."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, Decimal):
        return abs(value)
    if isinstance(value, YearMonths):
        return YearMonths(abs(value.months))
    return DayTime(abs(value.nanos)) if isinstance(value, DayTime) else None


@builtin("modulo", "dividend: number", "divisor: number")
def modulo(dividend: Decimal, divisor: Decimal) -> Value:
    """Return the remainder with the divisor's sign."""
    context = DECIMAL.copy()
    context.prec = max(DECIMAL.prec, dividend.adjusted() - divisor.adjusted() + DECIMAL.prec)
    rest = context.remainder(dividend, divisor)
    if rest == 0:
        return Decimal(0)
    return DECIMAL.plus(rest + divisor if (rest < 0) != (divisor < 0) else rest)


@builtin("sqrt", "number: number")
def sqrt(number: Decimal) -> Value:
    return DECIMAL.sqrt(number) if number >= 0 else None


@builtin("log", "number: number")
def log(number: Decimal) -> Value:
    return DECIMAL.ln(number) if number > 0 else None


@builtin("exp", "number: number")
def exp(number: Decimal) -> Value:
    return DECIMAL.exp(number)


@builtin("odd", "number: number")
def odd(number: Decimal) -> Value:
    return number == number.to_integral_value() and int(number) % 2 == 1


@builtin("even", "number: number")
def even(number: Decimal) -> Value:
    return number == number.to_integral_value() and int(number) % 2 == 0


@builtin("random number")
def random_number() -> Value:
    return Decimal(repr(random.random()))  # noqa: S311 - FEEL's random number guards nothing

"""FEEL's values, their types, equality and order.

null is None, booleans are bool, numbers are Decimal (34 digits), strings str, lists list, contexts dict; calendar
values come from `temporal`. Ranges and functions are the classes below. Values are immutable.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow

from services.engine.feel.errors import FeelEvaluationError
from services.engine.feel.temporal import Date, DateTime, DayTime, Time, YearMonths, Zone
from services.engine.feel.temporal_text import format_offset

Value = object

# 34 digits as in DMN 1.3 (10.3.2.3.1), with the exponents that Camunda's numbers (java.math.BigDecimal) have
DECIMAL = Context(
    prec=34,
    rounding=ROUND_HALF_EVEN,
    Emin=-(2**31) + 1,
    Emax=2**31 - 1,
    traps=[DivisionByZero, InvalidOperation, Overflow],
)


def from_float(number: float) -> Decimal:
    """Return a number that was computed in binary, as Camunda does roots, logarithms and the like.

    Raises ValueError for what is not a finite number.
    """
    if not math.isfinite(number):
        raise ValueError("The result is not a number.")
    return Decimal(repr(number))


@dataclass(frozen=True, slots=True)
class Range:
    """A range, which only functions take; its ends are points of one kind."""

    start: Value
    end: Value
    start_included: bool
    end_included: bool


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function value; `call` gets one value for each parameter."""

    params: tuple[str, ...]
    call: Callable[[Sequence[Value]], Value]


def type_name(value: Value) -> str:
    """Return the name of the value's type, as in `instance of`."""
    for kind, name in _TYPE_NAMES:
        if isinstance(value, kind):
            return name
    return "null"


_TYPE_NAMES: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (Decimal, "number"),
    (str, "string"),
    (list, "list"),
    (dict, "context"),
    (Date, "date"),
    (Time, "time"),
    (DateTime, "date and time"),
    (YearMonths, "years and months duration"),
    (DayTime, "days and time duration"),
    (Range, "range"),
    (Function, "function"),
)


def equal(left: Value, right: Value) -> bool | None:  # noqa: PLR0911 - one for each type
    """Compare with `=`: null equals null only; None if not comparable.

    As in Camunda the same moment in another zone is another value, and ranges and functions cannot be compared.
    """
    if left is None or right is None:
        return left is right
    if type(left) is not type(right) or isinstance(left, Range | Function):
        return None
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(a, b) is True for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        first, second = entries_of(left), entries_of(right)
        return first.keys() == second.keys() and all(equal(item, second[key]) is True for key, item in first.items())
    if isinstance(left, Time) and isinstance(right, Time):
        return _equal_times(left, right)
    if isinstance(left, DateTime) and isinstance(right, DateTime):
        return _equal_times(left, right) if _same_zoning(left, right) else None
    return left == right


def _equal_times(left: Time | DateTime, right: Time | DateTime) -> bool | None:
    if not _same_zoning(left, right):
        return None
    return left == right if left.zone is None else _parts(left) == _parts(right)


def _parts(value: Time | DateTime) -> tuple[Value, ...]:
    return (value.date if isinstance(value, DateTime) else None, value.nanos, value.offset, value.zone)


def _same_zoning(left: Time | DateTime, right: Time | DateTime) -> bool:
    return (left.zone is None) == (right.zone is None)


def same(left: Value, right: Value) -> bool:
    """Return whether values are equal; incomparable ones differ (list functions)."""
    return equal(left, right) is True


def identical(left: Value, right: Value) -> bool:
    """Return whether a list contains a value, as Camunda has it: a context is identical to itself alone."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(identical(a, b) for a, b in zip(left, right, strict=True))
    return left is right if isinstance(left, dict) else same(left, right)


def entries_of(context: dict[str, Value]) -> dict[str, Value]:
    """Return a context's entries without its functions, which can be called and nothing else."""
    return {key: value for key, value in context.items() if not isinstance(value, Function)}


def is_comparable(value: Value) -> bool:
    """Return whether a value's type has an order: a list has one where its items do, though it cannot be used."""
    if isinstance(value, list):
        return bool(value) and is_comparable(value[0]) and all(same_kind(item, value[0]) for item in value)
    return isinstance(value, Decimal | str | Date | Time | DateTime | YearMonths | DayTime)


def is_point(value: Value) -> bool:
    """Return whether a value can be an end of a range that functions take."""
    return is_comparable(value) and not isinstance(value, str | list)


def same_kind(left: Value, right: Value) -> bool:
    """Return whether values have the same type; a time with a zone is of another than one without."""
    if isinstance(left, Time | DateTime) and isinstance(right, Time | DateTime):
        return type(left) is type(right) and _same_zoning(left, right)
    return type(left) is type(right)


def compare(left: Value, right: Value) -> int | None:
    """Return -1, 0 or 1; None for values without an order.

    These are different types, nulls, and a value with a zone beside one without. Raises FeelEvaluationError for lists.
    """
    if not (same_kind(left, right) and is_comparable(left) and is_comparable(right)):
        return None
    if isinstance(left, list):
        raise FeelEvaluationError("Lists have no order.")
    first, second = _order_key(left), _order_key(right)
    return 0 if first == second else (-1 if first < second else 1)  # type: ignore[operator]  # both of one ordered type


def _order_key(value: Value) -> Value:  # noqa: PLR0911 - one for each type
    """Return what the order follows; a moment's local time and zone decide between the same moment, as in Java."""
    if isinstance(value, str):
        return value.encode("utf-16-be", "surrogatepass")
    if isinstance(value, Date):
        return value.number
    if isinstance(value, YearMonths):
        return value.months
    if isinstance(value, DayTime):
        return value.nanos
    if isinstance(value, Time):
        return value.nanos - value.offset * 10**9
    if isinstance(value, DateTime):
        return (value.instant_nanos, value.local_nanos, _zone_id(value.zone))
    return value


def _zone_id(zone: Zone | None) -> str:
    if zone is None:
        return ""
    return zone.region if zone.region is not None else format_offset(zone.offset or 0)


def some(values: Sequence[Value]) -> bool | None:
    """Compute the ternary or: true beats null, null beats false."""
    if any(value is True for value in values):
        return True
    return False if all(value is False for value in values) else None


def every(values: Sequence[Value]) -> bool | None:
    """Compute the ternary and: false beats null, null beats true."""
    if any(value is False for value in values):
        return False
    return True if all(value is True for value in values) else None

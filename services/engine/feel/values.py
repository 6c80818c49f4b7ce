"""FEEL's values, their types, equality and order.

null is None, booleans are bool, numbers are Decimal (34 digits), strings str, lists list, contexts dict; calendar
values come from `temporal`. Ranges and functions are the classes below. Values are immutable.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, DivisionByZero, InvalidOperation, Overflow
from typing import TYPE_CHECKING

from services.engine.feel.temporal import Date, DateTime, DayTime, Time, YearMonths

if TYPE_CHECKING:
    from services.engine.feel.types import Type

Value = object

# IEEE 754-2008 decimal128, as in DMN 1.3 (10.3.2.3.1) and Camunda
DECIMAL = Context(
    prec=34, rounding=ROUND_HALF_EVEN, Emin=-6143, Emax=6144, traps=[DivisionByZero, InvalidOperation, Overflow]
)


@dataclass(frozen=True, slots=True)
class Range:
    """A range.

    `start` or `end` is None for an open side, such as `(> 5)`.
    """

    start: Value
    end: Value
    start_included: bool
    end_included: bool


@dataclass(frozen=True, slots=True, eq=False)
class Function:
    """A function value; `call` gets one value for each parameter.

    `types` are the declared ones of the parameters, `result` is that of the result, None if unknown.
    """

    params: tuple[str, ...]
    call: Callable[[Sequence[Value]], Value]
    types: "tuple[Type, ...]" = ()
    result: "Type | None" = None


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
    """Compare with `=`: null equals null only; None if not comparable."""
    if left is None or right is None:
        return left is right
    if type(left) is not type(right):
        return None
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(equal(a, b) is True for a, b in zip(left, right, strict=True))
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(equal(item, right[key]) is True for key, item in left.items())
    if isinstance(left, Time | DateTime):
        keys = _zoned_keys(left, right)
        return None if keys is None else keys[0] == keys[1]
    if isinstance(left, Range) and isinstance(right, Range):
        flags = (left.start_included, left.end_included) == (right.start_included, right.end_included)
        return flags and equal(left.start, right.start) is True and equal(left.end, right.end) is True
    if isinstance(left, Function):
        return None
    return left == right


def same(left: Value, right: Value) -> bool:
    """Return whether values are equal; incomparable ones differ (list functions)."""
    return equal(left, right) is True


def compare(left: Value, right: Value) -> int | None:
    """Return -1, 0 or 1; None for values without an order.

    These are different types, nulls, and a value with a zone beside one without.
    """
    if type(left) is not type(right):
        return None
    keys: tuple[Value, Value] | None
    if isinstance(left, Decimal | str):
        keys = (left, right)
    elif isinstance(left, Date) and isinstance(right, Date):
        keys = (left.number, right.number)
    elif isinstance(left, YearMonths) and isinstance(right, YearMonths):
        keys = (left.months, right.months)
    elif isinstance(left, DayTime) and isinstance(right, DayTime):
        keys = (left.nanos, right.nanos)
    else:
        keys = _zoned_keys(left, right)
    if keys is None:
        return None
    first, second = keys
    return 0 if first == second else (-1 if first < second else 1)  # type: ignore[operator]  # both of one ordered type


def includes(interval: Range, value: Value) -> bool | None:
    """Return whether a range includes a value; None if not comparable."""
    included: bool | None = True
    if interval.start is not None:
        order = compare(value, interval.start)
        if order is None:
            return None
        included = order > 0 or (order == 0 and interval.start_included)
    if interval.end is not None:
        order = compare(value, interval.end)
        if order is None:
            return None
        included = included and (order < 0 or (order == 0 and interval.end_included))
    return included if (interval.start, interval.end) != (None, None) else None


def _zoned_keys(left: Value, right: Value) -> tuple[int, int] | None:
    if isinstance(left, DateTime) and isinstance(right, DateTime) and (left.zone is None) == (right.zone is None):
        return left.instant_nanos, right.instant_nanos
    if isinstance(left, Time) and isinstance(right, Time) and (left.zone is None) == (right.zone is None):
        return left.nanos - left.offset * 10**9, right.nanos - right.offset * 10**9
    return None

"""Compare points and ranges (DMN 1.3, table 78)."""

from collections.abc import Callable

from services.engine.feel.builtins.registry import Implementation, builtin
from services.engine.feel.values import Range, Value, compare, includes, same


def _relation(name: str, *pairs: tuple[str, str]) -> Callable[[Implementation], Implementation]:
    """Register a function for each pair of parameter names."""

    def register(implementation: Implementation) -> Implementation:
        for pair in pairs:
            specs = [f"{param}: {param.rstrip('12')}" for param in pair]
            builtin(name, *specs)(implementation)
        return implementation

    return register


_RANGES = ("range1", "range2")
_POINTS = ("point1", "point2")
_POINT_FIRST = ("point", "range")
_POINT_LAST = ("range", "point")


def _order(left: Value, right: Value) -> int:
    """Compare, or raise ValueError, which makes the function's result null."""
    result = compare(left, right)
    if result is None:
        raise ValueError("These values can't be compared.")
    return result


def _as_range(value: Value) -> Range:
    return value if isinstance(value, Range) else Range(value, value, True, True)


@_relation("before", _POINTS, _POINT_FIRST, _POINT_LAST, _RANGES)
def before(first: Value, second: Value) -> Value:
    left, right = _as_range(first), _as_range(second)
    order = _order(left.end, right.start)
    return order < 0 or (order == 0 and not (left.end_included and right.start_included))


@_relation("after", _POINTS, _POINT_FIRST, _POINT_LAST, _RANGES)
def after(first: Value, second: Value) -> Value:
    return before(second, first)


@_relation("meets", _RANGES)
def meets(first: Range, second: Range) -> Value:
    return _order(first.end, second.start) == 0 and first.end_included and second.start_included


@_relation("met by", _RANGES)
def met_by(first: Range, second: Range) -> Value:
    return meets(second, first)


@_relation("overlaps", _RANGES)
def overlaps(first: Range, second: Range) -> Value:
    return not before(first, second) and not before(second, first)


def _start_order(left: Range, right: Range) -> int:
    order = _order(left.start, right.start)
    return order if order else int(right.start_included) - int(left.start_included)


def _end_order(left: Range, right: Range) -> int:
    order = _order(left.end, right.end)
    return order if order else int(left.end_included) - int(right.end_included)


@_relation("overlaps before", _RANGES)
def overlaps_before(first: Range, second: Range) -> Value:
    """Return whether the first starts earlier, overlaps and does not end later."""
    return _start_order(first, second) < 0 and overlaps(first, second) is True and _end_order(first, second) <= 0


@_relation("overlaps after", _RANGES)
def overlaps_after(first: Range, second: Range) -> Value:
    return overlaps_before(second, first)


@_relation("includes", _POINT_LAST, _RANGES)
def includes_value(interval: Range, value: Value) -> Value:
    if not isinstance(value, Range):
        return includes(interval, value)
    return _start_order(interval, value) <= 0 and _end_order(interval, value) >= 0


@_relation("during", _POINT_FIRST, _RANGES)
def during(value: Value, interval: Range) -> Value:
    return includes_value(interval, value)


@_relation("finishes", _POINT_FIRST, _RANGES)
def finishes(value: Value, interval: Range) -> Value:
    if not isinstance(value, Range):
        return interval.end_included and _order(value, interval.end) == 0
    return _end_order(value, interval) == 0 and _start_order(value, interval) >= 0


@_relation("finished by", _POINT_LAST, _RANGES)
def finished_by(interval: Range, value: Value) -> Value:
    return finishes(value, interval)


@_relation("starts", _POINT_FIRST, _RANGES)
def starts(value: Value, interval: Range) -> Value:
    if not isinstance(value, Range):
        return interval.start_included and _order(value, interval.start) == 0
    return _start_order(value, interval) == 0 and _end_order(value, interval) <= 0


@_relation("started by", _POINT_LAST, _RANGES)
def started_by(interval: Range, value: Value) -> Value:
    return starts(value, interval)


@_relation("coincides", _POINTS, _RANGES)
def coincides(first: Value, second: Value) -> Value:
    if isinstance(first, Range) != isinstance(second, Range):
        return None
    if isinstance(first, Range):
        return same(first, second)
    return _order(first, second) == 0

"""How points and ranges lie to each other (DMN 1.3, table 78)."""

from services.engine.feel.builtins.registry import builtin
from services.engine.feel.values import Range, Value, compare, includes, same


def _order(left: Value, right: Value) -> int:
    """Raises ValueError, which makes the function null, where there is no order."""
    result = compare(left, right)
    if result is None:
        raise ValueError("These values can't be compared.")
    return result


def _point(value: Value) -> Range:
    return Range(value, value, True, True)


def _as_range(value: Value) -> Range:
    return value if isinstance(value, Range) else _point(value)


@builtin("before", "range1: any", "range2: any")
def before(first: Value, second: Value) -> Value:
    left, right = _as_range(first), _as_range(second)
    order = _order(left.end, right.start)
    return order < 0 or (order == 0 and not (left.end_included and right.start_included))


@builtin("after", "range1: any", "range2: any")
def after(first: Value, second: Value) -> Value:
    return before(second, first)


@builtin("meets", "range1: range", "range2: range")
def meets(first: Range, second: Range) -> Value:
    return _order(first.end, second.start) == 0 and first.end_included and second.start_included


@builtin("met by", "range1: range", "range2: range")
def met_by(first: Range, second: Range) -> Value:
    return meets(second, first)


@builtin("overlaps", "range1: range", "range2: range")
def overlaps(first: Range, second: Range) -> Value:
    return not before(first, second) and not before(second, first)


def _start_order(left: Range, right: Range) -> int:
    order = _order(left.start, right.start)
    return order if order else int(right.start_included) - int(left.start_included)


def _end_order(left: Range, right: Range) -> int:
    order = _order(left.end, right.end)
    return order if order else int(left.end_included) - int(right.end_included)


@builtin("overlaps before", "range1: range", "range2: range")
def overlaps_before(first: Range, second: Range) -> Value:
    """The first begins earlier, reaches into the second and does not end after it."""
    return _start_order(first, second) < 0 and overlaps(first, second) is True and _end_order(first, second) <= 0


@builtin("overlaps after", "range1: range", "range2: range")
def overlaps_after(first: Range, second: Range) -> Value:
    return overlaps_before(second, first)


@builtin("includes", "range: range", "point: any")
def includes_value(interval: Range, value: Value) -> Value:
    if not isinstance(value, Range):
        return includes(interval, value)
    return _start_order(interval, value) <= 0 and _end_order(interval, value) >= 0


@builtin("during", "range1: any", "range2: range")
def during(value: Value, interval: Range) -> Value:
    return includes_value(interval, value)


@builtin("finishes", "range1: any", "range2: range")
def finishes(value: Value, interval: Range) -> Value:
    if not isinstance(value, Range):
        return interval.end_included and _order(value, interval.end) == 0
    return _end_order(value, interval) == 0 and _start_order(value, interval) >= 0


@builtin("finished by", "range1: range", "range2: any")
def finished_by(interval: Range, value: Value) -> Value:
    return finishes(value, interval)


@builtin("starts", "range1: any", "range2: range")
def starts(value: Value, interval: Range) -> Value:
    if not isinstance(value, Range):
        return interval.start_included and _order(value, interval.start) == 0
    return _start_order(value, interval) == 0 and _end_order(value, interval) <= 0


@builtin("started by", "range1: range", "range2: any")
def started_by(interval: Range, value: Value) -> Value:
    return starts(value, interval)


@builtin("coincides", "range1: any", "range2: any")
def coincides(first: Value, second: Value) -> Value:
    if isinstance(first, Range) != isinstance(second, Range):
        return None
    if isinstance(first, Range):
        return same(first, second)
    return _order(first, second) == 0

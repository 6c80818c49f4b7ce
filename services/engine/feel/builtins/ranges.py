"""Compare points and ranges (DMN 1.3, table 78).

As in Camunda, points are numbers and calendar values, strings are none; and a call with a point where a range is
needed fails the evaluation.
"""

from collections.abc import Callable

from services.engine.feel.builtins.registry import Unsuitable, builtin
from services.engine.feel.values import Range, Value, compare, is_point, same, same_kind

Relation = Callable[[Value, Value], bool]


def _relation(name: str, *pairs: tuple[str, str]) -> Callable[[Relation], Relation]:
    """Register a function for each pair of parameter names."""

    def register(implementation: Relation) -> Relation:
        def guarded(first: Value, second: Value) -> Value:
            left = first.start if isinstance(first, Range) else first
            right = second.start if isinstance(second, Range) else second
            if not (is_point(left) and is_point(right) and same_kind(left, right)):
                raise Unsuitable
            return implementation(first, second)

        for pair in pairs:
            builtin(name, *(f"{param}: any" for param in pair))(guarded)
        return implementation

    return register


_RANGES = ("range1", "range2")
_POINTS = ("point1", "point2")
_POINT_FIRST = ("point", "range")
_POINT_LAST = ("range", "point")


def _less(left: Value, right: Value) -> bool:
    return (compare(left, right) or 0) < 0


def _range(value: Value) -> Range:
    if not isinstance(value, Range):
        raise ValueError("a range is needed in a point's place")  # noqa: TRY004 - makes the evaluation fail
    return value


@_relation("before", _POINTS, _POINT_FIRST, _POINT_LAST, _RANGES)
def before(first: Value, second: Value) -> bool:
    end, end_included = (first.end, first.end_included) if isinstance(first, Range) else (first, True)
    start, start_included = (second.start, second.start_included) if isinstance(second, Range) else (second, True)
    return _less(end, start) or (same(end, start) and not (end_included and start_included))


@_relation("after", _POINTS, _POINT_FIRST, _POINT_LAST, _RANGES)
def after(first: Value, second: Value) -> bool:
    return before(second, first)


@_relation("meets", _RANGES)
def meets(first: Value, second: Value) -> bool:
    left, right = _range(first), _range(second)
    return left.end_included and right.start_included and same(left.end, right.start)


@_relation("met by", _RANGES)
def met_by(first: Value, second: Value) -> bool:
    return meets(second, first)


def _reaches(left: Range, right: Range) -> bool:
    """Return whether the left range ends at the right one's start or behind it."""
    return _less(right.start, left.end) or meets(left, right)


@_relation("overlaps", _RANGES)
def overlaps(first: Value, second: Value) -> bool:
    left, right = _range(first), _range(second)
    return _reaches(left, right) and _reaches(right, left)


def _starts_first(left: Range, right: Range, *, also_together: bool) -> bool:
    if same(left.start, right.start):
        if also_together:
            return left.start_included or not right.start_included
        return left.start_included and not right.start_included
    return _less(left.start, right.start)


def _ends_within(left: Range, right: Range) -> bool:
    """Return whether the left range does not end behind the right one."""
    if same(left.end, right.end):
        return not left.end_included or right.end_included
    return _less(left.end, right.end)


@_relation("overlaps before", _RANGES)
def overlaps_before(first: Value, second: Value) -> bool:
    """Return whether the first starts earlier, overlaps and does not end later."""
    left, right = _range(first), _range(second)
    return _starts_first(left, right, also_together=False) and _reaches(left, right) and _ends_within(left, right)


@_relation("overlaps after", _RANGES)
def overlaps_after(first: Value, second: Value) -> bool:
    return overlaps_before(second, first)


@_relation("includes", _POINT_LAST, _RANGES)
def includes(first: Value, second: Value) -> bool:
    left = _range(first)
    if isinstance(second, Range):
        return _starts_first(left, second, also_together=True) and _ends_within(second, left)
    inside = _less(left.start, second) and _less(second, left.end)
    at_start = left.start_included and same(left.start, second)
    return inside or at_start or (left.end_included and same(left.end, second))


@_relation("during", _POINT_FIRST, _RANGES)
def during(first: Value, second: Value) -> bool:
    return includes(second, first)


@_relation("finishes", _POINT_FIRST, _RANGES)
def finishes(first: Value, second: Value) -> bool:
    right = _range(second)
    if not isinstance(first, Range):
        return right.end_included and same(right.end, first)
    together = first.end_included == right.end_included and same(first.end, right.end)
    return together and _starts_first(right, first, also_together=True)


@_relation("finished by", _POINT_FIRST, _RANGES)  # so are the parameters called in Camunda
def finished_by(first: Value, second: Value) -> bool:
    return finishes(second, first)


@_relation("starts", _POINT_FIRST, _RANGES)
def starts(first: Value, second: Value) -> bool:
    right = _range(second)
    if not isinstance(first, Range):
        return right.start_included and same(right.start, first)
    together = first.start_included == right.start_included and same(first.start, right.start)
    return together and _ends_within(first, right)


@_relation("started by", _POINT_LAST, _RANGES)
def started_by(first: Value, second: Value) -> bool:
    return starts(second, first)


@_relation("coincides", _POINTS, _RANGES)
def coincides(first: Value, second: Value) -> bool:
    if not (isinstance(first, Range) and isinstance(second, Range)):
        return same(first, second)
    return (
        same(first.start, second.start)
        and same(first.end, second.end)
        and (first.start_included, first.end_included) == (second.start_included, second.end_included)
    )

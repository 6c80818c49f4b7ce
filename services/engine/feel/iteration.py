"""Nodes for filters, `for`, `some` and `every`."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from services.engine.feel.errors import FeelEvaluationError
from services.engine.feel.nodes import Literal, Negation, Node, every, or_null, some
from services.engine.feel.scope import Scope
from services.engine.feel.temporal import Date
from services.engine.feel.values import Range, Value

# far above what a process iterates over, low enough to protect the memory from a mistyped range
MAX_ITERATIONS = 1_000_000


@dataclass(frozen=True, slots=True)
class Filter(Node):
    """`list[condition]`: select by index or by condition.

    `probed` marks a condition that may be an index in a variable: as in Camunda, it is evaluated outside the list
    first, and only then for each item.
    """

    source: Node
    condition: Node
    probed: bool

    def evaluate(self, scope: Scope) -> Value:
        source = or_null(self.source, scope)
        if source is None:
            return None
        items = source if isinstance(source, list) else [source]
        if isinstance(self.condition, Literal | Negation) or self.probed:
            index = self.condition.evaluate(scope)
            if isinstance(index, Decimal):
                return item_at(items, index)
        selected: list[Value] = []
        for number, item in enumerate(items):
            bindings = {"item": item, **item} if isinstance(item, dict) else {"item": item}
            result = self.condition.evaluate(Scope(bindings, scope))
            if number == 0 and isinstance(result, Decimal):
                return item_at(items, result)
            if result is True:
                selected.append(item)
        return selected


def item_at(items: list[Value], index: Decimal) -> Value:
    """Return the item at an index from 1, or from -1 backwards.

    Else null.
    """
    position = int(index) - 1 if index > 0 else len(items) + int(index)
    return items[position] if index != 0 and 0 <= position < len(items) else None


@dataclass(frozen=True, slots=True)
class Span(Node):
    """`start..end` of an iterator: steps of one, up or down."""

    start: Node
    end: Node

    def evaluate(self, scope: Scope) -> Value:
        return _steps(self.start.evaluate(scope), self.end.evaluate(scope))


@dataclass(frozen=True, slots=True)
class Binding(Node):
    """`name in list`; a range becomes the list of its integer steps."""

    name: str
    source: Node

    def evaluate(self, scope: Scope) -> Value:
        value = self.source.evaluate(scope)
        if isinstance(value, Range):
            return _range_items(value)
        return value if isinstance(value, list) or value is None else [value]


@dataclass(frozen=True, slots=True)
class For(Node):
    """`reads_partial` says that the body reads `partial`, the results so far."""

    iterators: tuple[Binding, ...]
    body: Node
    reads_partial: bool

    def evaluate(self, scope: Scope) -> Value:
        results: list[Value] = []
        for bindings in _bindings(self.iterators, scope):
            if bindings is None:
                return None
            if self.reads_partial:
                bindings["partial"] = list(results)
            results.append(self.body.evaluate(Scope(bindings, scope)))
            if len(results) > MAX_ITERATIONS:
                raise FeelEvaluationError(f"'for' has more than {MAX_ITERATIONS} items; give it a shorter list.")
        return results


@dataclass(frozen=True, slots=True)
class Quantified(Node):
    """`some`, or `every` if `universal`; null if a non-boolean leaves it undecided."""

    universal: bool
    iterators: tuple[Binding, ...]
    condition: Node

    def evaluate(self, scope: Scope) -> Value:
        results: list[Value] = []
        for bindings in _bindings(self.iterators, scope):
            if bindings is None:
                return None
            result = or_null(self.condition, Scope(bindings, scope))
            if result is (not self.universal):
                return result
            results.append(result)
        return every(results) if self.universal else some(results)


def _bindings(iterators: tuple[Binding, ...], scope: Scope) -> Iterator[dict[str, Value] | None]:
    """Yield bindings for each combination.

    None once if a source is not a list.
    """
    first, rest = iterators[0], iterators[1:]
    items = first.evaluate(scope)
    if not isinstance(items, list):
        yield None
        return
    for item in items:
        if not rest:
            yield {first.name: item}
            continue
        for inner in _bindings(rest, Scope({first.name: item}, scope)):
            yield None if inner is None else {first.name: item, **inner}
            if inner is None:
                return


def _steps(start: Value, end: Value) -> list[Value] | None:
    if isinstance(start, Decimal) and isinstance(end, Decimal):
        count = int(abs(end - start)) + 1
        _check_size(count)
        step = 1 if start <= end else -1
        return [start + step * number for number in range(count)]
    if isinstance(start, Date) and isinstance(end, Date):
        count = abs(end.number - start.number) + 1
        _check_size(count)
        step = 1 if start.number <= end.number else -1
        return [start.plus_days(step * number) for number in range(count)]
    return None


def _check_size(count: int) -> None:
    if count > MAX_ITERATIONS:
        raise FeelEvaluationError(f"A range of {count} steps is too long to iterate over; give a shorter one.")


def _range_items(interval: Range) -> list[Value] | None:
    if isinstance(interval.start, Decimal) and interval.start != interval.start.to_integral_value():
        return None
    items = _steps(interval.start, interval.end)
    if items is None:
        return None
    if not interval.start_included:
        items = items[1:]
    return items if interval.end_included else [item for item in items if item != interval.end]

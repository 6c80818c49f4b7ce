"""Nodes for filters, `for`, `some` and `every`."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from services.engine.feel.errors import FeelEvaluationError, NoInputError, PartError
from services.engine.feel.nodes import Node, or_null
from services.engine.feel.scope import Parameters, Scope
from services.engine.feel.values import Value, every, some

# far above what a process iterates over, low enough to protect the memory from a mistyped range
MAX_ITERATIONS = 1_000_000


@dataclass(frozen=True, slots=True)
class Filter(Node):
    """`list[condition]`: select by index or by condition; what is no list gives null.

    `probed` marks a condition that may be an index in a variable: as in Camunda, it is evaluated outside the list
    first, and only then for each item.
    """

    source: Node
    condition: Node
    probed: bool

    def evaluate(self, scope: Scope) -> Value:
        items = or_null(self.source, scope)
        if not isinstance(items, list):
            return None
        if self.probed:
            index = self._probe(scope)
            if isinstance(index, Decimal):
                return item_at(items, index)
        selected: list[Value] = []
        for number, item in enumerate(items):
            try:
                result = self._test(item, scope)
            except PartError:
                if number == 0:
                    return None
                continue
            if number == 0 and isinstance(result, Decimal):
                return item_at(items, result)
            if result is True:
                selected.append(item)
        return selected

    def _probe(self, scope: Scope) -> Value:
        try:
            return self.condition.evaluate(scope)
        except (PartError, NoInputError):
            return None

    def _test(self, item: Value, scope: Scope) -> Value:
        bindings: dict[str, Value] = {"item": item, **item} if isinstance(item, dict) else {"item": item}
        return self.condition.evaluate(Scope(bindings, scope))


def item_at(items: list[Value], index: Decimal) -> Value:
    """Return the item at an index from 1, or from -1 backwards.

    Else null.
    """
    offset = index - 1 if index > 0 else len(items) + index
    return items[int(offset)] if 0 <= offset < len(items) else None


@dataclass(frozen=True, slots=True)
class Span(Node):
    """`start..end` of an iterator: steps of one between numbers, up or down."""

    start: Node
    end: Node

    def evaluate(self, scope: Scope) -> Value:
        start, end = self.start.evaluate(scope), self.end.evaluate(scope)
        if not isinstance(start, Decimal) or not isinstance(end, Decimal):
            raise PartError("An iteration goes from a number to a number.")
        count = int(abs(end - start)) + 1
        if count > MAX_ITERATIONS:
            raise FeelEvaluationError(f"A range of {count} steps is too long to iterate over; give a shorter one.")
        step = 1 if start < end else -1
        return [start + step * number for number in range(count)]


@dataclass(frozen=True, slots=True)
class Binding:
    """`name in list`; raises PartError for what is no list."""

    name: str
    source: Node

    def items(self, scope: Scope) -> list[Value]:
        value = self.source.evaluate(scope)
        if not isinstance(value, list):
            raise PartError(f"'{self.name}' goes over what is no list.")
        return value


@dataclass(frozen=True, slots=True)
class For(Node):
    """`reads_partial` says that the body reads `partial`, the results so far."""

    iterators: tuple[Binding, ...]
    body: Node
    reads_partial: bool

    def evaluate(self, scope: Scope) -> Value:
        combinations = _combinations(self.iterators, scope)
        if combinations is None:
            return None
        results: list[Value] = []
        for bindings in combinations:
            if self.reads_partial:
                bindings["partial"] = list(results)
            results.append(self._result(Parameters(bindings, scope)))
        return results

    def _result(self, scope: Scope) -> Value:
        try:
            return self.body.evaluate(scope)
        except (PartError, NoInputError):
            return None


@dataclass(frozen=True, slots=True)
class Quantified(Node):
    """`some`, or `every` if `universal`; null if a non-boolean leaves it undecided."""

    universal: bool
    iterators: tuple[Binding, ...]
    condition: Node

    def evaluate(self, scope: Scope) -> Value:
        combinations = _combinations(self.iterators, scope)
        if combinations is None:
            return None
        results: list[Value] = []
        for bindings in combinations:
            result = or_null(self.condition, Parameters(bindings, scope))
            if result is (not self.universal):
                return result
            results.append(result)
        return every(results) if self.universal else some(results)


def _combinations(iterators: tuple[Binding, ...], scope: Scope) -> Iterator[dict[str, Value]] | None:
    """Return the bindings of each combination; None if one goes over what is no list.

    As in Camunda, the lists are evaluated before the first item, so that none can read another's.
    """
    try:
        lists = [iterator.items(scope) for iterator in iterators]
    except PartError:
        return None
    return _bounded(_joined([iterator.name for iterator in iterators], lists))


def _bounded(combinations: Iterator[dict[str, Value]]) -> Iterator[dict[str, Value]]:
    for number, bindings in enumerate(combinations):
        if number >= MAX_ITERATIONS:
            raise FeelEvaluationError(f"An iteration has more than {MAX_ITERATIONS} items; give it a shorter list.")
        yield bindings


def _joined(names: list[str], lists: list[list[Value]]) -> Iterator[dict[str, Value]]:
    for item in lists[0]:
        if len(lists) == 1:
            yield {names[0]: item}
            continue
        for inner in _joined(names[1:], lists[1:]):
            yield {**inner, names[0]: item}

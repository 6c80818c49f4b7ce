"""Nodes of the syntax tree, which evaluate themselves in a scope.

A wrong type, a missing name or a value out of range yields null, as in Camunda.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.engine.feel import arithmetic
from services.engine.feel.errors import FeelEvaluationError, NoInputError, PartError
from services.engine.feel.properties import property_of
from services.engine.feel.scope import INPUT_NAME, INPUT_SYMBOL, Missing, Parameters, Scope
from services.engine.feel.values import (
    Function,
    Range,
    Value,
    compare,
    equal,
    every,
    identical,
    is_point,
    same_kind,
    some,
)

ORDER_TESTS: dict[str, Callable[[int], bool]] = {
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


class Node(ABC):
    """A node of the syntax tree."""

    __slots__ = ()

    @abstractmethod
    def evaluate(self, scope: Scope) -> Value:
        """Evaluate in a scope; raises FeelEvaluationError if all of it fails."""


def or_null(node: Node, scope: Scope) -> Value:
    """Evaluate an operand; a part without a value is null."""
    try:
        return node.evaluate(scope)
    except PartError:
        return None


@dataclass(frozen=True, slots=True)
class Literal(Node):
    value: Value

    def evaluate(self, scope: Scope) -> Value:
        return self.value


@dataclass(frozen=True, slots=True)
class Failing(Node):
    """A text that cannot be read; its evaluation fails with what is wrong with it."""

    problem: str

    def evaluate(self, scope: Scope) -> Value:
        raise FeelEvaluationError(self.problem)


@dataclass(frozen=True, slots=True)
class Name(Node):
    name: str

    def evaluate(self, scope: Scope) -> Value:
        return scope.get(self.name)


@dataclass(frozen=True, slots=True)
class InputValue(Node):
    """`?`: the input value of a unary test."""

    def evaluate(self, scope: Scope) -> Value:
        value = scope.find(INPUT_SYMBOL)
        if isinstance(value, Missing):
            raise NoInputError("There is no input value: '?' can be used in a unary test only.")
        return value


@dataclass(frozen=True, slots=True)
class Path(Node):
    source: Node
    key: str

    def evaluate(self, scope: Scope) -> Value:
        return property_of(self.source.evaluate(scope), self.key)


@dataclass(frozen=True, slots=True)
class ListNode(Node):
    items: tuple[Node, ...]

    def evaluate(self, scope: Scope) -> Value:
        try:
            return [item.evaluate(scope) for item in self.items]
        except NoInputError as error:
            raise PartError(str(error)) from error


@dataclass(frozen=True, slots=True)
class ContextNode(Node):
    """Each entry sees the entries before it, a function's body as well."""

    entries: tuple[tuple[str, Node], ...]

    def evaluate(self, scope: Scope) -> Value:
        result: dict[str, Value] = {}
        try:
            for key, node in self.entries:
                result[key] = node.evaluate(Scope(dict(result), scope))
        except NoInputError as error:
            raise PartError(str(error)) from error
        return result


@dataclass(frozen=True, slots=True)
class RangeNode(Node):
    """A range as a call's argument; raises PartError for ends that are not of one type with an order."""

    start: Node
    end: Node
    start_included: bool
    end_included: bool

    def evaluate(self, scope: Scope) -> Value:
        start, end = self.start.evaluate(scope), self.end.evaluate(scope)
        if not is_point(start) or not same_kind(start, end):
            raise PartError("A range needs two numbers, dates, times or durations of one kind.")
        return Range(start, end, self.start_included, self.end_included)


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    operator: str
    left: Node
    right: Node

    def evaluate(self, scope: Scope) -> Value:
        return arithmetic.compute(self.operator, or_null(self.left, scope), or_null(self.right, scope))


@dataclass(frozen=True, slots=True)
class Negation(Node):
    value: Node

    def evaluate(self, scope: Scope) -> Value:
        return arithmetic.negate(or_null(self.value, scope))


@dataclass(frozen=True, slots=True)
class Comparison(Node):
    operator: str
    left: Node
    right: Node

    def evaluate(self, scope: Scope) -> Value:
        left, right = self.left.evaluate(scope), self.right.evaluate(scope)
        return equal(left, right) if self.operator == "=" else ordered(self.operator, left, right)


@dataclass(frozen=True, slots=True)
class Inequality(Node):
    left: Node
    right: Node

    def evaluate(self, scope: Scope) -> Value:
        try:
            result = equal(self.left.evaluate(scope), self.right.evaluate(scope))
        except PartError:
            return None
        return None if result is None else not result


def ordered(operator: str, left: Value, right: Value) -> bool | None:
    """Return whether `<`, `<=`, `>` or `>=` holds; None for what has no order."""
    order = compare(left, right)
    return None if order is None else ORDER_TESTS[operator](order)


@dataclass(frozen=True, slots=True)
class Conjunction(Node):
    left: Node
    right: Node

    def evaluate(self, scope: Scope) -> Value:
        left = or_null(self.left, scope)
        return False if left is False else every([left, or_null(self.right, scope)])


@dataclass(frozen=True, slots=True)
class Disjunction(Node):
    left: Node
    right: Node

    def evaluate(self, scope: Scope) -> Value:
        left = or_null(self.left, scope)
        return True if left is True else some([left, or_null(self.right, scope)])


@dataclass(frozen=True, slots=True)
class If(Node):
    """A condition that is not true, null included, takes the else branch; so does a then branch without a value."""

    condition: Node
    then: Node
    otherwise: Node

    def evaluate(self, scope: Scope) -> Value:
        if or_null(self.condition, scope) is True:
            try:
                return self.then.evaluate(scope)
            except PartError:
                return self.otherwise.evaluate(scope)
        return self.otherwise.evaluate(scope)


@dataclass(frozen=True, slots=True)
class FunctionDefinition(Node):
    params: tuple[str, ...]
    body: Node

    def evaluate(self, scope: Scope) -> Value:
        def call(values: Sequence[Value]) -> Value:
            return self.body.evaluate(Parameters(dict(zip(self.params, values, strict=True)), scope))

        return Function(self.params, call)


@dataclass(frozen=True, slots=True)
class InputComparison(Node):
    """`> 5`: a comparison of the input, null where there is none."""

    operator: str
    bound: Node

    def evaluate(self, scope: Scope) -> Value:
        return ordered(self.operator, scope.get(INPUT_NAME), self.bound.evaluate(scope))


@dataclass(frozen=True, slots=True)
class InputEquality(Node):
    """`true` or `false` as the last test: a comparison, where elsewhere `true` holds for every input."""

    value: Node

    def evaluate(self, scope: Scope) -> Value:
        return equal(scope.get(INPUT_NAME), self.value.evaluate(scope))


@dataclass(frozen=True, slots=True)
class InputRange(Node):
    """`[1..5]`: whether the input is between the ends; null where they cannot be compared."""

    interval: RangeNode

    def evaluate(self, scope: Scope) -> Value:
        start, end = or_null(self.interval.start, scope), or_null(self.interval.end, scope)
        value = scope.get(INPUT_NAME)
        low, high = compare(value, start), compare(value, end)
        if low is None or high is None:
            return None
        above = low > 0 or (low == 0 and self.interval.start_included)
        return above and (high < 0 or (high == 0 and self.interval.end_included))


@dataclass(frozen=True, slots=True)
class UnaryTest(Node):
    """A test that is an expression: a value, a list of values, or a condition, which may read the input as `?`."""

    test: Node

    def evaluate(self, scope: Scope) -> Value:
        value = scope.get(INPUT_NAME)
        try:
            result = self.test.evaluate(scope)
        except PartError:
            return False
        except NoInputError:
            try:
                condition = self.test.evaluate(Scope({INPUT_SYMBOL: value}, scope))
            except (PartError, NoInputError):
                return None
            return condition if isinstance(condition, bool) else None
        if result is True or (isinstance(result, list) and any(identical(item, value) for item in result)):
            return True
        found = equal(value, result)
        return False if found is None and isinstance(result, bool | list) else found


@dataclass(frozen=True, slots=True)
class UnaryTestList(Node):
    """True if one test matches, or without tests (`-`); `negated` for `not(…)`."""

    tests: tuple[Node, ...]
    negated: bool = False

    def evaluate(self, scope: Scope) -> Value:
        result = self._result(scope)
        return (None if not isinstance(result, bool) else not result) if self.negated else result

    def _result(self, scope: Scope) -> Value:
        if not self.tests:
            return True
        if len(self.tests) == 1:
            return or_null(self.tests[0], scope) if self.negated else self.tests[0].evaluate(scope)
        results: list[Value] = []
        for test in self.tests:
            results.append(or_null(test, scope))
            if results[-1] is True:
                return True
        return some(results)


@dataclass(frozen=True, slots=True)
class In(Node):
    value: Node
    tests: UnaryTestList

    def evaluate(self, scope: Scope) -> Value:
        return self.tests.evaluate(Scope(input_bindings(self.value.evaluate(scope)), scope))


def input_bindings(value: Value) -> dict[str, Value]:
    """Return the name under which unary tests read their input."""
    return {INPUT_NAME: value}

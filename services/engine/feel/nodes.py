"""Nodes of the syntax tree, which evaluate themselves in a scope.

A wrong type, a missing name or a value out of range yields null, as in Camunda.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from services.engine.feel import arithmetic
from services.engine.feel.errors import CallError, FeelEvaluationError
from services.engine.feel.properties import property_of
from services.engine.feel.scope import INPUT_NAME, INPUT_SYMBOL, Missing, Scope
from services.engine.feel.types import Type
from services.engine.feel.values import Function, Range, Value, compare, equal, includes, type_name

ARITHMETIC: dict[str, Callable[[Value, Value], Value]] = {
    "+": arithmetic.add,
    "-": arithmetic.subtract,
    "*": arithmetic.multiply,
    "/": arithmetic.divide,
    "**": arithmetic.power,
}
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
    """Evaluate an operand; a failed call is null."""
    try:
        return node.evaluate(scope)
    except CallError:
        return None


@dataclass(frozen=True, slots=True)
class Literal(Node):
    value: Value

    def evaluate(self, scope: Scope) -> Value:
        return self.value


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
            raise FeelEvaluationError("There is no input value: '?' can be used in a unary test only.")
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
        return [item.evaluate(scope) for item in self.items]


@dataclass(frozen=True, slots=True)
class ContextNode(Node):
    """Each entry sees the entries before it."""

    entries: tuple[tuple[str, Node], ...]

    def evaluate(self, scope: Scope) -> Value:
        result: dict[str, Value] = {}
        inner = Scope(result, scope)
        for key, node in self.entries:
            result[key] = node.evaluate(inner)
        return result


@dataclass(frozen=True, slots=True)
class RangeNode(Node):
    """A range, or with one end a comparison such as `> 5`.

    Null if the ends cannot be compared.
    """

    start: Node | None
    end: Node | None
    start_included: bool
    end_included: bool

    def evaluate(self, scope: Scope) -> Value:
        start = self.start.evaluate(scope) if self.start else None
        end = self.end.evaluate(scope) if self.end else None
        if (self.start and start is None) or (self.end and end is None):
            return None
        if self.start and self.end and compare(start, end) is None:
            return None
        return Range(start, end, self.start_included, self.end_included)


@dataclass(frozen=True, slots=True)
class Arithmetic(Node):
    operator: str
    left: Node
    right: Node

    def evaluate(self, scope: Scope) -> Value:
        return ARITHMETIC[self.operator](or_null(self.left, scope), or_null(self.right, scope))


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
        if self.operator == "=":
            return equal(left, right)
        if self.operator == "!=":
            result = equal(left, right)
            return None if result is None else not result
        order = compare(left, right)
        return None if order is None else ORDER_TESTS[self.operator](order)


@dataclass(frozen=True, slots=True)
class Between(Node):
    value: Node
    low: Node
    high: Node

    def evaluate(self, scope: Scope) -> Value:
        value = self.value.evaluate(scope)
        low, high = compare(value, self.low.evaluate(scope)), compare(value, self.high.evaluate(scope))
        return every([None if low is None else low >= 0, None if high is None else high <= 0])


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
    """A condition that is not true, null included, takes the else branch."""

    condition: Node
    then: Node
    otherwise: Node

    def evaluate(self, scope: Scope) -> Value:
        branch = self.then if or_null(self.condition, scope) is True else self.otherwise
        return branch.evaluate(scope)


@dataclass(frozen=True, slots=True)
class FunctionDefinition(Node):
    """A function; an external (Java) one has no body and returns null."""

    params: tuple[str, ...]
    types: tuple[Type, ...]
    body: Node | None

    def evaluate(self, scope: Scope) -> Value:
        def call(values: Sequence[Value]) -> Value:
            are_types_valid = all(
                value is None or kind.is_instance(value) for kind, value in zip(self.types, values, strict=True)
            )
            if self.body is None or not are_types_valid:
                return None
            return self.body.evaluate(Scope(dict(zip(self.params, values, strict=True)), scope))

        return Function(self.params, call, self.types, static_type(self.body))


def static_type(node: Node | None) -> Type | None:
    """Return the type of a node's value, if known without evaluation."""
    if isinstance(node, Literal) and node.value is not None:
        return Type(type_name(node.value))
    if isinstance(node, ContextNode):
        entries = [(key, static_type(value)) for key, value in node.entries]
        return Type("context", entries=tuple((key, kind) for key, kind in entries if kind is not None))
    return None


@dataclass(frozen=True, slots=True)
class UnaryTest(Node):
    """One test: a value, list, range, comparison or condition on `?`."""

    test: Node
    reads_input: bool

    def evaluate(self, scope: Scope) -> Value:  # noqa: PLR0911 - one for each kind of test
        value = scope.get(INPUT_SYMBOL)
        result = self.test.evaluate(scope)
        if self.reads_input:
            return result if isinstance(result, bool) else None
        if isinstance(self.test, Literal):
            return equal(value, result)
        if isinstance(self.test, RangeNode) and result is None:
            return None  # a comparison with null matches nothing, null included
        if isinstance(result, bool):
            return result if result or value is None else equal(value, result) is True
        if isinstance(result, Range):
            return includes(result, value)
        if isinstance(result, list):
            return any(_matches_item(value, item) for item in result) or equal(value, result) is True
        return equal(value, result)


@dataclass(frozen=True, slots=True)
class UnaryTestList(Node):
    """True if one test matches, or without tests (`-`); `negated` for `not(…)`."""

    tests: tuple[UnaryTest, ...]
    negated: bool = False

    def evaluate(self, scope: Scope) -> Value:
        result = some([test.evaluate(scope) for test in self.tests]) if self.tests else True
        return result if not self.negated or result is None else not result


@dataclass(frozen=True, slots=True)
class In(Node):
    value: Node
    tests: UnaryTestList

    def evaluate(self, scope: Scope) -> Value:
        return self.tests.evaluate(Scope(input_bindings(self.value.evaluate(scope)), scope))


def input_bindings(value: Value) -> dict[str, Value]:
    """Return the names under which a unary test reads its input."""
    return {INPUT_SYMBOL: value, INPUT_NAME: value}


def some(results: Sequence[Value]) -> bool | None:
    """Compute the ternary or: true beats null, null beats false."""
    if any(result is True for result in results):
        return True
    return False if all(result is False for result in results) else None


def every(results: Sequence[Value]) -> bool | None:
    """Compute the ternary and: false beats null, null beats true."""
    if any(result is False for result in results):
        return False
    return True if all(result is True for result in results) else None


def _matches_item(value: Value, item: Value) -> bool:
    return includes(item, value) is True if isinstance(item, Range) else equal(value, item) is True

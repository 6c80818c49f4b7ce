"""Compile and evaluate expressions and unary tests."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from services.engine.feel.convert import from_json
from services.engine.feel.errors import FeelEvaluationError, FeelSyntaxError
from services.engine.feel.grammar import Parser
from services.engine.feel.names import called_functions, free_names, meaningless_parts
from services.engine.feel.nodes import Failing, Name, Node, UnaryTestList, input_bindings
from services.engine.feel.scope import Now, Scope, Variables, system_now
from services.engine.feel.values import Value

_CACHE_SIZE = 4096


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression."""

    text: str
    node: Node

    @property
    def functions(self) -> frozenset[str]:
        """Return the functions that the expression calls and does not define."""
        return frozenset(called_functions(self.node))

    @property
    def meaningless(self) -> tuple[str, ...]:
        """Return clauses about parts that are null or false whatever the variables are."""
        return tuple(dict.fromkeys(meaningless_parts(self.node)))

    @property
    def variable(self) -> str | None:
        """Return the name of an expression that is only a variable."""
        return self.node.name if isinstance(self.node, Name) else None

    def evaluate(self, variables: Mapping[str, object], now: Now = system_now) -> Value:
        """Evaluate to a FEEL value, which `to_json` converts.

        Variables are JSON-like; `now` returns an aware datetime. As in Camunda, missing variables, wrong types and
        calls that cannot be made are null. Raises FeelEvaluationError if the evaluation fails as a whole: an `assert`
        whose condition is not true, a range without an order, a result that no value can hold.
        """
        return _evaluate(self.node, self.text, Variables(variables, now))


@dataclass(frozen=True, slots=True)
class UnaryTests:
    """Compiled unary tests: an input entry of a decision table."""

    text: str
    node: UnaryTestList

    @property
    def functions(self) -> frozenset[str]:
        """Return the functions that the tests call and do not define."""
        return frozenset(called_functions(self.node))

    @property
    def meaningless(self) -> tuple[str, ...]:
        """Return clauses about parts that are null or false whatever the variables are."""
        return tuple(dict.fromkeys(meaningless_parts(self.node)))

    def matches(self, value: object, variables: Mapping[str, object], now: Now = system_now) -> bool:
        """Return whether the input matches; null does not.

        Raises FeelEvaluationError as `evaluate` does.
        """
        scope = Scope(input_bindings(from_json(value)), Variables(variables, now))
        return _evaluate(self.node, self.text, scope) is True


@lru_cache(maxsize=_CACHE_SIZE)
def compile_expression(text: str) -> Expression:
    """Compile an expression without its leading `=`; raises FeelSyntaxError."""
    parser = Parser(text)
    try:
        node = parser.parse_expression()
    except RecursionError:
        raise _too_deep(text) from None
    return Expression(text, node)


@lru_cache(maxsize=_CACHE_SIZE)
def compile_unary_tests(text: str) -> UnaryTests:
    """Compile unary tests; empty text and `-` match every input.

    Examples: `< 10`, `"a","b"`, `not([1..5])`. Raises FeelSyntaxError.
    """
    parser = Parser(text)
    try:
        node = parser.parse_unary_tests()
    except RecursionError:
        raise _too_deep(text) from None
    return UnaryTests(text, node)


def names(text: str) -> frozenset[str]:
    """Return the variables that an expression reads; raises FeelSyntaxError.

    A name inside a filter (`items[price > 10]`) can be an entry of the items as well, and is left out.
    """
    return frozenset(free_names(compile_expression(text).node))


def unreadable(text: str, error: FeelSyntaxError) -> Expression:
    """Return an expression in the place of one that cannot be read: its evaluation fails with the error."""
    return Expression(text, Failing(str(error)))


def unreadable_tests(text: str, error: FeelSyntaxError) -> UnaryTests:
    """Return unary tests in the place of such that cannot be read, as `unreadable` does."""
    return UnaryTests(text, UnaryTestList((Failing(str(error)),)))


def _too_deep(text: str) -> FeelSyntaxError:
    return FeelSyntaxError(text, 0, "the expression is nested too deeply; split it")


def _evaluate(node: Node, text: str, scope: Scope) -> Value:
    try:
        return node.evaluate(scope)
    except RecursionError:
        raise FeelEvaluationError(f"The expression '{text}' calls itself without an end.") from None

"""Compile and evaluate expressions and unary tests."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Generic, TypeVar

from services.engine.feel.convert import from_json
from services.engine.feel.errors import FeelEvaluationError, FeelSyntaxError
from services.engine.feel.grammar import Parser
from services.engine.feel.names import called_functions, free_names, meaningless_parts
from services.engine.feel.nodes import Failing, Name, Node, UnaryTestList, input_bindings
from services.engine.feel.scope import Now, Scope, Variables, system_now
from services.engine.feel.values import Value

_CACHE_SIZE = 4096
Parsed = TypeVar("Parsed", bound=Node)


@dataclass(frozen=True, slots=True)
class Compiled(Generic[Parsed]):
    """A text, and what the parser has made of it."""

    text: str
    node: Parsed

    @property
    def functions(self) -> frozenset[str]:
        """Return the functions that the text calls and does not define."""
        return frozenset(called_functions(self.node))

    @property
    def meaningless(self) -> tuple[str, ...]:
        """Return clauses about parts that are null or false whatever the variables are."""
        return tuple(dict.fromkeys(meaningless_parts(self.node)))

    def evaluate_in(self, scope: Scope) -> Value:
        """Evaluate in a scope; raises FeelEvaluationError if the evaluation fails as a whole."""
        try:
            return self.node.evaluate(scope)
        except RecursionError:
            raise FeelEvaluationError(f"The expression '{self.text}' calls itself without an end.") from None


@dataclass(frozen=True, slots=True)
class Expression(Compiled[Node]):
    """A compiled expression."""

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
        return self.evaluate_in(Variables(variables, now))


@dataclass(frozen=True, slots=True)
class UnaryTests(Compiled[UnaryTestList]):
    """Compiled unary tests: an input entry of a decision table."""

    def matches(self, value: object, variables: Mapping[str, object], now: Now = system_now) -> bool:
        """Return whether the input matches; null does not.

        Raises FeelEvaluationError as `evaluate` does.
        """
        return self.evaluate_in(Scope(input_bindings(from_json(value)), Variables(variables, now))) is True


@lru_cache(maxsize=_CACHE_SIZE)
def compile_expression(text: str) -> Expression:
    """Compile an expression without its leading `=`; raises FeelSyntaxError."""
    return Expression(text, _parse(text, lambda parser: parser.parse_expression()))


@lru_cache(maxsize=_CACHE_SIZE)
def compile_unary_tests(text: str) -> UnaryTests:
    """Compile unary tests; empty text and `-` match every input.

    Examples: `< 10`, `"a","b"`, `not([1..5])`. Raises FeelSyntaxError.
    """
    return UnaryTests(text, _parse(text, lambda parser: parser.parse_unary_tests()))


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


def _parse(text: str, parse: Callable[[Parser], Parsed]) -> Parsed:
    try:
        return parse(Parser(text))
    except RecursionError:
        raise FeelSyntaxError(text, 0, "the expression is nested too deeply; split it") from None

"""Boolean functions."""

from services.engine.feel.builtins.registry import builtin
from services.engine.feel.errors import FeelEvaluationError
from services.engine.feel.values import Value


@builtin("not", "negand: any")
def negation(negand: Value) -> Value:
    return not negand if isinstance(negand, bool) else None


@builtin("is defined", "value: any")
def is_defined(value: Value) -> Value:
    """Return whether a value is not null.

    Camunda does not distinguish missing variables.
    """
    return value is not None


@builtin("get or else", "value: any", "default: any")
def get_or_else(value: Value, default: Value) -> Value:
    return default if value is None else value


@builtin("assert", "value: any", "condition: any")
def assert_condition(value: Value, condition: Value) -> Value:
    """Return the value, or fail the evaluation unless the condition is true."""
    return assert_with_cause(value, condition, "The condition is not fulfilled")


@builtin("assert", "value: any", "condition: any", "cause: any")
def assert_with_cause(value: Value, condition: Value, cause: Value) -> Value:
    if condition is True:
        return value
    raise FeelEvaluationError(cause if isinstance(cause, str) else "The condition is not fulfilled")

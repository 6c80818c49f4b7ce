"""Parse values: FEEL after an equals sign, else static text."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.engine.errors import ErrorType, Failure
from services.engine.feel import Expression as FeelExpression
from services.engine.feel import FeelEvaluationError, FeelSyntaxError, compile_expression, to_json, unreadable


@dataclass(frozen=True, slots=True)
class Expression:
    """``text`` as in the file; ``compiled`` is None for static text."""

    text: str
    compiled: FeelExpression | None = None

    def evaluate(
        self,
        variables: Mapping[str, Any],
        now: Callable[[], datetime],
        error_type: ErrorType = ErrorType.EXTRACT_VALUE,
    ) -> Any:
        """Evaluate to JSON values; raises Failure if FEEL fails."""
        if self.compiled is None:
            return self.text
        try:
            return to_json(self.compiled.evaluate(variables, now=now))
        except FeelEvaluationError as error:
            raise Failure(
                error_type, f"Failed to evaluate expression '{self.text.removeprefix('=')}': {error}"
            ) from error


def parse_expression(text: str) -> Expression:
    """Parse a value; raises FeelSyntaxError."""
    stripped = text.strip()
    return Expression(stripped, compile_expression(stripped[1:])) if stripped.startswith("=") else Expression(text)


def unreadable_expression(text: str, error: FeelSyntaxError) -> Expression:
    """Return an expression that fails with the error when it is evaluated.

    A file that an earlier release deployed can hold one: its instances go on up to there, and then have an incident.
    """
    return Expression(text, unreadable(text.strip().removeprefix("="), error))


def type_name(value: Any) -> str:
    """Return Zeebe's name of a JSON value's type, for error texts."""
    names: list[tuple[type, str]] = [(bool, "BOOLEAN"), (str, "STRING"), (list, "ARRAY"), (dict, "OBJECT")]
    if value is None:
        return "NULL"
    return next((name for kind, name in names if isinstance(value, kind)), "NUMBER")

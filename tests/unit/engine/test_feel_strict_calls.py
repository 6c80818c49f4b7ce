"""Calls that cannot be made: null in FEEL at large, a failure of the evaluation in a diagram, as in Zeebe 8.6."""

from datetime import UTC, datetime

import pytest

from services.engine.errors import Failure
from services.engine.feel import FeelEvaluationError, FeelSyntaxError, compile_expression
from services.engine.model.expression import parse_expression

FAIL = [
    "count(null)",
    "context merge({a: 1}, 5)",
    "unknown(1)",
    "[count(null)]",
    "{a: upper case(5)}",
    "count(null) = 0",
    "count(null) > 1",
]
GO_ON = [
    ("1 + count(null)", None),
    ("-count(null)", None),
    ("if count(null) then 1 else 2", 2),
    ("count(null) and false", False),
    ("unknown(1)[1]", None),
    ("some x in [1, 2] satisfies contains(x, 1)", None),
]


@pytest.mark.parametrize("text", FAIL)
def test_a_call_that_cannot_be_made_fails_the_evaluation_when_strict(text: str) -> None:
    with pytest.raises(FeelEvaluationError, match="The function '"):
        compile_expression(text).evaluate({}, strict=True)


@pytest.mark.parametrize(("text", "value"), GO_ON)
def test_what_such_a_call_is_part_of_may_go_on_without_it(text: str, value: object) -> None:
    assert compile_expression(text).evaluate({}, strict=True) == value


@pytest.mark.parametrize(
    ("text", "elsewhere"),
    [
        ('count("x")', 1),
        ("count({a: 1})", 1),
        ("odd([1])", True),
        ('substring("foobar", 5, null)', "ar"),
        ('list contains("x", "x")', True),
    ],
)
def test_a_single_value_is_no_list_in_a_diagram_as_camunda_has_it(text: str, elsewhere: object) -> None:
    """DMN 1.3 (10.3.2.9.4) coerces, and so do decisions; Camunda does not."""
    with pytest.raises(FeelEvaluationError, match="does not take these arguments"):
        compile_expression(text).evaluate({}, strict=True)
    assert compile_expression(text).evaluate({}) == elsewhere


@pytest.mark.parametrize("text", [*FAIL, *(text for text, _ in GO_ON)])
def test_it_is_null_otherwise(text: str) -> None:
    compile_expression(text).evaluate({})


def test_a_diagram_is_strict() -> None:
    with pytest.raises(Failure, match="count"):
        parse_expression("=count(null)").evaluate({}, lambda: datetime.now(UTC))


def test_a_diagram_does_not_use_what_zeebe_cannot_read() -> None:
    with pytest.raises(FeelSyntaxError, match="Zeebe"):
        parse_expression("=1e3")

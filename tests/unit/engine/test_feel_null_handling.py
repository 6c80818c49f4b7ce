"""What Camunda answers with null, and three-valued logic."""

import pytest

from services.engine.feel import FeelEvaluationError, compile_expression, iteration
from services.engine.feel.convert import text_of


def shown(expression: str) -> str:
    return text_of(compile_expression(expression).evaluate({"x": 5, "empty": None}))


@pytest.mark.parametrize(
    "expression",
    [
        "missing",
        "empty",
        "missing + 1",
        "null + 1",
        "1 - null",
        "null * 2",
        "null / 2",
        "1 / 0",
        "-null",
        '"a" + 1',
        '"a" - "b"',
        '-"a"',
        "missing < 1",
        "1 < null",
        "missing > 10",
        '1 < "a"',
        "true < false",
        '1 = "a"',
        '1 != "a"',
        "missing between 1 and 2",
        "missing in [1..2]",
        'x in ["a".."b"]',
        "upper case(missing)",
        "upper case(1)",
        "sum([])",
        "min([])",
        'number("abc")',
        'date("yesterday")',
        'duration("soon")',
    ],
)
def test_is_null(expression: str) -> None:
    assert shown(expression) == "null"


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("missing = null", "true"),
        ("empty = null", "true"),
        ("null = null", "true"),
        ("x = null", "false"),
        ("null != x", "true"),
        ("missing != null", "false"),
        ("is defined(missing)", "false"),
        ("is defined(empty)", "false"),
        ("is defined(x)", "true"),
        ('get or else(missing, "z")', '"z"'),
        ("get or else(x, 1)", "5"),
        ("count([1, null])", "2"),
        ("[null, 1] = [null, 1]", "true"),
        ("null in (null, 1)", "true"),
    ],
)
def test_null_is_a_value(expression: str, result: str) -> None:
    assert shown(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("count(null)", "null"),
        ("unknown(1)", "null"),
        ("[count(null)]", "[null]"),
        ("{a: upper case(5)}", "{a:null}"),
        ("count(null) = null", "true"),
        ("count(null) > 1", "null"),
        ("get or else(count(empty), 0)", "0"),
        ("context merge({a: 1}, 5)", "null"),
        ('count("x")', "null"),
        ("odd([1])", "null"),
        ('substring("foobar", 5, null)', "null"),
        ('"x"[1]', "null"),
    ],
)
def test_a_call_that_does_not_fit_is_null(expression: str, result: str) -> None:
    assert shown(expression) == result


@pytest.mark.parametrize(
    ("left", "right", "conjunction", "disjunction"),
    [
        ("true", "true", "true", "true"),
        ("true", "false", "false", "true"),
        ("true", "null", "null", "true"),
        ("false", "true", "false", "true"),
        ("false", "false", "false", "false"),
        ("false", "null", "false", "null"),
        ("null", "true", "null", "true"),
        ("null", "false", "false", "null"),
        ("null", "null", "null", "null"),
        ("1", "true", "null", "true"),
        ('"a"', "false", "false", "null"),
    ],
)
def test_ternary_logic(left: str, right: str, conjunction: str, disjunction: str) -> None:
    assert shown(f"{left} and {right}") == conjunction
    assert shown(f"{left} or {right}") == disjunction
    assert shown(f"and({left}, {right})") == conjunction
    assert shown(f"or([{left}, {right}])") == disjunction
    assert shown(f"every b in [{left}, {right}] satisfies b") == conjunction
    assert shown(f"some b in [{left}, {right}] satisfies b") == disjunction


@pytest.mark.parametrize(("expression", "result"), [("not(true)", "false"), ("not(null)", "null"), ("not(1)", "null")])
def test_not(expression: str, result: str) -> None:
    assert shown(expression) == result


def test_a_fulfilled_assertion_gives_the_value() -> None:
    assert shown("assert(x, x != null)") == "5"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("assert(missing, missing != null)", "The condition is not fulfilled"),
        ('assert(x, x > 9, "x is too small")', "x is too small"),
        ("[1, assert(x, null)]", "not fulfilled"),
        ('get or else(assert(x, false), "z")', "not fulfilled"),
    ],
)
def test_a_failed_assertion_fails_the_whole_evaluation(expression: str, message: str) -> None:
    with pytest.raises(FeelEvaluationError, match=message):
        shown(expression)


def test_the_input_symbol_outside_a_unary_test_fails_the_evaluation() -> None:
    with pytest.raises(FeelEvaluationError, match="unary test"):
        shown("? > 1")


def test_a_function_does_not_see_itself() -> None:
    assert shown("{f: function(n) f(n + 1), r: f(1)}.r") == "null"


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ('substring("foobar", 9)', "'substring' has no result"),
        ("modulo(1, 0)", "'modulo' has no result"),
        ("log(0)", "'log' has no result"),
        ("x.f(1)", "no context with such a function 'f'"),
        ("[1] < [2]", "Lists have no order"),
        ('date and time(@"2020-07-31T14:27:30", "Nowhere/City")', "no time zone 'Nowhere/City'"),
        ('date("999999999-12-31") + duration("P1D")', "out of range"),
    ],
)
def test_what_breaks_a_released_engine_fails_the_evaluation(expression: str, message: str) -> None:
    with pytest.raises(FeelEvaluationError, match=message):
        shown(expression)


def test_a_range_too_long_to_iterate_over_fails_the_evaluation() -> None:
    with pytest.raises(FeelEvaluationError, match="too long"):
        shown("for a in 1..10 ** 12 return a")


@pytest.mark.parametrize("expression", ["some {} satisfies false", "every {} satisfies true", "for {} return 1"])
def test_too_many_pairs_to_go_over_fail_the_evaluation(expression: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(iteration, "MAX_ITERATIONS", 15)
    with pytest.raises(FeelEvaluationError, match="more than 15 items"):
        shown(expression.format("a in [1, 2, 3, 4], b in [1, 2, 3, 4]"))

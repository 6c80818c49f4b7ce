"""Unary tests: the cells of decision tables."""

import pytest

from services.engine.feel import FeelSyntaxError, compile_expression, compile_unary_tests


@pytest.mark.parametrize(
    ("tests", "value"),
    [
        ("-", 5),
        ("-", None),
        ("", 5),
        ("5", 5),
        ("5.0", 5),
        ("< 10", 5),
        ("<= 5", 5),
        ("> 4", 5),
        (">= 5", 5),
        ("[1..5]", 5),
        ("(4..6)", 5),
        ("]4..6[", 5),
        ("< 3, > 4", 5),
        ("3, 5", 5),
        ("not(3)", 5),
        ("not(3, 4)", 5),
        ("not([6..9])", 5),
        ("limit", 5),
        ("> limit - 1", 5),
        ("limits", 5),
        ("[1, 5]", 5),
        ("? > 4 and ? < 6", 5),
        ("odd(?)", 5),
        ("even(? + 1)", 5),
        ("cellInput = 5", 5),
        ('"a"', "a"),
        ('"a", "b"', "b"),
        ('not("a")', "b"),
        ('starts with(?, "b")', "bc"),
        ("true", True),
        ("false", False),
        ("null", None),
        ("not(null)", 1),
        ("? = null", None),
        ("count(?) > 1", [1, 2]),
        ('list contains(?, "x")', ["x"]),
        ("[1, 2]", [1, 2]),
    ],
)
def test_holds(tests: str, value: object) -> None:
    assert compile_unary_tests(tests).matches(value, {"limit": 5, "limits": [4, 5]})


@pytest.mark.parametrize(
    ("tests", "value"),
    [
        ("5", 6),
        ("5", None),
        ("5", "5"),
        ("< 5", 5),
        ("< 5", None),
        ("< 5", "4"),
        ("[1..5)", 5),
        ("not(5)", 5),
        ("not(< 5)", None),
        ("true", False),
        ("true", None),
        ("false", True),
        ("null", 1),
        ("missing", 5),
        ("? > missing", 5),
        ("limits", 6),
        ('"-"', "a"),
        ('date("2024-01-01")', "2024-01-01"),
    ],
)
def test_does_not_hold(tests: str, value: object) -> None:
    assert not compile_unary_tests(tests).matches(value, {"limit": 5, "limits": [4, 5]})


@pytest.mark.parametrize(
    "text", ["> 5 and true", "[1..2] or true", "not(1) and true", "<", "1,", "not(", "[1..", "5 6", "- 1 -"]
)
def test_no_unary_tests(text: str) -> None:
    with pytest.raises(FeelSyntaxError):
        compile_unary_tests(text)


@pytest.mark.parametrize(("day", "holds"), [("2024-05-01", True), ("2023-05-01", False)])
def test_a_temporal_input_is_compared_as_such(day: str, holds: bool) -> None:
    value = compile_expression(f'date("{day}")').evaluate({})
    assert compile_unary_tests('>= date("2024-01-01")').matches(value, {}) is holds

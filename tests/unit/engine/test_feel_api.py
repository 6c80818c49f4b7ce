"""The room's public face: JSON in and out, the names an expression reads, compiling once; and recorded behaviour."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from services.engine.feel import FeelEvaluationError, compile_expression, from_json, names, to_json


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1", 1),
        ("2.0", 2),
        ("7.5", 7.5),
        ("10 ** 20", 10**20),
        ("[1, {a: 0.1}]", [1, {"a": 0.1}]),
        ("null", None),
        ("true", True),
        ('date("2024-02-29")', "2024-02-29"),
        ('date and time("2024-02-29T10:00:00Z")', "2024-02-29T10:00:00Z"),
        ('duration("P3D")', "P3D"),
        ('{until: duration("P1Y")}', {"until": "P1Y"}),
        ('date and time("2024-07-01T10:00:00@Europe/Berlin")', "2024-07-01T10:00:00+02:00[Europe/Berlin]"),
        ('time("10:00:00")', "10:00"),
        ('time("10:00:30")', "10:00:30"),
        ('time("10:00:00Z")', "10:00:00Z"),
        ("function(a) a", None),
        ("{r: [1..2)}", {"r": None}),
    ],
)
def test_results_as_json(expression: str, expected: object) -> None:
    result = to_json(compile_expression(expression).evaluate({}))
    assert result == expected
    assert type(result) is type(expected)


def test_variables_of_every_json_type_and_pythons_own_times() -> None:
    moment = datetime(2024, 2, 29, 10, tzinfo=UTC)
    variables = {"i": 1, "f": 0.1, "d": Decimal("0.2"), "s": "x", "b": True, "n": None, "l": [1], "c": {"k": 0.5}}
    expression = compile_expression('i + f + d + l[1] + c.k = 2.8 and s = "x" and b and n = null')
    assert expression.evaluate(variables) is True
    times = {"moment": moment, "day": date(2024, 2, 29), "span": timedelta(hours=1)}
    assert compile_expression("string([moment, day, span])").evaluate(times) == (
        "[2024-02-29T10:00:00Z, 2024-02-29, PT1H]"
    )


def test_a_binary_fraction_is_read_as_it_is_written() -> None:
    assert compile_expression("a + b = 0.3").evaluate({"a": 0.1, "b": 0.2}) is True


def test_a_result_can_be_a_variable_again() -> None:
    value = compile_expression('{at: date("2024-02-29"), until: duration("P1D")}').evaluate({})
    assert compile_expression("v.at + v.until").evaluate({"v": value}) == from_json(date(2024, 3, 1))


def test_a_variable_that_json_cannot_carry_is_named() -> None:
    with pytest.raises(FeelEvaluationError, match="variable 'x'"):
        compile_expression("x").evaluate({"x": object()})
    assert compile_expression("y").evaluate({"x": object(), "y": 1}) == 1


def test_a_text_is_compiled_once() -> None:
    assert compile_expression("a + 1") is compile_expression("a + 1")


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("a + b.c", {"a", "b"}),
        ("1", set()),
        ('if decision = "signed" then x else y', {"decision", "x", "y"}),
        ("every r in retrieved satisfies r.coverage >= limit", {"retrieved", "limit"}),
        ("for i in list, j in i.parts return partial", {"list"}),
        ("{a: 1, b: a + c}", {"c"}),
        ("function(x) x + y", {"y"}),
        ("retrieved[coverage > 0].itemId", {"retrieved"}),
        ("count(items) in [1..max]", {"items", "max"}),
        ("x in (a, > b)", {"x", "a", "b"}),
        ("`two words` + 1", {"two words"}),
        ("f(name: value)", {"value"}),
        ("x between low and high", {"x", "low", "high"}),
        ('{"itemId": itemId, coverage: coverage}', {"itemId", "coverage"}),
    ],
)
def test_the_names_an_expression_reads(expression: str, expected: set[str]) -> None:
    assert names(expression) == expected


# what a broker's recordings hold: the process and its variables, and the value it went on with
RECORDED = [
    ("x in [1..5]", {"x": 5}, True),
    ('list contains(tags, "a")', {"tags": ["a", "b"]}, True),
    ("is defined(missing)", {}, False),
    ('some q in tags satisfies q = "b"', {"tags": ["a", "b"]}, True),
    ("every v in [1,2,3] satisfies v < x", {"x": 5}, True),
    ("x between 3 and 4", {"x": 5}, False),
    ('starts with(upper case(name), "ANN")', {"name": "annabel"}, True),
    ("missing = null", {}, True),
    ('date("2024-02-01") > date("2024-01-31")', {}, True),
    ("count(items[price > 10]) = 2 and not(false)", {"items": [{"price": 5}, {"price": 11}, {"price": 12}]}, True),
    ("amount > 10", {}, None),
    ("missing + 1", {}, None),
    ("append(hits, 1)", {"hits": []}, [1]),
    ("order.net * (1 + req.rate)", {"order": {"net": 100}, "req": {"rate": 0.2}}, 120),
    ('count(votes[item = "yes"])', {"votes": ["yes", None, "yes"]}, 2),
    ("count(results[found]) in [1..count(results)-1]", {"results": [{"found": True}, {"found": False}]}, True),
    ("every r in results satisfies r.found", {"results": [{"found": True}, {"found": False}]}, False),
    ('item + "@" + place', {"item": "a", "place": "b"}, "a@b"),
    ("{item: item, mine: mine, n: loopCounter}", {"item": 1, "loopCounter": 2}, {"item": 1, "mine": None, "n": 2}),
    (
        "numberOfCompletedInstances / numberOfInstances >= 0.5 and numberOfTerminatedInstances = 0",
        {"numberOfCompletedInstances": 1, "numberOfInstances": 2, "numberOfTerminatedInstances": 0},
        True,
    ),
    ("if round = null then 1 else round + 1", {"round": None}, 1),
    ('applicationId + ":" + string(round)', {"applicationId": "a1", "round": 2}, "a1:2"),
    ('"k-" + string(nr)', {"nr": 4}, "k-4"),
    (
        "date and time(dueAt) + duration(gracePeriod)",
        {"dueAt": "2026-12-04T08:00:00Z", "gracePeriod": "PT12H"},
        "2026-12-04T20:00:00Z",
    ),
]


@pytest.mark.parametrize(("expression", "variables", "expected"), RECORDED)
def test_recorded_expressions_give_what_the_broker_went_on_with(
    expression: str, variables: dict[str, object], expected: object
) -> None:
    assert to_json(compile_expression(expression).evaluate(variables)) == expected

"""Literals, operators, control flow, functions, and what does not parse. A result is shown as FEEL writes it."""

import re

import pytest

from services.engine.feel import FeelSyntaxError, compile_expression
from services.engine.feel.convert import text_of

VARIABLES = {
    "x": 5,
    "i": 2,
    "name": "annabel",
    "tags": ["a", "b"],
    "items": [{"price": 5}, {"price": 11}, {"price": 12}],
    "retrieved": [
        {"itemId": "a", "coverage": 1},
        {"itemId": "b", "coverage": 0.5},
        {"itemId": "c", "coverage": 0},
    ],
    "person": {"name": {"first": "Li"}, "age": 40},
    "with blank": 7,
}


def shown(expression: str) -> str:
    return text_of(compile_expression(expression).evaluate(VARIABLES))


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1", "1"),
        ("-1", "-1"),
        ("0.1 + 0.2", "0.3"),
        (".5", "0.5"),
        ("1/3", "0.3333333333333333333333333333333333"),
        ("true", "true"),
        ("null", "null"),
        ('"a"', '"a"'),
        (r'"a\nb\t\"c\" \\d \d"', '"a\nb\t"c" \\d \\d"'),
        ("[]", "[]"),
        ('[1, [2], "a"]', '[1, [2], "a"]'),
        ("{}", "{}"),
        ("{a: 1, b: a + 1}", "{a:1, b:2}"),
        ('{"a b": 1, c d: 2, e+f: 3, `g,h`: 4}', "{a b:1, c d:2, e+f:3, g,h:4}"),
        ('@"2024-02-29"', "2024-02-29"),
        ('@"P1D"', "P1D"),
        ('@"nonsense"', "null"),
        ("1 // a comment\n + /* another */ 2", "3"),
        ("/* only\nlines */ 1", "1"),
    ],
)
def test_literals(expression: str, result: str) -> None:
    assert shown(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("1 + 2 * 3", "7"),
        ("(1 + 2) * 3", "9"),
        ("7 - 2 - 1", "4"),
        ("8 / 4 / 2", "1"),
        ("2 ** 3 ** 2", "64"),
        ("-2 ** 2", "4"),
        ("2 ** -1", "0.5"),
        ('"a" + "b"', '"ab"'),
        ("1 < 2 and 2 <= 2 and 3 > 2 and 3 >= 3 and 1 != 2 and 1 = 1.0", "true"),
        ('"a" < "b"', "true"),
        ("true or false and false", "true"),
        ("x between 3 and 5", "true"),
        ("x between 6 and 7 or x = 5", "true"),
        ("x in [1..5]", "true"),
        ("x in [1..5)", "false"),
        ("x in [1..5[", "false"),
        ("x in ]4..6[", "true"),
        ("x in (5..6]", "false"),
        ("x in (1, 2, 5)", "true"),
        ("x in (< 3, > 4)", "true"),
        ("x in > 5", "false"),
        ("x in [1, 5]", "true"),
        ("count(retrieved[coverage > 0]) in [1..count(retrieved)-1]", "true"),
    ],
)
def test_operators(expression: str, result: str) -> None:
    assert shown(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("person.name.first", '"Li"'),
        ("person.missing", "null"),
        ("person.missing.more", "null"),
        ("missing.name", "null"),
        ("`with blank` + 1", "8"),
        ("{`a+b`: 1}.`a+b`", "1"),
        ("items.price", "[5, 11, 12]"),
        ("items[1].price", "5"),
        ("items[-1].price", "12"),
        ("items[i].price", "11"),
        ("items[i + 1].price", "12"),
        ("items[0]", "null"),
        ("items[4]", "null"),
        ("items[-4]", "null"),
        ("items[price > 10]", "[{price:11}, {price:12}]"),
        ("items[item.price > 10].price", "[11, 12]"),
        ("items[price > x * i].price", "[11, 12]"),
        ("retrieved[coverage > 0].itemId", '["a", "b"]'),
        ('tags[item = "b"]', '["b"]'),
        ('tags[item = "z"]', "[]"),
        ("[[1, 2], [3]][1][2]", "2"),
        ("[1, 2, 3][item > 1][1]", "2"),
        ("[3, 1, 2][max([1, 2])]", "1"),
        ("[][1]", "null"),
        ("[][item > 1]", "[]"),
        ("null[1]", "null"),
    ],
)
def test_paths_and_filters(expression: str, result: str) -> None:
    assert shown(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("if x > 3 then 1 else 2", "1"),
        ("if null then 1 else 2", "2"),
        ('if "a" then 1 else 2', "2"),
        ("if x = 1 then 1 else if x = 5 then 5 else 6", "5"),
        ("for a in [1, 2] return a * 2", "[2, 4]"),
        ("for a in 1..3 return a", "[1, 2, 3]"),
        ("for a in 3..1 return a", "[3, 2, 1]"),
        ("for a in -1..i return a", "[-1, 0, 1, 2]"),
        ("for a in [1, 2], b in [10, 20] return a * b", "[10, 20, 20, 40]"),
        ("for a in 1..5 return if a = 1 then 1 else a * partial[-1]", "[1, 2, 6, 24, 120]"),
        ("for a in [] return a", "[]"),
        ("for a in null return a", "null"),
        ("every r in retrieved satisfies r.coverage >= 1", "false"),
        ("every r in retrieved satisfies r.coverage >= 0", "true"),
        ("every r in [] satisfies false", "true"),
        ("some r in retrieved satisfies r.coverage = 0.5", "true"),
        ("some r in [] satisfies true", "false"),
        ("some a in [1, 2], b in [2, 3] satisfies a = b", "true"),
        ("every a in [1, 2], b in [2, 3] satisfies a < b", "false"),
        ("some a in null satisfies a", "null"),
    ],
)
def test_control_flow(expression: str, result: str) -> None:
    assert shown(expression) == result


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("{f: function(a, b) a + b, r: f(1, 2)}.r", "3"),
        ("{f: function(a, b) a - b, r: f(b: 1, a: 3)}.r", "2"),
        ("{my sum: function(a, b) a + b, r: my sum(1, 2)}.r", "3"),
        ("{count: function(a) 99, r: count([])}.r", "99"),
        ("unknown thing(1)", "null"),
        ('substring(start position: 2, string: "abc")', '"bc"'),
        ('substring(string: "abc", nonsense: 2)', "null"),
        ("count()", "null"),
        ("count([1], [2])", "null"),
    ],
)
def test_functions(expression: str, result: str) -> None:
    assert shown(expression) == result


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("1", "number"),
        ('"a"', "string"),
        ("true", "boolean"),
        ("[1]", "list"),
        ("{a: 1}", "context"),
        ("(function(a) a)", "function"),
        ('date("2024-01-01")', "date"),
        ('time("10:00:00")', "time"),
        ('date and time("2024-01-01T10:00:00")', "date and time"),
        ('duration("P1Y")', "years and months duration"),
        ('duration("P1D")', "days and time duration"),
        ("1", "Any"),
    ],
)
def test_instance_of_its_own_type_and_no_other(value: str, kind: str) -> None:
    assert shown(f"{value} instance of {kind}") == "true"
    assert shown(f"missing instance of {kind}") == "false"
    assert shown(
        f"({value} instance of {kind}) and ({value} instance of {'string' if kind != 'string' else 'number'})"
    ) == ("false")


@pytest.mark.parametrize(
    "expression",
    [
        "(function(a) a + 1)(2)",
        "[1, 2] instance of list<number>",
        "{a: 1} instance of context<a: number>",
        '(function() "a") instance of function<>->string',
        "(function(a: number) a)(1)",
        "{f: function(a: number) a, r: f(2)}.r",
        "x instance of null",
        'duration("P1D") instance of day-time-duration',
        "1.5e3",
        "5 in = 5",
        "[1..2] = [1..2]",
        "[1..2].start included",
        'range("[2..)") = >= 2',
        '"abs"(-1)',
        "null()",
        "for a in [1..3] return a",
        "{and: 1}.and",
        "{f: function(a) a}.f(1)",
        'count("list": [1])',
        "🐎",
        '{f: function(a) external {java: {class: "C", method signature: "m(int)"}}}.f(1)',
    ],
)
def test_what_dmn_has_beyond_camunda_is_refused(expression: str) -> None:
    with pytest.raises(FeelSyntaxError):
        compile_expression(expression)


@pytest.mark.parametrize(
    ("expression", "sentence"),
    [
        ("5 in = 5", "a test that begins with '=' is not part of Camunda's FEEL"),
        ("[1..2] = [1..2]", "a range as an operand is not part of Camunda's FEEL"),
        ('"abs"(-1)', "a call of what an expression gives is not part of Camunda's FEEL"),
        ('count("list": [1])', "the argument name 'list' in quotes is not part of Camunda's FEEL"),
        ("{f: function(a: number) a, r: f(2)}.r", "the parameter 'a' with a type is not part of Camunda's FEEL"),
        ("{and: 1}.and", "the property 'and' without backticks is not part of Camunda's FEEL"),
    ],
)
def test_the_refusal_says_what_camunda_does_not_have(expression: str, sentence: str) -> None:
    with pytest.raises(FeelSyntaxError, match=re.escape(sentence)):
        compile_expression(expression)


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 0),
        ("1 +", 3),
        ("a b", 2),
        ("decision = ", 11),
        ("[1, 2", 5),
        ("f(1", 3),
        ("(1]", 2),
        ('"abc', 0),
        ("`abc", 0),
        ("if a then b", 11),
        ("for a in b", 10),
        ("some a in b return c", 12),
        ("{a 1}", 1),
        ("f(a: 1, 2)", 9),
        ("a = b = c", 6),
        ("then", 0),
        ("a # b", 2),
        ("]1 + 2", 6),
    ],
)
def test_what_is_no_expression_is_refused_where_it_goes_wrong(text: str, position: int) -> None:
    with pytest.raises(FeelSyntaxError, match="cannot be read") as caught:
        compile_expression(text)
    assert caught.value.position == position
    assert caught.value.text == text


def test_an_error_names_line_and_column() -> None:
    with pytest.raises(FeelSyntaxError, match=r"line 2, column 3"):
        compile_expression("1 +\n  *")


def test_an_expression_nested_beyond_reason_is_refused() -> None:
    with pytest.raises(FeelSyntaxError, match="nested too deeply"):
        compile_expression("(" * 5000 + "1" + ")" * 5000)


def test_keywords_that_camunda_does_not_reserve_are_names() -> None:
    result = compile_expression("if + for + some + date + time + duration").evaluate(
        {"if": 1, "for": 2, "some": 3, "date": 4, "time": 5, "duration": 6}
    )
    assert result == 21

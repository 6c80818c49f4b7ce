"""Built-in functions by group: string, numeric, list, context, range, conversion."""

import re
from collections.abc import Callable

import pytest

from services.engine.feel import compile_expression
from services.engine.feel.convert import text_of

Cases = list[tuple[str, str]]


def shown(expression: str) -> str:
    return text_of(compile_expression(expression).evaluate({}))


STRING: Cases = [
    ('substring("foobar", 3)', '"obar"'),
    ('substring("foobar", 3, 3)', '"oba"'),
    ('substring("foobar", -2, 1)', '"a"'),
    ('substring("foobar", 5, 10)', '"ar"'),
    ('string length("foo")', "3"),
    ('upper case("aBc4")', '"ABC4"'),
    ('lower case("aBc4")', '"abc4"'),
    ('substring before("foobar", "bar")', '"foo"'),
    ('substring before("foobar", "xyz")', '""'),
    ('substring before("foobar", "foo")', '""'),
    ('substring after("foobar", "ob")', '"ar"'),
    ('substring after("foobar", "xyz")', '""'),
    ('substring after("foobar", "")', '"foobar"'),
    ('contains("foobar", "of")', "false"),
    ('contains("foobar", "oba")', "true"),
    ('starts with("foobar", "fo")', "true"),
    ('ends with("foobar", "r")', "true"),
    ('replace("abcd", "(ab)|(a)", "[1=$1][2=$2]")', '"[1=ab][2=]cd"'),
    ('replace("0123456789", "(\\d{3})(\\d{3})(\\d{4})", "($1) $2-$3")', '"(012) 345-6789"'),
    ('replace("aBc", "b", "x", "i")', '"axc"'),
    ('replace("abc", "[", "x")', "null"),
    ('replace("abc", "b", "$9")', "null"),
    ('matches("foobar", "^fo*bar")', "true"),
    ('matches("foobar", "o.a")', "true"),
    ('matches("FOO", "foo", "i")', "true"),
    ('matches("a\\nb", "a.b")', "false"),
    ('matches("a\\nb", "a.b", "s")', "true"),
    ('matches("录", "^\\p{L}$")', "true"),
    ('matches("ab", "(?R)")', "null"),
    ('matches("ab", "(a(?1)?)b")', "null"),
    ('matches("(?R", "\\(?\\?R")', "true"),
    ('split("John Doe", "\\s")', '["John", "Doe"]'),
    ('split("a;b;c;;", ";")', '["a", "b", "c", "", ""]'),
    ('extract("references are 1234, 1256, 1378", "12[0-9]*")', '["1234", "1256"]'),
    ('trim("  hello world  ")', '"hello world"'),
    ('is blank("  ")', "true"),
    ('is blank("a")', "false"),
    ('to base64("FEEL")', '"RkVFTA=="'),
    ('string join(["a", "b", "c"])', '"abc"'),
    ('string join(["a", "b", "c"], ", ")', '"a, b, c"'),
    ('string join(["a", null, "c"], "-")', '"a-c"'),
    ('string join(["a", "b"], ", ", "[", "]")', '"[a, b]"'),
    ('string join(["a", 1])', "null"),
    ("string join([])", '""'),
]

NUMERIC: Cases = [
    ("decimal(1/3, 2)", "0.33"),
    ("decimal(1.5, 0)", "2"),
    ("decimal(2.5, 0)", "2"),
    ('decimal(2.5, 0, "half_up")', "3"),
    ('decimal(2.5, 0, "sideways")', "null"),
    ("floor(1.5)", "1"),
    ("floor(-1.5)", "-2"),
    ("floor(-1.56, 1)", "-1.6"),
    ("ceiling(1.5)", "2"),
    ("ceiling(-1.56, 1)", "-1.5"),
    ("round up(5.5, 0)", "6"),
    ("round up(-5.5, 0)", "-6"),
    ("round up(1.121, 2)", "1.13"),
    ("round down(-5.5, 0)", "-5"),
    ("round half up(5.5, 0)", "6"),
    ("round half up(-1.126, 2)", "-1.13"),
    ("round half down(5.5, 0)", "5"),
    ("abs(-10)", "10"),
    ("abs(n: -10)", "10"),
    ("modulo(12, 5)", "2"),
    ("modulo(-12, 5)", "3"),
    ("modulo(12, -5)", "-3"),
    ("modulo(10.1, 4.5)", "1.1"),
    ("sqrt(-1)", "null"),
    ("decimal(log(10), 8)", "2.30258509"),
    ("decimal(exp(5), 8)", "148.41315910"),
    ("odd(5)", "true"),
    ("odd(-5)", "true"),
    ("odd(2)", "false"),
    ("even(5)", "false"),
    ("even(0)", "true"),
    ('odd(number("1e999999999"))', "false"),
    ('even(number("1e999999999"))', "true"),
    ('floor(number("1e999999999"))', "1E+999999999"),
    ("random number() in [0..1)", "true"),
]

LIST: Cases = [
    ("list contains([1, 2, 3], 2)", "true"),
    ("list contains([1, null], null)", "true"),
    ('list contains([1], "1")', "false"),
    ("count([1, 2, 3])", "3"),
    ("min([1, 2, 3])", "1"),
    ("min(1, 2, 3)", "1"),
    ('max("a", "b")', '"b"'),
    ('max(1, "b")', "null"),
    ("sum([1, 2, 3.5])", "6.5"),
    ("sum(1, 2)", "3"),
    ('sum([1, "a"])', "null"),
    ("product([2, 3, 4])", "24"),
    ("product(2, 3, 4)", "24"),
    ("mean([1, 2, 3])", "2"),
    ("median(8, 2, 5, 3, 4)", "4"),
    ("median([6, 1, 2, 3])", "2.5"),
    ("median([])", "null"),
    ("decimal(stddev(2, 4, 7, 5), 6)", "2.081666"),
    ("mode(6, 3, 9, 6, 6)", "[6]"),
    ("mode([6, 1, 9, 6, 1])", "[1, 6]"),
    ("mode([])", "[]"),
    ("all([true, false])", "false"),
    ("any([false, true])", "true"),
    ("and([])", "true"),
    ("or([])", "false"),
    ("sublist([1, 2, 3], 2)", "[2, 3]"),
    ("sublist([1, 2, 3], 1, 2)", "[1, 2]"),
    ("sublist([1, 2, 3], -2, 1)", "[2]"),
    ("sublist([1], 2)", "[]"),
    ("append([1], 2, 3)", "[1, 2, 3]"),
    ("append([1], [2])", "[1, [2]]"),
    ("append(null, 2)", "null"),
    ("concatenate([1, 2], [3])", "[1, 2, 3]"),
    ("concatenate([1], [2], [3])", "[1, 2, 3]"),
    ("concatenate([1], null, 2)", "[1, null, 2]"),
    ("insert before([1, 3], 1, 2)", "[2, 1, 3]"),
    ("insert before([1, 3], -1, 2)", "[1, 2, 3]"),
    ("remove([1, 2, 3], 2)", "[1, 3]"),
    ("remove([1, 2, 3], -1)", "[1, 2]"),
    ("reverse([1, 2, 3])", "[3, 2, 1]"),
    ("index of([1, 2, 3, 2], 2)", "[2, 4]"),
    ("union([1, 2], [2, 3])", "[1, 2, 3]"),
    ("distinct values([1, 2, 3, 2, 1])", "[1, 2, 3]"),
    ('distinct values([1, "1", true, null, null])', '[1, "1", true, null]'),
    ("duplicate values([1, 2, 3, 2, 1])", "[1, 2]"),
    ("flatten([[1, 2], [[3]], 4])", "[1, 2, 3, 4]"),
    ("sort([3, 1, 4, 5, 2], function(x, y) x < y)", "[1, 2, 3, 4, 5]"),
    ("sort(list: [3, 1, 2], precedes: function(x, y) x > y)", "[3, 2, 1]"),
    ("sort([{a: 2, b: 1}, {a: 1, b: 2}, {a: 2, b: 3}], function(x, y) x.a < y.a).b", "[2, 1, 3]"),
    ("sort([3, 1], function(x, y) null)", "null"),
    ("sort([3, 1], function(x) true)", "null"),
    ("partition([1, 2, 3, 4, 5], 2)", "[[1, 2], [3, 4], [5]]"),
    ("partition([1, 2], 0)", "null"),
    ("is empty([])", "true"),
    ("is empty([null])", "false"),
]

CONTEXT: Cases = [
    ('get value({foo: 123}, "foo")', "123"),
    ('get value({a: 1}, "b")', "null"),
    ('get value({x: 1, y: {z: 0}}, ["y", "z"])', "0"),
    ('get value({x: 1}, ["y", "z"])', "null"),
    ("get entries({foo: 123})", '[{key:"foo", value:123}]'),
    ('get entries({a: 1, b: 2})[key = "b"].value', "[2]"),
    ('context put({x: 1}, "y", 2)', "{x:1, y:2}"),
    ('context put({x: 1, y: {z: 0}}, ["y", "z"], 2)', "{x:1, y:{z:2}}"),
    ('context put({x: 1}, ["y", "z"], 2)', "{x:1, y:{z:2}}"),
    ('put({x: 1}, "x", 2)', "{x:2}"),
    ("context merge([{x: 1}, {y: 2}])", "{x:1, y:2}"),
    ("context merge({x: 1, y: 0}, {y: 2})", "{x:1, y:2}"),
    ("put all({x: 1}, {y: 2})", "{x:1, y:2}"),
    ("context merge([{x: 1}, 2])", "null"),
    ('context([{key: "a", value: 1}, {key: "b", value: 2}])', "{a:1, b:2}"),
    ('context([{key: "a"}])', "null"),
    ("{a: 1, b: 2} = {b: 2, a: 1}", "true"),
    ("{a: 1} = {a: 1, b: 2}", "false"),
]

RANGE: Cases = [
    ("before(1, 10)", "true"),
    ("before([1..5], 10)", "true"),
    ("before(1, [2..5])", "true"),
    ("before([1..5], [5..10])", "false"),
    ("before([1..5), [5..10])", "true"),
    ("after([1..5], 10)", "false"),
    ("after(12, [2..5])", "true"),
    ("after([5..10], [1..5))", "true"),
    ("meets([1..5], [5..10])", "true"),
    ("meets([1..5], (5..8])", "false"),
    ("met by([5..10], [1..5])", "true"),
    ("met by([5..10], [1..5))", "false"),
    ("overlaps([5..10], [1..6])", "true"),
    ("overlaps([1..3], (3..6])", "false"),
    ("overlaps before([1..5], [4..10])", "true"),
    ("overlaps before([1..5), (3..8])", "true"),
    ("overlaps before([1..5), [5..10])", "false"),
    ("overlaps after([4..10], [1..5])", "true"),
    ("overlaps after([3..5], [1..3))", "false"),
    ("finishes(5, [1..5])", "true"),
    ("finishes([3..5], [1..5])", "true"),
    ("finishes([5..10], [1..10))", "false"),
    ("finished by([5..10], 10)", "true"),
    ("finished by([1..5], [3..5])", "true"),
    ("includes([5..10], 6)", "true"),
    ("includes([1..10], [1..5))", "true"),
    ("includes((1..10], 1)", "false"),
    ("during(5, [1..10])", "true"),
    ("during(1, (1..10])", "false"),
    ("during([4..6], [1..10))", "true"),
    ("starts(1, [1..5])", "true"),
    ("starts(1, (1..8])", "false"),
    ("starts((1..10), (1..10))", "true"),
    ("started by([1..10], [1..5])", "true"),
    ("started by((1..10], [1..5))", "false"),
    ("coincides(5, 5)", "true"),
    ("before(point1: 1, point2: 2)", "true"),
    ("during(point: 1, range: [1..2])", "true"),
    ("started by(range1: [1..3], range2: [1..2])", "true"),
    ("coincides([1..5], [1..5])", "true"),
    ("coincides((1..5], [1..5])", "false"),
    ('before(1, "a")', "null"),
    ('before(date("2024-01-01"), date("2024-01-02"))', "true"),
]

CONVERSION: Cases = [
    ('number("1500.5")', "1500.5"),
    ('number("-7")', "-7"),
    ('number("1 000,5", " ", ",")', "1000.5"),
    ('number("1,000.5", ",")', "1000.5"),
    ('number("1,5", ",", ",")', "null"),
    ('number("1 e 3")', "null"),
    ('number(11.5, ".", ",")', "null"),
    ('number(from: "1.000,5", grouping separator: ".", decimal separator: ",")', "1000.5"),
    ("string(1.10)", '"1.10"'),
    ("string(null)", "null"),
    ('string("a")', '"a"'),
    ("string(true)", '"true"'),
    ('string([1, "a", null])', '"[1, "a", null]"'),
    ("string({a: 1, b: [2]})", '"{a:1, b:[2]}"'),
    ("string([1..5))", '"[1..5)"'),
    ('string(date("2012-12-25"))', '"2012-12-25"'),
]


@pytest.mark.parametrize(
    ("expression", "result"),
    [*STRING, *NUMERIC, *LIST, *CONTEXT, *RANGE, *CONVERSION],
    ids=lambda value: str(value)[:60],
)
def test_built_in(expression: str, result: str) -> None:
    assert shown(expression) == result


@pytest.mark.parametrize(
    ("argument", "call"),
    [(argument, call) for argument in ("null", "1", '"a"', "[]", "{}") for call in (
        "upper case({})", "abs({})", "count({})", "get entries({})", "day of week({})", "substring({}, {})",
        "sort({}, {})", "context merge({})", "number({})", "before({}, {})",
    )],
)  # fmt: skip
def test_no_argument_makes_a_built_in_fail(argument: str, call: str) -> None:
    shown(call.replace("{}", argument))


def test_uuid_is_new_each_time() -> None:
    expression = compile_expression("uuid()")
    first, second = expression.evaluate({}), expression.evaluate({})
    assert isinstance(first, str)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first)
    assert first != second


@pytest.mark.parametrize("make", [str, lambda name: f"`{name}`"])
def test_a_context_key_is_read_by_name_or_in_backticks(make: Callable[[str], str]) -> None:
    assert shown(f"{{a: 1}}.{make('a')}") == "1"

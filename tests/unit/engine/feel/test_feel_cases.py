"""The engine's own cases of FEEL, grouped by built-in and by rule.

`cases.txt` holds expressions with their results as FEEL writes them: each built-in with its arguments by position and
by name, with null and with a value of each other type in each place, with too few and too many; operators, filters
and calendar values at their edges; and what the grammar takes (`ok`) and refuses (`PARSE`). Where an evaluation fails
as a whole it says `FAIL`. The results are those of DMN's text wherever Camunda's FEEL (1.19 and 1.20, of Camunda 8.7
to 8.9) agrees with it. `DEVIATIONS` are the places where the two differ, with the side that is taken and why.
"""

from pathlib import Path

import pytest

from services.engine.feel import FeelEvaluationError, FeelSyntaxError, compile_expression
from services.engine.feel.convert import text_of


def _groups() -> dict[str, list[tuple[str, str]]]:
    groups: dict[str, list[tuple[str, str]]] = {}
    for line in Path(__file__).with_name("cases.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            cases = groups.setdefault(line[2:], [])
        elif line:
            expression, _, result = line.rpartition(" => ")
            cases.append((expression, result))
    return groups


GROUPS = _groups()


def outcome(expression: str) -> str:
    try:
        compiled = compile_expression(expression)
    except FeelSyntaxError:
        return "PARSE"
    if compiled.extensions:
        return "PARSE"
    try:
        return text_of(compiled.evaluate({}))
    except FeelEvaluationError:
        return "FAIL"


@pytest.mark.parametrize("group", sorted(GROUPS))
def test_cases(group: str) -> None:
    wrong = []
    for expression, result in GROUPS[group]:
        found = outcome(expression)
        if found != result and not (result == "ok" and found != "PARSE"):
            wrong.append(f"{expression} => {found}, not {result}")
    assert not wrong


def test_there_are_cases_for_every_built_in_and_rule() -> None:
    assert sum(len(cases) for cases in GROUPS.values()) > 1000
    assert len(GROUPS) > 70


DMN, CAMUNDA = "as DMN has it", "as Camunda has it"
DEVIATIONS = [
    # a character beyond 16 bits is one character; Java counts its halves
    ('string length("🐎ab")', "3", DMN),
    ('substring("录🐎取", 2, 1)', '"🐎"', DMN),
    # nothing to show is no text; Camunda gives an empty one
    ('substring("foobar", 0)', "null", DMN),
    ('substring("foobar", 3, 0)', "null", DMN),
    # what Camunda's evaluation breaks at is null
    ('substring("foobar", -7)', "null", DMN),
    ("modulo(1, 0)", "null", DMN),
    ("log(0)", "null", DMN),
    ("stddev([1])", "null", DMN),
    # flags of XPath
    ('replace("a.b", ".", "x", "q")', '"axb"', DMN),
    ('replace("abc", "b", "x", "z")', "null", DMN),
    ('matches("hello world", " hello[ ]world", "x")', "true", DMN),
    ('matches("O", "[A-Z-[OI]]", "i")', "false", DMN),
    # 34 digits, where Camunda reckons with binary floats
    ("sqrt(2)", "1.414213562373095048801688724209698", DMN),
    ("2 ** 0.5", "1.414213562373095048801688724209698", DMN),
    # a moment is the same moment in every zone; a date counts as midnight in UTC
    ('@"2024-01-01T12:00:00+02:00" = @"2024-01-01T10:00:00Z"', "true", DMN),
    ('@"2021-01-01T10:00:00Z" - @"2021-01-01"', "PT10H", DMN),
    ('@"10:00:00+01:00" - @"10:00:00Z"', "-PT1H", DMN),
    ('-duration("P1D")', "-P1D", DMN),
    # whole durations, where Camunda cuts the factor and the seconds
    ('1.5 * @"P2M"', "P3M", DMN),
    ('string(@"PT1.5S")', '"PT1.5S"', DMN),
    # a single value stands for a list, and the other way round, but not in a diagram (test_feel_strict_calls)
    ('count("x")', "1", DMN),
    ("odd([1])", "true", DMN),
    # a list without a function is sorted in its values' own order
    ("sort([3, 1])", "[1, 3]", DMN),
    ("for x in [1, 2], y in [x, x + 1] return y", "[1, 2, 2, 3]", DMN),
    # a position past the end: DMN is silent
    ("remove([1, 2], 5)", "[1, 2]", CAMUNDA),
    ("insert before([1, 2], 4, 9)", "[1, 2, 9]", CAMUNDA),
    # an error is null and not a failure of the whole
    ("null + 1", "null", CAMUNDA),
    ('get or else(date("soon"), 1)', "1", CAMUNDA),
    # `assert` fails as a whole
    ("assert(1, false)", "FAIL", CAMUNDA),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "result", "side"), DEVIATIONS)
def test_where_camunda_and_the_specification_differ(expression: str, result: str, side: str) -> None:
    assert outcome(expression) == result, side

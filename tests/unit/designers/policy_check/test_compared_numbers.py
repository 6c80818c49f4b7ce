"""Where a model compares a variable with a number, values on both sides of it are tried."""

import pytest

from services.designers.policy_check.compared_numbers import Number, beside_ends, between, compared_numbers
from services.engine.processing.deployments import Resource

HEAD = '<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:z="http://camunda.org/schema/zeebe/1.0">'


def _compared(*expressions: str) -> dict[str, frozenset[Number]]:
    flows = "".join(f"<conditionExpression>{text}</conditionExpression>" for text in expressions)
    return dict(compared_numbers([Resource("a.bpmn", f"{HEAD}{flows}</definitions>".encode())]))


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("=managementNeeded and usePeriodDays &gt;= 5", {"usePeriodDays": {5}}),
        ("=0.9 &lt; coverage", {"coverage": {0.9}}),
        ("=coverage between 0.2 and 0.8", {"coverage": {0.2, 0.8}}),
        ("=days in [3..7]", {"days": {3, 7}}),
        ('=name = "5" or days = 7', {"days": {7}}),
        ("=days != -1", {"days": {-1}}),
        ("=managementNeeded", {}),
    ],
)
def test_the_numbers_of_an_expression_are_found(expression: str, found: dict[str, set[Number]]) -> None:
    assert _compared(expression) == {name: frozenset(numbers) for name, numbers in found.items()}


def test_a_variable_is_compared_where_it_goes_by_another_name() -> None:
    handed = '<z:input source="=usePeriodDays" target="days" /><z:input source="=days" target="length" />'
    model = f"{HEAD}{handed}<conditionExpression>=length &gt; 9</conditionExpression></definitions>"
    assert compared_numbers([Resource("a.bpmn", model.encode())])["usePeriodDays"] == {9}


def test_the_cells_of_a_table_are_compared_with_their_column() -> None:
    table = (
        '<definitions xmlns="https://www.omg.org/spec/DMN/20191111/MODEL/"><decision><decisionTable>'
        "<input><inputExpression><text>usePeriodDays</text></inputExpression></input>"
        "<rule><inputEntry><text>&gt; 12</text></inputEntry></rule>"
        "<rule><inputEntry><text>[3..7]</text></inputEntry></rule></decisionTable></decision></definitions>"
    )
    assert compared_numbers([Resource("a.dmn", table.encode())])["usePeriodDays"] == {12, 3, 7}


@pytest.mark.parametrize(
    ("numbers", "given", "lowest", "highest", "added"),
    [
        ([5], [2], 1, 365, [5, 6]),
        ([5], [2, 5, 9], 1, 365, []),
        ([1], [1, 0.5], 0.001, 1, []),
        ([0.9], [1, 0.5], 0.001, 1, [0.9]),
        ([0], [1, 0.5], 0.001, 1, []),
        ([3, 5], [2], 1, 365, [3, 4, 5, 6]),
        ([], [2], 1, 365, []),
    ],
)
def test_no_more_is_tried_than_tells_the_sides_apart(
    numbers: list[Number], given: list[Number], lowest: Number, highest: Number, added: list[Number]
) -> None:
    assert sorted(between(numbers, given, lowest, highest)) == added


@pytest.mark.parametrize(
    ("given", "lowest", "highest", "beside"),
    [([2], 1, 365, [2, 364]), ([1, 0.5], 0.001, 1, [0.002, 0.999]), ([0], 0, 1, [0.001, 0.999])],
)
def test_what_is_next_to_the_ends_is_almost_nothing_and_almost_all(
    given: list[Number], lowest: Number, highest: Number, beside: list[Number]
) -> None:
    assert beside_ends(given, lowest, highest) == beside

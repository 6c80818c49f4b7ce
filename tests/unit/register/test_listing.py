"""The order of rows that are read already, and what is found among them."""

from typing import Any

import pytest

from services.register.listing import Listing

ROWS: list[dict[str, Any]] = [
    {"name": "Gate", "seen": 2},
    {"name": "yard", "seen": None},
    {"name": "Hall", "seen": 1},
]
COLUMNS = {"name": lambda row: row["name"].casefold(), "seen": lambda row: row["seen"]}


def names(**wanted: Any) -> list[str]:
    found = Listing(**wanted).of(ROWS, COLUMNS, lambda row: (row["name"], None))
    return [row["name"] for row in found]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, ["Gate", "yard", "Hall"]),
        ({"sort": "no-such-column"}, ["Gate", "yard", "Hall"]),
        ({"sort": "name"}, ["Gate", "Hall", "yard"]),
        ({"sort": "name", "descending": True}, ["yard", "Hall", "Gate"]),
        ({"sort": "seen"}, ["Hall", "Gate", "yard"]),
        ({"sort": "seen", "descending": True}, ["Gate", "Hall", "yard"]),
        ({"text": " HA "}, ["Hall"]),
        ({"text": "%"}, []),
        ({"limit": 1, "offset": 1}, ["yard"]),
    ],
)
def test_rows_are_searched_sorted_and_cut(wanted: dict[str, Any], found: list[str]) -> None:
    assert names(**wanted) == found


def test_names_are_those_of_the_reader() -> None:
    row = type("Row", (), {"name_zh": "门", "name_en": "Gate"})

    assert (Listing().name(row), Listing(language="en").name(row)) == ("门", "Gate")

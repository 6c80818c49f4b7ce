"""Lists of the pages: what an address asks for, and the headers that sort."""

from typing import ClassVar

import pytest
from pydantic import ValidationError

from services.web.lists import MOST_ROWS, ListQuery


class Asked(ListQuery):
    SORTS: ClassVar = ("name", "since")
    FALLING: ClassVar = frozenset({"since"})
    LENGTH: ClassVar = 2

    gone: bool = False


def test_a_list_has_its_usual_order_until_another_is_chosen() -> None:
    asked, wrong = Asked(), Asked(sort="password", order="sideways")

    assert (asked.by, asked.descending) == (wrong.by, wrong.descending) == ("name", False)
    assert Asked(sort="since").descending
    assert not Asked(sort="since", order="asc").descending


def test_a_header_sorts_and_turns_round_and_keeps_what_is_looked_for() -> None:
    assert Asked(text="a&b", gone=True, page=3).turned("since") == "text=a%26b&gone=true&sort=since&order=desc"
    assert Asked(sort="since").turned("since") == "sort=since&order=asc"
    assert Asked().turned("name") == "sort=name&order=desc"


def test_a_page_knows_whether_another_follows() -> None:
    second = Asked(page=2).listing("en")

    assert (second.limit, second.offset) == (3, 2)
    assert Asked().shown(["a", "b", "c"]) == {"lines": ["a", "b"], "more": True, "wanted": Asked()}
    assert not Asked().shown(["a", "b"])["more"]


def test_csv_is_all_that_matches_and_one_more_is_read_to_know_of_others() -> None:
    asked = Asked(form="csv", page=2)

    assert (asked.as_csv, asked.listing("zh").limit, asked.listing("zh").offset) == (True, MOST_ROWS + 1, 0)
    assert "form" not in asked.query()


def test_only_a_filter_narrows_a_list() -> None:
    assert not Asked(sort="since", order="asc").narrowed
    assert Asked(text="a").narrowed
    assert Asked(gone=True).narrowed


@pytest.mark.parametrize("wrong", [{"page": 0}, {"page": 10_001}, {"text": "a" * 201}, {"text": "a\x00b"}])
def test_what_no_list_can_have_is_refused(wrong: dict[str, str | int]) -> None:
    with pytest.raises(ValidationError):
        Asked.model_validate(wrong)

"""The working hours of a day: how they are written, and what is no such text."""

import pytest

from services.runtime import working_hours


@pytest.mark.parametrize(
    ("text", "minutes", "canonical"),
    [
        ("09:00-12:00,13:00-18:00", ((540, 720), (780, 1080)), "09:00-12:00,13:00-18:00"),
        (" 08:30-12:00 13:30-17:30 ", ((510, 720), (810, 1050)), "08:30-12:00,13:30-17:30"),
        ("00:00-24:00", ((0, 1440),), "00:00-24:00"),
    ],
)
def test_spans_are_read_and_written(text: str, minutes: tuple[tuple[int, int], ...], canonical: str) -> None:
    assert working_hours.parse(text) == minutes
    assert working_hours.normalise(text) == canonical
    assert working_hours.normalise(canonical) == canonical


@pytest.mark.parametrize(
    "text",
    ["", "9-17", "09:00", "09:00-09:00", "12:00-09:00", "09:00-12:00,11:00-18:00", "09:00-12:00,12:00-18:00",
     "13:00-18:00,09:00-12:00", "09:00-24:30", "09:00-25:00", "09:60-12:00"],
)  # fmt: skip
def test_what_is_no_such_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="spans"):
        working_hours.parse(text)

"""A place of a list comes from an address, which anybody may have written: what no database takes is none."""

import base64
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from services.database.keyset import Place, Section, read_place
from services.database.tables.applications import Application

SECTIONS = (Section((Application.listed_at.expression, Application.id.expression)),)
NOON = "2031-03-04T12:00:00+00:00"


def written(*values: Any) -> str:
    """A place beside a row with these values, as an address has it."""
    content = json.dumps(["submitted", 0, False, *values])
    return base64.urlsafe_b64encode(content.encode()).decode().rstrip("=")


def test_a_place_is_read_as_it_was_written() -> None:
    place = Place(0, (datetime(2031, 3, 4, 12, tzinfo=UTC), "case"))
    assert read_place(place.text("submitted"), "submitted", SECTIONS) == place
    assert read_place(written({"at": "2031-03-04T20:00:00+08:00"}, "case"), "submitted", SECTIONS) == place


@pytest.mark.parametrize(
    "text",
    [
        written({"at": "0001-01-01T00:00:00+14:00"}, "case"),  # before the first day, in UTC
        written({"at": "9999-12-31T23:59:59-12:00"}, "case"),
        written({"at": "2031-03-04T12:00:00"}, "case"),
        written({"at": NOON}, "\ud800"),
        written({"at": NOON}, "\0"),
        written({"at": NOON}, True),
        base64.urlsafe_b64encode(b"[" * 700).decode(),
    ],
)
def test_what_no_database_takes_is_no_place(text: str) -> None:
    assert read_place(text, "submitted", SECTIONS) is None

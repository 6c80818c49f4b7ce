"""What every page has: the menu that says where one is, and spans as people read them."""

from datetime import UTC, datetime

import pytest

from services.runtime.spans import Span
from services.web.menu import ENTRIES, entries
from services.web.templates import environment, size


@pytest.mark.parametrize(
    ("path", "entry"),
    [
        ("/", "/"),
        ("/apply", "/applications"),
        ("/uploads/1", "/applications"),
        ("/reviews/1", "/inbox"),
        ("/consents/1", "/inbox"),
        ("/storage", "/storage"),
    ],
)
def test_a_page_belongs_to_one_entry_of_the_menu(path: str, entry: str) -> None:
    assert [one.path for one in ENTRIES if one.holds(path)] == [entry]


@pytest.mark.parametrize(
    ("department_kind", "shown"), [("legal", True), ("security", True), ("business", False), ("storage", False)]
)
def test_holds_are_in_the_menu_of_the_heads_who_may_read_them(department_kind: str, *, shown: bool) -> None:
    for post in ("head", "deputy"):
        assert ("/holds" in [entry.path for entry in entries([post], department_kind)]) is shown


@pytest.mark.parametrize(
    ("end", "zone", "shown"),
    [
        (datetime(2031, 3, 4, 10, 30, tzinfo=UTC), "Asia/Shanghai", "2031-03-04 18:00:00 – 18:30:00 UTC+8"),
        (
            datetime(2031, 3, 4, 16, 0, 1, tzinfo=UTC),
            "Asia/Shanghai",
            "2031-03-04 18:00:00 – 2031-03-05 00:00:01 UTC+8",
        ),
    ],
)
def test_a_span_says_its_day_once(end: datetime, zone: str, shown: str) -> None:
    assert text_of(Span(datetime(2031, 3, 4, 10, tzinfo=UTC), end), zone) == shown


def test_a_span_over_the_end_of_summer_time_says_both_offsets() -> None:
    span = Span(datetime(2031, 10, 26, 0, 30, tzinfo=UTC), datetime(2031, 10, 26, 1, 30, tzinfo=UTC))

    assert text_of(span, "Europe/Berlin") == "2031-10-26 02:30:00 UTC+2 – 02:30:00 UTC+1"


@pytest.mark.parametrize(
    ("count", "text"),
    [(None, "—"), (0, "0 B"), (1023, "1023 B"), (20 << 20, "20 MiB"), (1536, "1.5 KiB"), (5 << 40, "5 TiB")],
)
def test_a_whole_size_has_no_decimals(count: int | None, text: str) -> None:
    assert size(count) == text


def text_of(span: Span, zone: str) -> str:
    template = environment("en").from_string("{{ (span|stretch(zone))|striptags }}")
    return template.render(span=span, zone=zone, default_zone="UTC")

"""Times that are the device's own wall clock, at the edges where a clock is set forward or back."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.recorders.device_times import DeviceTimes
from services.runtime.spans import Span

BERLIN = DeviceTimes(ZoneInfo("Europe/Berlin"))
LONDON = DeviceTimes(ZoneInfo("Europe/London"))
SHANGHAI = DeviceTimes(ZoneInfo("Asia/Shanghai"))
TRUE = DeviceTimes(ZoneInfo("Asia/Shanghai"), utc=True)


def utc(*when: int) -> datetime:
    return datetime(*when, tzinfo=UTC)  # type: ignore[misc, arg-type]  # year to second


@pytest.mark.parametrize("text", ["2026-03-01T20:00:05Z", "2026-03-01T20:00:05", "20260301T200005Z"])
def test_a_z_is_the_devices_own_time(text: str) -> None:
    assert SHANGHAI.read(text) == utc(2026, 3, 1, 12, 0, 5)


@pytest.mark.parametrize("text", ["2026-03-01T12:00:05Z", "2026-03-01T12:00:05", "2026-03-01T20:00:05+08:00"])
def test_a_z_is_believed_where_that_is_configured(text: str) -> None:
    assert TRUE.read(text) == utc(2026, 3, 1, 12, 0, 5)


def test_what_is_searched_for_is_written_as_it_is_read() -> None:
    asked = Span(utc(2026, 3, 1, 15, 59, 30), utc(2026, 3, 1, 16, 0, 10) + timedelta(milliseconds=1))
    assert SHANGHAI.written(asked) == ("2026-03-01T23:59:30Z", "2026-03-02T00:00:11Z")
    assert TRUE.written(asked) == ("2026-03-01T15:59:30Z", "2026-03-01T16:00:11Z")


def test_what_is_fetched_is_written_no_wider_and_not_at_all_where_the_clock_shows_it_twice() -> None:
    behind = Span(utc(2026, 10, 25, 2, 29, 50), utc(2026, 10, 25, 2, 31, 59) + timedelta(milliseconds=1))
    assert BERLIN.exact(behind) == ("2026-10-25T03:29:50Z", "2026-10-25T03:32:00Z")
    assert BERLIN.written(behind) == ("2026-10-25T02:29:50Z", "2026-10-25T05:32:00Z")
    for start in (utc(2026, 10, 25, 0, 0), utc(2026, 10, 25, 0, 59, 59), utc(2026, 10, 25, 1, 59, 59)):
        assert BERLIN.exact(Span(start, start + timedelta(minutes=2))) is None
        assert BERLIN.exact(Span(start - timedelta(hours=3), start)) is None
    before = Span(utc(2026, 10, 24, 23, 58), utc(2026, 10, 24, 23, 59, 59))
    assert BERLIN.exact(before) == ("2026-10-25T01:58:00Z", "2026-10-25T01:59:59Z")
    forward = Span(utc(2026, 3, 29, 0, 59), utc(2026, 3, 29, 1, 1))
    assert BERLIN.exact(forward) == ("2026-03-29T01:59:00Z", "2026-03-29T03:01:00Z")
    assert TRUE.exact(behind) == ("2026-10-25T02:29:50Z", "2026-10-25T02:32:00Z")


def test_an_hour_that_comes_twice_is_told_by_what_came_before() -> None:
    assert BERLIN.read("2026-10-25T02:30:00Z") == utc(2026, 10, 25, 0, 30)
    assert BERLIN.read("2026-10-25T02:30:00Z", utc(2026, 10, 25, 0, 30)) == utc(2026, 10, 25, 0, 30)
    assert BERLIN.read("2026-10-25T02:10:00Z", utc(2026, 10, 25, 0, 30)) == utc(2026, 10, 25, 1, 10)
    assert BERLIN.read("2026-10-25T03:00:00Z", utc(2026, 10, 25, 0, 30)) == utc(2026, 10, 25, 2)


def test_an_offset_tells_which_of_two_hours_is_meant_and_a_z_does_not() -> None:
    assert BERLIN.read("2026-10-25T02:30:00+01:00") == utc(2026, 10, 25, 1, 30)
    assert BERLIN.read("2026-10-25T02:30:00+02:00") == utc(2026, 10, 25, 0, 30)
    assert LONDON.read("2026-10-25T01:30:00Z") == utc(2026, 10, 25, 0, 30)


def test_an_hour_that_is_skipped_is_a_clock_that_was_not_set_yet() -> None:
    assert BERLIN.read("2026-03-29T01:59:59Z") == utc(2026, 3, 29, 0, 59, 59)
    assert BERLIN.read("2026-03-29T02:30:00Z") == utc(2026, 3, 29, 1, 30)
    assert BERLIN.read("2026-03-29T03:00:00Z") == utc(2026, 3, 29, 1)


@pytest.mark.parametrize("start", [utc(2026, 10, 25, 0, 10), utc(2026, 10, 25, 1, 10)])
def test_both_hours_of_one_name_are_searched(start: datetime) -> None:
    begin, end = BERLIN.written(Span(start, start + timedelta(minutes=5)))
    assert begin <= "2026-10-25T02:00:00Z"
    assert end >= "2026-10-25T03:00:00Z"


def test_a_day_without_a_change_is_searched_as_it_is() -> None:
    start = utc(2026, 10, 24, 12)
    assert BERLIN.written(Span(start, start + timedelta(hours=1))) == ("2026-10-24T14:00:00Z", "2026-10-24T15:00:00Z")


def test_a_clock_in_the_hour_that_comes_twice_shows_the_time_that_is_nearer() -> None:
    near = utc(2026, 10, 25, 1, 29, 58)
    assert BERLIN.shown("2026-10-25T02:30:00", near) == utc(2026, 10, 25, 1, 30)
    assert BERLIN.shown("2026-10-25T02:30:00", near - timedelta(hours=1)) == utc(2026, 10, 25, 0, 30)


@pytest.mark.parametrize("text", ["", "soon", "2026-13-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("times", [BERLIN, SHANGHAI, DeviceTimes(ZoneInfo("America/New_York"))])
def test_what_is_no_time_is_a_value_error_or_a_moment(times: DeviceTimes, text: str) -> None:
    with suppress(ValueError):
        assert times.read(text).tzinfo is UTC

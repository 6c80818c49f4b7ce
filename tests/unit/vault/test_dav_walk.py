"""DAV, frame by frame: what the walk finds missing, and when each frame is by its date and its counter."""

import struct
from datetime import UTC, datetime, timedelta

import pytest

from services.vault.clip.container_walks import DavWalk

START = datetime(2026, 3, 1, 20, 0, 0, 300_000, tzinfo=UTC)
SECOND = 1_772_395_200_000  # START without its fraction, in milliseconds, as if it were of UTC


def frame(at: datetime, stamp: int, *, kind: int = 0xFC, body: bytes = b"unit") -> bytes:
    date = at.year - 2000 << 26 | at.month << 22 | at.day << 17 | at.hour << 12 | at.minute << 6 | at.second
    length = 24 + len(body) + 8
    head = b"DHAV" + bytes([kind, 0, 0, 0]) + struct.pack("<IIIHBB", 7, length, date, stamp % 65536, 0, 0)
    return head + body + b"dhav" + struct.pack("<I", length)


def frames(moments: list[float], counter: int = 65_000) -> list[bytes]:
    """At so many seconds after START; the counter goes over 65535 soon."""
    return [frame(START + timedelta(seconds=one), counter + round(one * 1000)) for one in moments]


def walked(parts: list[bytes], piece: int = 10_000) -> tuple[DavWalk, list[int | None]]:
    body, walk = b"".join(parts), DavWalk()
    for place in range(0, len(body), piece):
        walk.feed(body[place : place + piece])
    walk.finish()
    places = [sum(map(len, parts[:number])) for number in range(len(parts))]
    return walk, [walk.time_at(place) for place in places]


@pytest.mark.parametrize("piece", [1, 3, 7, 10_000])
def test_times_go_on_over_the_seconds_and_over_the_end_of_the_counter(piece: int) -> None:
    moments = [number / 25 for number in range(100)]
    walk, times = walked(frames(moments), piece)
    assert walk.problem is None
    assert times == [SECOND + round(one * 1000) for one in moments], "each second would begin anew by its date alone"


@pytest.mark.parametrize("gap", [2.0, 64.0, 66.0, 70.0, 200.0, 7200.0])
def test_a_gap_is_as_long_as_it_is_however_often_the_counter_began_anew(gap: float) -> None:
    moments = [0.0, 0.04, gap, gap + 0.04]
    _, times = walked(frames(moments))
    assert times == [SECOND + round(one * 1000) for one in moments]


def test_a_clock_that_was_set_and_a_counter_that_means_nothing_leave_the_date() -> None:
    later = START + timedelta(hours=5)
    _, times = walked([frame(START, 10), frame(later, 50), frame(later + timedelta(seconds=3), 20_000)])
    assert times == [SECOND, SECOND + 5 * 3_600_000, SECOND + 5 * 3_600_000 + 3000]


def test_a_counter_that_stands_still_tells_nothing_and_sound_has_its_own() -> None:
    parts = [frame(START, 10), frame(START, 10, kind=0xF0), frame(START, 10), frame(START, 10, kind=0xF1)]
    _, times = walked([*parts, frame(START, 50)])
    assert times == [SECOND, SECOND, None, None, SECOND + 40]


def test_a_date_that_is_none_tells_nothing() -> None:
    broken = frame(START, 10)
    broken = broken[:16] + b"\xff\xff\xff\xff" + broken[20:]
    walk, times = walked([broken, *frames([0, 0.04])])
    assert times == [None, SECOND, SECOND + 40]
    assert walk.problem is None


GOOD = frames([0, 0.04, 0.08])


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"".join(GOOD)[:-1], "inside a header"),
        (b"".join(GOOD)[:-8], "the last frame lacks its end"),
        (b"".join(GOOD)[:-9], "a frame declares 4 bytes and 1 of them are missing"),
        (b"".join(GOOD)[:-30], "inside a header"),
        (GOOD[0] + b"noise" + GOOD[1], "no frame begins at byte 36"),
        (GOOD[0][:-8] + b"dhav\0\0\0\0" + GOOD[1], "a frame has no end at byte 28"),
        (GOOD[0][:12] + b"\x05\0\0\0" + GOOD[0][16:] + GOOD[1], "a frame at byte 0 declares 5 bytes"),
        (b"<html>" + GOOD[0], "no frame begins at byte 0"),
    ],
)
def test_what_is_missing_or_does_not_belong_is_said_and_the_next_frame_is_found(body: bytes, problem: str) -> None:
    for piece in (1, 10_000):
        walk = DavWalk()
        for place in range(0, len(body), piece):
            walk.feed(body[place : place + piece])
        walk.finish()
        assert problem in (walk.problem or "")
        if body.endswith(GOOD[1]):
            assert walk.time_at(len(body) - len(GOOD[1])) == SECOND + 40 or walk.time_at(0) is None


def test_the_header_that_some_programs_put_before_is_passed() -> None:
    walk, times = walked([b"DAHUA" + bytes(1019), *GOOD])
    assert walk.problem is None
    assert times == [None, SECOND, SECOND + 40, SECOND + 80]

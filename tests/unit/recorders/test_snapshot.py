"""One picture at a moment, out of a segment that is held in memory, in whatever container."""

import io
from collections.abc import AsyncIterator

import av
import pytest
from films import film
from footage_formats import shoot
from vault_bench import at, span, stream

from services.recorders import snapshot
from services.recorders.protocol import NothingRecorded, Segment
from services.recorders.snapshot import picture_in
from services.runtime.jpeg import jpeg

KINDS = ["fmp4", "mp4", "mkv", "ts", "ps"]


def segment(kind: str) -> Segment:
    made = film(shoot("h264"), kind)

    async def opened() -> AsyncIterator[bytes]:
        for start in range(0, len(made.body), 50_000):
            yield made.body[start : start + 50_000]

    return Segment("one", "cam1", span(0, 4), None, made.container, opened)


def shown(number: int) -> bytes:
    """The picture of that number as it is decoded from the library's own file."""
    with av.open(io.BytesIO(shoot("h264").movie)) as container:
        for index, frame in enumerate(container.decode(video=0)):
            if index == number:
                return jpeg(frame)
    raise AssertionError


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("seconds", "number"), [(0.0, 0), (1.95, 19), (2.0, 20), (3.95, 39), (9.0, 39)])
async def test_the_picture_is_that_of_the_moment(kind: str, seconds: float, number: int) -> None:
    assert await picture_in(stream([segment(kind)]), at(seconds)) == shown(number)


@pytest.mark.parametrize("kind", ["ts", "ps"])
async def test_a_segment_too_large_to_hold_shows_no_picture_of_another_moment(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    half = len(film(shoot("h264"), kind).body) // 2
    monkeypatch.setattr(snapshot, "LARGEST_SEGMENT", half)
    assert await picture_in(stream([segment(kind)]), at(0.95)) == shown(9)
    with pytest.raises(NothingRecorded):
        await picture_in(stream([segment(kind)]), at(3.5))

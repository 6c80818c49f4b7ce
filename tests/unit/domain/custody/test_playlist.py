"""The playlist of a sealed copy: what a player reads for one picture, counted; gaps and changes of the picture."""

import io
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import av
import pytest
from custody_browser import Browser
from custody_desk import Case, Desk
from redated import RECORDINGS
from vault_bench import Given, stream

from services.database.tables.copies import Copy, Viewing
from services.domain.custody import playlist
from services.runtime.spans import Span
from services.vault.coverage import Coverage
from services.vault.sealing import Sealed, seal
from services.vault.store.protocol import Store, Target
from services.vault.verdict import FootageSource

MINUTE = RECORDINGS / "cam1" / "2026-11-24_22-46-07-242666.mp4"
START = datetime(2031, 3, 4, 9, tzinfo=UTC)


@dataclass
class CountingStore:
    """A store that counts the bytes that it hands out."""

    store: Store
    handed_out: int = 0

    def get(self, *place: Any, **part: Any) -> Iterator[bytes]:
        for piece in self.store.get(*place, **part):
            self.handed_out += len(piece)
            yield piece

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


@cache
def minute() -> tuple[bytes, timedelta]:
    """A minute as a recorder wrote it, and how long it truly is."""
    with av.open(str(MINUTE)) as container:
        last = max(packet.pts + packet.duration for packet in container.demux(video=0) if packet.pts is not None)
        return MINUTE.read_bytes(), timedelta(seconds=float(last * container.streams.video[0].time_base))


def recording(seconds: int) -> list[Given]:
    body, length = minute()
    count = -(-timedelta(seconds=seconds) // length)
    starts = [START + index * length for index in range(count)]
    return [Given(f"{index}.mp4", "gate", Span(at, at + length), body) for index, at in enumerate(starts)]


@pytest.fixture
def desk(tmp_path: Path, filmed: Path) -> Desk:
    return Desk(tmp_path, filmed)


@pytest.fixture
def counting(desk: Desk) -> CountingStore:
    return CountingStore(desk.store)


@pytest.fixture
async def custodian(desk: Desk, counting: CountingStore) -> AsyncIterator[Browser]:
    browser = await Browser.of(desk, "custodian", store=counting)
    yield browser
    await browser.client.aclose()


async def lent(desk: Desk, *channels: str) -> str:
    case: Case = desk.case(*channels)
    await case.lend()
    [copy] = desk.rows(Copy)
    return str(copy.id)


async def lent_long(desk: Desk, seconds: int) -> Sealed:
    """A copy on loan that holds a recording of so many seconds."""
    copy_id = await lent(desk, "gate")
    segments = recording(seconds)
    sealed = await seal(
        FootageSource(
            stream(segments),
            Span(START, START + timedelta(seconds=seconds)),
            "gate",
            promised=[segment.span for segment in segments],
        ),
        Target(desk.store, "copies", f"copies/{copy_id}/long", {}),
        recipients=[desk.loan_keys.create(copy_id)],
    )
    desk.change(Copy, copy_id, sealed=sealed.to_json())
    return sealed


async def opened(browser: Browser, copy_id: str) -> dict[str, Any]:
    answer = await browser.post(f"/api/copies/{copy_id}/viewings", purposeConfirmed=True)
    told: dict[str, Any] = answer.json()
    return told


async def ranged(browser: Browser, content: str, told: str) -> bytes:
    """What a player gets for ``length@offset``."""
    length, offset = (int(number) for number in told.split("@"))
    answer = await browser.get(content, Range=f"bytes={offset}-{offset + length - 1}")
    assert answer.status_code == 206
    return answer.content


def parsed(text: str) -> list[tuple[float, str, str]]:
    """Start in seconds of play, map and byte range of each line."""
    found, start, initial = [], 0.0, ""
    for map_range, length, bytes_range in re.findall(
        r'#EXT-X-MAP:.*BYTERANGE="(.*)"|#EXTINF:(.*),\n#EXT-X-BYTERANGE:(.*)', text
    ):
        if map_range:
            initial = map_range
        else:
            found.append((start, initial, bytes_range))
            start += float(length)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [150, 600, 3600])
async def test_the_first_picture_at_100_seconds_takes_a_tenth_of_the_object_at_most(
    desk: Desk, custodian: Browser, counting: CountingStore, seconds: int
) -> None:
    sealed = await lent_long(desk, seconds)
    [copy] = desk.rows(Copy)
    viewing = await opened(custodian, copy.id)

    counting.handed_out = 0
    text = (await custodian.get(viewing["playlist"])).text
    start, initial, fragment = max(line for line in parsed(text) if line[0] <= 100)
    bodies = [await ranged(custodian, viewing["content"], told) for told in (initial, fragment)]

    assert counting.handed_out <= sealed.size / 10
    with av.open(io.BytesIO(b"".join(bodies))) as container:
        picture = next(container.decode(video=0))
    assert picture.key_frame
    assert picture.width > 0
    assert abs(picture.time - start) < 0.05
    assert start <= 100 < start + 5


async def test_a_playlist_names_each_fragment_once_with_the_recorders_own_time(desk: Desk, custodian: Browser) -> None:
    sealed = await lent_long(desk, 150)
    [copy] = desk.rows(Copy)
    viewing = await opened(custodian, copy.id)

    answer = await custodian.get(viewing["playlist"])

    assert answer.headers["content-type"].startswith("application/vnd.apple.mpegurl")
    assert "no-store" in answer.headers["cache-control"]
    lines = answer.text.splitlines()
    assert lines[:2] == ["#EXTM3U", "#EXT-X-VERSION:7"]
    assert lines[-1] == "#EXT-X-ENDLIST"
    ranges = [told for _, _, told in parsed(answer.text)]
    assert ranges == [f"{one.length}@{one.offset}" for one in sealed.fragments]
    assert answer.text.count("#EXT-X-MAP") == 1
    assert f"#EXT-X-PROGRAM-DATE-TIME:{sealed.coverage.first_frame.isoformat(timespec='milliseconds')}" in lines
    assert {line for line in lines if not line.startswith("#")} == {f"content?viewing={viewing['id']}"}
    played = sum(float(told) for told in re.findall(r"#EXTINF:(.*),", answer.text))
    covered = sum((span.duration for span in sealed.coverage.covered), timedelta()).total_seconds()
    assert abs(played - covered) < 0.5


@pytest.mark.requirement("R41")
async def test_a_range_of_a_playlist_is_booked_as_every_read(desk: Desk, custodian: Browser) -> None:
    await lent_long(desk, 150)
    [copy] = desk.rows(Copy)
    viewing = await opened(custodian, copy.id)
    _, _, told = parsed((await custodian.get(viewing["playlist"])).text)[3]
    length, offset = (int(number) for number in told.split("@"))

    await custodian.get(viewing["content"], Range=f"bytes={offset}-{offset + length - 1}")

    [row] = desk.rows(Viewing)
    assert (row.reads, row.bytes_read, row.ranges) == (1, length, [[offset, offset + length]])


async def test_a_gap_breaks_the_line_and_the_dates_tell_how_long_it_is(desk: Desk, custodian: Browser) -> None:
    copy_id = await lent(desk, "yard")
    text = (await custodian.get((await opened(custodian, copy_id))["playlist"])).text

    before, after = text.split("#EXT-X-DISCONTINUITY\n")
    assert "#EXT-X-MAP" not in after
    dates = [datetime.fromisoformat(told) for told in re.findall(r"DATE-TIME:(.*)", text)]
    lengths = [float(told) for told in re.findall(r"#EXTINF:(.*),", text)]
    last = before.count("#EXTINF") - 1
    assert (dates[last + 1] - dates[last]).total_seconds() - lengths[last] == pytest.approx(8, abs=0.2)


def test_another_part_brings_its_own_first_boxes() -> None:
    at = ["2031-03-04T09:00:00+00:00", "2031-03-04T09:00:02+00:00", "2031-03-04T09:00:04+00:00"]
    box = {"container": "mp4"}
    parts = [
        {"offset": 0, "length": 300, "init": 100, "span": at[:2], "codecs": ["h264"], "fingerprint": "a"} | box,
        {"offset": 300, "length": 350, "init": 150, "span": at[1:], "codecs": ["h264"], "fingerprint": "b"} | box,
    ]
    spans = {"asked": [at[0], at[2]], "covered": [[at[0], at[2]]], "gaps": [], "lost": []}
    counts = {"share": 1, "leadInMs": 0, "tailMs": 0, "packets": 2, "droppedPackets": 0, "driftMs": 0}
    rest = {"firstFrame": at[0], "lastFrame": at[2], "zero": at[0], "leftOut": [], "problems": [], "sources": []}
    rest |= {"requested": [at[0], at[2]], "trimmedBeforeMs": 0, "trimmedAfterMs": 0}
    coverage = Coverage.from_json({**spans, **counts, **rest, "parts": parts, "codecs": ["h264"], "fingerprint": "a"})
    fragments = Sealed.from_json(
        {
            "bucket": "copies", "key": "k", "versionId": "v", "size": 1, "plainSize": 650, "sha256Plain": "",
            "sha256Cipher": "", "outcome": "complete", "coverage": coverage.to_json(),
            "fragments": [[0, 100, 200], [2000, 450, 200]],
        }
    ).fragments  # fmt: skip

    text = playlist.write(coverage, fragments, "content")

    assert re.findall(r'BYTERANGE="(.*)"', text) == ["100@0", "150@300"]
    assert text.index("#EXT-X-DISCONTINUITY") < text.index("150@300")
    assert re.findall(r"#EXTINF:(.*),", text) == ["2.000", "2.000"]


async def test_a_playlist_is_for_its_viewer_alone_and_only_under_a_grant(desk: Desk, custodian: Browser) -> None:
    copy_id = await lent(desk, "gate")
    address = (await opened(custodian, copy_id))["playlist"]
    assert (await custodian.get(f"/api/copies/{copy_id}/playlist.m3u8?viewing=none")).status_code == 404
    stranger = await Browser.of(desk, "stranger")
    assert (await stranger.get(address)).status_code == 404
    await stranger.client.aclose()

    desk.freeze()
    answer = await custodian.get(address)

    assert (answer.status_code, answer.json()["code"]) == (403, "copy-frozen")


async def test_what_was_opened_opens_no_more_once_the_loan_key_is_destroyed(desk: Desk, custodian: Browser) -> None:
    copy_id = await lent(desk, "gate")
    content = (await opened(custodian, copy_id))["content"]
    assert (await custodian.get(content, Range="bytes=0-9")).status_code == 206

    desk.loan_keys.destroy(copy_id)

    answer = await custodian.get(content, Range="bytes=0-9")
    assert (answer.status_code, answer.json()["code"]) == (403, "key-destroyed")

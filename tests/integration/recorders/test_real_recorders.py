"""The recorders' contract against real ones, where there are some.

``RECORDER_ZONEMINDER=http://user:password@host/zm`` and ``RECORDER_MEDIAMTX=http://user:password@host:9996`` name them,
``…_ZONE`` a zone other than UTC and ``…_CHANNEL`` the channel, which is recording now and has been for some minutes.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from recorders.judged import judged
from vault_bench import Bench

from services.recorders.protocol import Recorder, RecorderDown, RecorderFacts, WrongChannel
from services.recorders.registry import Places, open_recorder
from services.runtime.addresses import Guard, parse_networks
from services.runtime.spans import Span

ANYWHERE = Places(guard=Guard(parse_networks("0.0.0.0/0,::/0"), ("http", "https")))
CHANNELS = {"zoneminder": "1", "mediamtx": "cam1"}
MINUTES = timedelta(minutes=3)
SHORT = timedelta(seconds=40)
TURN = timedelta(seconds=2)  # what a span may differ by from one question to the next, while recording goes on


@dataclass(frozen=True)
class Real:
    kind: str
    channel: str
    told: Mapping[str, str]

    def open(self, **changes: str) -> Recorder:
        return open_recorder(self.kind, {**self.told, **changes}, ANYWHERE)


@pytest.fixture(params=sorted(CHANNELS))
def real(request: pytest.FixtureRequest) -> Real:
    kind: str = request.param
    name = f"RECORDER_{kind.upper()}"
    address = os.environ.get(name)
    if not address:
        pytest.skip(f"{name} names no {kind}: set it to http://user:password@host/… to ask a real one")
    parts = urlsplit(address)
    place = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
    channel = os.environ.get(f"{name}_CHANNEL", CHANNELS[kind])
    told = {"address": place, "user": parts.username or "", "password": parts.password or ""}
    told["zone"] = os.environ.get(f"{name}_ZONE", "UTC")
    if kind == "mediamtx":
        told["channels"] = channel
    return Real(kind, channel, told)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench.in_folder(tmp_path)


def recently(facts: RecorderFacts) -> Span:
    """The last minutes by the recorder's clock, ending a moment ago."""
    now = datetime.now(UTC) + timedelta(milliseconds=facts.clock_offset_ms or 0) - timedelta(seconds=10)
    return Span(now - MINUTES, now)


async def test_it_tells_what_it_is_its_clock_and_its_oldest_footage(real: Real) -> None:
    facts = await real.open().probe()
    assert facts.reachable
    assert facts.clock_method == "http-date"
    assert facts.clock_offset_ms is not None
    assert (facts.clock_uncertainty_ms or 0) < 5000
    assert facts.oldest_frame[real.channel] < datetime.now(UTC)


async def test_what_it_lists_is_fetched_and_proven_whole(real: Real, bench: Bench) -> None:
    recorder = real.open()
    listed = await recorder.coverage(real.channel, recently(await recorder.probe()))
    longest = max(listed, key=lambda one: one.duration)
    asked = Span(longest.start, min(longest.end, longest.start + 2 * SHORT)).widen(-TURN)
    sealed = await judged(bench, recorder, asked, real.channel)
    assert sealed.coverage.problems == ()
    assert sealed.outcome == "complete"
    hashes = bench.hashes(sealed)
    assert len(hashes) == len(set(hashes))


async def test_footage_is_the_same_whenever_it_is_fetched(real: Real, bench: Bench) -> None:
    recorder = real.open()
    listed = await recorder.coverage(real.channel, recently(await recorder.probe()))
    longest = max(listed, key=lambda one: one.duration)
    asked = Span(longest.start + TURN, min(longest.end - TURN, longest.start + SHORT))
    once = bench.hashes(await judged(bench, recorder, asked, real.channel))
    again = bench.hashes(await judged(bench, recorder, asked, real.channel, key="masters/item/2"))
    assert once == again != []


async def test_a_recording_in_progress_counts_up_to_now(real: Real) -> None:
    recorder = real.open()
    span = recently(await recorder.probe())
    segments = [segment async for segment in recorder.fetch(real.channel, span)]
    assert segments
    assert segments[-1].span.end > span.end - MINUTES / 2


async def test_nothing_is_there_before_the_oldest_and_after_now(real: Real) -> None:
    recorder = real.open()
    oldest = (await recorder.probe()).oldest_frame[real.channel]
    for early in (oldest - timedelta(days=2), datetime.now(UTC) + timedelta(days=2)):
        span = Span(early, early + timedelta(hours=1))
        assert await recorder.coverage(real.channel, span) == []
        assert [segment async for segment in recorder.fetch(real.channel, span)] == []


async def test_a_picture_is_shown(real: Real) -> None:
    recorder = real.open()
    listed = await recorder.coverage(real.channel, recently(await recorder.probe()))
    assert (await recorder.snapshot(real.channel, listed[0].start + timedelta(seconds=3)))[:2] == b"\xff\xd8"


async def test_a_channel_that_it_does_not_have_is_a_wrong_channel(real: Real) -> None:
    now = datetime.now(UTC)
    with pytest.raises((WrongChannel, RecorderDown)):  # MediaMTX refuses it at once where the user may not read it
        await real.open().coverage("999", Span(now - MINUTES, now))


async def test_a_wrong_password_is_told(real: Real) -> None:
    wrong = real.open(password="not-the-pass-word")
    assert (await wrong.probe()).reachable is False
    with pytest.raises(RecorderDown) as down:
        await wrong.coverage(real.channel, Span(datetime.now(UTC) - MINUTES, datetime.now(UTC)))
    assert down.value.code == "login"


async def test_what_is_protected_is_let_go_again(real: Real) -> None:
    recorder = real.open()
    listed = await recorder.coverage(real.channel, recently(await recorder.probe()))
    span = Span(listed[0].start, listed[0].start + TURN)
    held = await recorder.protect(real.channel, span)
    assert held is (real.kind == "zoneminder")
    await recorder.release(real.channel, span)

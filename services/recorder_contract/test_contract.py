"""What the product relies on, of every kind of recorder. Run it as ``plugin`` says; each failure says what is wrong."""

import socket
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from services.recorder_contract.plugin import ANYWHERE, Subject
from services.recorders.kinds import Places
from services.recorders.outside import CONTAINERS
from services.recorders.protocol import OutsideRoots, Recorder, RecorderDown, Segment, WrongChannel
from services.runtime.addresses import Guard
from services.runtime.iterators import closing
from services.runtime.settings.stores import FolderStore
from services.runtime.spans import Span
from services.vault.age import generate_identity
from services.vault.sealing import Sealed, seal
from services.vault.store.opening import open_store
from services.vault.store.protocol import Target
from services.vault.verdict import FootageSource

pytestmark = pytest.mark.asyncio
METHODS = ("api-time", "http-date", "unknown")
LATER = timedelta(days=3)


async def _fetched(recorder: Recorder, channel: str, span: Span) -> list[Segment]:
    return [segment async for segment in recorder.fetch(channel, span)]


async def _bytes(segment: Segment) -> bytes:
    return b"".join([chunk async for chunk in segment.open()])


def _closed() -> str:
    """An address at which nothing answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


async def _sealed(subject: Subject, recorder: Recorder, folder: Path) -> Sealed:
    """Take it through the product's own pass: copied, measured, judged, encrypted."""
    store = open_store(FolderStore(folder, "contract"))
    store.ensure()
    promised = await recorder.coverage(subject.channel, subject.recorded)
    segments = recorder.fetch(subject.channel, subject.recorded)
    source = FootageSource(segments, subject.recorded, subject.channel, promised)
    _, recipient = generate_identity()
    return await seal(source, Target(store, "masters", "contract/1", {}), recipients=[recipient])


async def test_its_form_has_names_in_both_languages_and_takes_what_is_entered(recorder_subject: Subject) -> None:
    schema = recorder_subject.described.schema
    assert schema.code == recorder_subject.kind
    assert schema.message.zh.strip(), "its name lacks Chinese"
    assert schema.message.en.strip(), "its name lacks English"
    recorder_subject.open()


async def test_it_tells_what_it_is_and_how_its_clock_was_measured(recorder_subject: Subject) -> None:
    facts = await recorder_subject.open().probe()
    assert facts.reachable, "the recorder that was named does not answer"
    assert facts.make.strip()
    assert facts.identity.strip()
    assert facts.clock_method in METHODS, f"clock_method is one of {METHODS}"
    assert (facts.clock_offset_ms is None) == (facts.clock_method == "unknown")
    assert all(first.tzinfo is not None for first in facts.oldest_frame.values()), "times need a zone"


async def test_it_lists_what_was_recorded_within_what_is_asked(recorder_subject: Subject) -> None:
    recorder, asked = recorder_subject.open(), recorder_subject.recorded
    covered = await recorder.coverage(recorder_subject.channel, asked)
    assert covered, "it lists nothing of the span that it has recorded"
    assert all(asked.start <= one.start < one.end <= asked.end for one in covered)
    assert all(before.end < after.start for before, after in pairwise(covered)), "in order, and each stretch whole"
    middle = asked.start + asked.duration / 2
    half = await recorder.coverage(recorder_subject.channel, Span(asked.start, middle))
    assert all(one.end <= middle for one in half)


async def test_it_lists_nothing_where_nothing_was_recorded(recorder_subject: Subject) -> None:
    recorder = recorder_subject.open()
    late = Span(datetime.now(UTC) + LATER, datetime.now(UTC) + LATER + timedelta(hours=1))
    assert await recorder.coverage(recorder_subject.channel, late) == []
    assert await _fetched(recorder, recorder_subject.channel, late) == []


async def test_segments_come_in_order_of_time_and_can_be_read_again(recorder_subject: Subject) -> None:
    segments = await _fetched(recorder_subject.open(), recorder_subject.channel, recorder_subject.recorded)
    assert segments, "it fetches nothing of the span that it has recorded"
    assert all(one.channel == recorder_subject.channel for one in segments)
    assert all(one.container in CONTAINERS for one in segments)
    assert [one.span.start for one in segments] == sorted(one.span.start for one in segments)
    assert len({(one.name, one.span) for one in segments}) == len(segments), "each has a name of its own"
    first = segments[0]
    once, again = await _bytes(first), await _bytes(first)
    assert once, "its first segment is empty"
    assert once == again, "a segment that is opened again begins anew, with the same bytes"
    assert first.size in (None, len(once)), "size is None, or what comes"


async def test_a_stream_that_is_left_early_is_closed(recorder_subject: Subject) -> None:
    recorder = recorder_subject.open()
    async with closing(recorder.fetch(recorder_subject.channel, recorder_subject.recorded)) as segments:
        async for segment in segments:
            async with closing(segment.open()) as chunks:
                async for _ in chunks:
                    break
            break
    assert (await recorder.probe()).reachable


async def test_what_it_lists_is_fetched_and_proven_whole(recorder_subject: Subject, tmp_path: Path) -> None:
    sealed = await _sealed(recorder_subject, recorder_subject.open(), tmp_path)
    assert sealed.coverage.problems == ()
    assert sealed.outcome == "complete", f"gaps: {[(one.start, one.end) for one in sealed.coverage.gaps]}"


async def test_a_picture_is_a_jpeg(recorder_subject: Subject) -> None:
    at = recorder_subject.recorded.start + timedelta(seconds=1)
    assert (await recorder_subject.open().snapshot(recorder_subject.channel, at)).startswith(b"\xff\xd8\xff")


async def test_a_channel_that_it_does_not_have_is_told(recorder_subject: Subject) -> None:
    with pytest.raises(WrongChannel):
        await recorder_subject.open().coverage(recorder_subject.wrong_channel, recorder_subject.recorded)


async def test_a_wrong_secret_is_told_and_not_repeated(recorder_subject: Subject) -> None:
    secrets = sorted(recorder_subject.described.schema.secrets & set(recorder_subject.configuration))
    if not secrets:
        pytest.skip("its configuration has no secret")
    wrong = recorder_subject.open(ANYWHERE, **{secrets[0]: "n0t-the-s3cret"})
    assert not (await wrong.probe()).reachable, "probe tells it, and raises nothing"
    with pytest.raises(RecorderDown) as down:
        await wrong.coverage(recorder_subject.channel, recorder_subject.recorded)
    assert down.value.code == "login"
    assert "n0t-the-s3cret" not in str(down.value)


async def test_one_that_is_away_is_told(recorder_subject: Subject) -> None:
    places = sorted(one.name for one in recorder_subject.described.schema.fields if one.kind == "address")
    if not places:
        pytest.skip("its configuration has no address")
    away = recorder_subject.open(ANYWHERE, **dict.fromkeys(places, _closed()))
    assert not (await away.probe()).reachable, "probe tells it, and raises nothing"
    with pytest.raises(RecorderDown) as down:
        await away.coverage(recorder_subject.channel, recorder_subject.recorded)
    assert down.value.away == "recorder", "what a wait may mend is awaited: give a code that is none of REFUSALS"


async def test_addresses_go_through_the_guard(recorder_subject: Subject) -> None:
    places = [one.name for one in recorder_subject.described.schema.fields if one.kind == "address"]
    if not places:
        pytest.skip("its configuration has no address")
    closed = Places(guard=Guard((), ("http", "https")))
    guarded = recorder_subject.open(closed, **dict.fromkeys(places, _closed()))
    with pytest.raises(OutsideRoots):
        await guarded.coverage(recorder_subject.channel, recorder_subject.recorded)


async def test_protection_is_given_or_said_to_be_impossible(recorder_subject: Subject) -> None:
    recorder = recorder_subject.open()
    held = await recorder.protect(recorder_subject.channel, recorder_subject.recorded)
    assert held in (True, False)
    await recorder.release(recorder_subject.channel, recorder_subject.recorded)

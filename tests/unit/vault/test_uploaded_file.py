"""A file that a person brings: sealed whole on its way in, placed at its start, refused where it is no footage."""

import hashlib
import struct
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from films import film, pictures
from footage_formats import FPS, shoot
from footage_maker import truncate
from uploaded_files import EPOCH, NO_FOOTAGE, START, created, fragmented, plain
from vault_bench import NOON, Bench

from services.runtime.media_kinds import KINDS, kind_of
from services.runtime.spans import Span
from services.vault.clip.client import ClipFailed, Limits, UnsupportedFootage
from services.vault.coverage import FootageMissing, FootageUnreadable
from services.vault.sealing import MasterSource, Sealed, issue
from services.vault.store.protocol import Target
from services.vault.uploaded_file import ORIGIN, NotFootage, UploadedFile, moved_to, receive

pytestmark = pytest.mark.requirement("R8", "R9")

KEY = "quarantine/uploads/one"


async def sent(data: bytes, piece: int = 30_000) -> AsyncIterator[bytes]:
    for start in range(0, len(data), piece):
        yield data[start : start + piece]


async def received(bench: Bench, data: bytes, **changes: Any) -> UploadedFile:
    given: dict[str, Any] = {
        "name": "one",
        "recipients": [bench.recipient],
        "store": bench.store,
        "bucket": "quarantine",
        "key": KEY,
    }
    return await receive(sent(data, changes.pop("piece", 30_000)), **{**given, **changes})


def left(bench: Bench) -> list[str]:
    return list(bench.store.list_keys("quarantine"))


@pytest.mark.parametrize("shape", ["fragmented", "plain", "index first"])
async def test_every_packet_of_the_file_is_in_the_sealed_object(bench: Bench, shape: str) -> None:
    written = fragmented(bench.root)
    data = {
        "fragmented": written.path.read_bytes,
        "plain": lambda: plain(written),
        "index first": lambda: plain(written, index_first=True),
    }[shape]()

    came = await received(bench, data)

    assert (came.sha256, came.size) == (hashlib.sha256(data).hexdigest(), len(data))
    assert bench.hashes(came.sealed) == [one.sha256 for one in written.pictures]
    assert came.sealed.outcome == "complete"
    assert came.sealed.coverage.asked.start == ORIGIN
    assert abs(came.duration - timedelta(seconds=4)) < timedelta(milliseconds=100)
    assert came.sealed.coverage.codecs == ("h264", "aac")
    assert (came.sealed.coverage.gaps, came.sealed.coverage.share) == ((), 1.0)


async def test_nothing_of_it_lies_in_the_clear_and_it_is_held(bench: Bench) -> None:
    written = fragmented(bench.root)
    came = await received(bench, written.path.read_bytes())

    cipher = b"".join(bench.store.get("quarantine", KEY))
    facts = bench.store.stat("quarantine", KEY)
    assert cipher.startswith(b"age-encryption.org/v1\n")
    assert b"moov" not in cipher
    assert facts is not None
    assert facts.legal_hold
    assert facts.metadata == {"upload": "one"}
    assert came.sealed.size == facts.size


async def test_placing_it_moves_every_moment_and_nothing_else(bench: Bench) -> None:
    came = await received(bench, fragmented(bench.root).path.read_bytes())

    there = moved_to(came.sealed, START)

    assert there.coverage.asked.start == there.coverage.first_frame == START
    assert there.coverage.covered[0].start == there.coverage.parts[0].span.start == START
    assert moved_to(there, ORIGIN) == came.sealed
    assert (there.sha256_plain, there.key, there.fragments) == (
        came.sealed.sha256_plain,
        came.sealed.key,
        came.sealed.fragments,
    )
    assert Sealed.from_json(there.to_json()) == there


async def test_a_copy_is_cut_from_it_as_from_any_master(bench: Bench) -> None:
    from services.vault.age import X25519Identity, generate_identity  # noqa: PLC0415

    written = fragmented(bench.root, 8)
    there = moved_to((await received(bench, written.path.read_bytes())).sealed, START)
    identity, recipient = generate_identity()
    granted = Span(START + timedelta(seconds=2), START + timedelta(seconds=4))

    copy = await issue(
        MasterSource(bench.store, there, "one", X25519Identity(bench.identity)),
        granted,
        Target(bench.store, "copies", "copies/copy/1", {"copy": "copy"}),
        recipients=[recipient],
    )

    wanted = [one.sha256 for one in written.pictures if granted.start <= one.at < granted.end]
    got = bench.hashes(copy, identity=identity)
    assert copy.outcome == "complete"
    assert got[-len(wanted) :] == wanted


async def test_what_the_file_says_of_its_start_is_told(bench: Bench) -> None:
    data = fragmented(bench.root).path.read_bytes()

    assert (await received(bench, created(data, START))).created == START


@pytest.mark.parametrize("moment", [START.replace(year=1904, month=1, day=1, hour=0), START.replace(year=1970)])
async def test_a_clock_that_was_never_set_says_nothing(bench: Bench, moment: Any) -> None:
    data = fragmented(bench.root).path.read_bytes()

    assert (await received(bench, created(data, moment))).created is None


@pytest.mark.parametrize("kind", ["matroska", "ts", "ps", "mov", "dav"])
async def test_other_containers_are_taken_too(bench: Bench, kind: str) -> None:
    shot = shoot("h264", "pcm_alaw" if kind in ("ps", "mov", "dav") else "aac")
    made = film(shot, kind)

    came = await received(bench, made.body, piece=500)

    assert came.sha256 == hashlib.sha256(made.body).hexdigest()
    assert pictures(bench, came.sealed) == made.pictures
    assert came.sealed.outcome == "complete"
    assert came.sealed.coverage.first_frame == ORIGIN
    assert came.created is None


@pytest.mark.requirement("R8", "R9", refuses=True)
@pytest.mark.parametrize(
    "head", [b"\x1aE\xdf\xa3", b"\0\0\1\xba", b"DHAV\xfd", b"\x47" + bytes(187) + b"\x47" + bytes(187)]
)
async def test_what_only_begins_like_footage_cannot_be_played(bench: Bench, head: bytes) -> None:
    with pytest.raises(FootageUnreadable):
        await received(bench, head + bytes(5000))

    assert left(bench) == []


@pytest.mark.requirement("R8", "R9", refuses=True)
@pytest.mark.parametrize("kind", NO_FOOTAGE)
async def test_what_is_no_mp4_is_named_and_leaves_nothing(bench: Bench, kind: str) -> None:
    with pytest.raises(NotFootage) as refusal:
        await received(bench, NO_FOOTAGE[kind], piece=100)

    assert refusal.value.kind == kind
    assert kind in KINDS
    assert left(bench) == []


def test_an_mp4_is_told_by_its_first_box_alone() -> None:
    assert kind_of(b"\x00\x00\x00\x18ftypmp42") is None
    assert kind_of(b"\x00\x00\x00\x08wide") is None


def counted_on(data: bytes, by: timedelta) -> bytes:
    """The fragmented MP4 of one track with each fragment's decoding time later by as much."""
    place = data.index(b"mdhd") + 16
    ticks = by // timedelta(seconds=1) * int.from_bytes(data[place : place + 4], "big")
    changed, place = bytearray(data), data.find(b"tfdt")
    while place >= 0:
        time = slice(place + 8, place + 16)
        changed[time] = (int.from_bytes(changed[time], "big") + ticks).to_bytes(8, "big")
        place = data.find(b"tfdt", place + 1)
    return bytes(changed)


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_an_export_of_several_days_is_kept_whole_and_its_gap_is_named(bench: Bench) -> None:
    shot = shoot("h264", "pcm_alaw")
    later = timedelta(days=3)
    counter = later // timedelta(milliseconds=1)  # it has gone on meanwhile
    runs = film(shot, "dav", counter=0), film(shot, "dav", start=NOON + later, counter=counter)

    came = await received(bench, b"".join(run.body for run in runs))

    assert pictures(bench, came.sealed) == [picture for run in runs for picture in run.pictures]
    assert came.sealed.outcome == "partial"
    [hole] = came.sealed.coverage.gaps
    lasts = timedelta(seconds=len(shot.pictures) / FPS)
    assert abs(hole.duration - (later - lasts)) < timedelta(milliseconds=200)
    assert abs(came.duration - (later + lasts)) < timedelta(milliseconds=200)


COUNTED_FROM = [timedelta(hours=60), START - datetime(1970, 1, 1, tzinfo=UTC), START - EPOCH]


@pytest.mark.parametrize("late", COUNTED_FROM)
async def test_times_that_count_from_long_before_the_first_picture_are_no_gap(bench: Bench, late: timedelta) -> None:
    written = fragmented(bench.root, 8, sound=False)

    came = await received(bench, counted_on(written.path.read_bytes(), late))

    assert bench.hashes(came.sealed) == [one.sha256 for one in written.pictures]
    assert (came.sealed.outcome, came.sealed.coverage.gaps) == ("complete", ())
    assert came.sealed.coverage.first_frame == ORIGIN
    assert abs(came.duration - timedelta(seconds=8)) < timedelta(milliseconds=100)


def garbled(data: bytes, number: int, ticks: int) -> bytes:
    """The fragmented MP4 with another decoding time in its fragment of that number, counted over all tracks."""
    place = -1
    for _ in range(number):
        place = data.index(b"tfdt", place + 1)
    return data[: place + 8] + ticks.to_bytes(8, "big") + data[place + 16 :]


@pytest.mark.requirement("R8", "R9", refuses=True)
@pytest.mark.parametrize("ticks", [10**7, 10**12, 10**14, 0x7F7F7F7F7F7F7F7F], ids=["minutes", "years", "ages", "most"])
@pytest.mark.parametrize("number", [5, 8])
async def test_a_garbled_time_is_never_the_end_of_a_complete_file(bench: Bench, ticks: int, number: int) -> None:
    written = fragmented(bench.root, 8, sound=False)

    came = await received(bench, garbled(written.path.read_bytes(), number, ticks))

    whole = [one.sha256 for one in written.pictures]
    kept = bench.hashes(came.sealed)
    assert came.sealed.outcome == "partial"
    assert kept == whole or (came.sealed.coverage.problems and len(kept) == len(whole) - 10), "a fragment has ten"


async def test_sound_of_a_garbled_time_takes_no_picture_with_it(bench: Bench) -> None:
    written = fragmented(bench.root, 8)
    data = written.path.read_bytes()

    came = await received(bench, garbled(data, data.count(b"tfdt"), 10**12))

    assert bench.hashes(came.sealed) == [one.sha256 for one in written.pictures]


async def test_a_run_that_begins_without_its_key_frame_ends_no_process(bench: Bench) -> None:
    shot = shoot("h264", "pcm_alaw")
    run, later = film(shot, "dav"), film(shot, "dav", start=NOON + timedelta(days=30)).body

    came = await received(bench, run.body + later[later.index(b"DHAV", 1) :])

    assert came.sealed.outcome == "partial"
    assert came.sealed.coverage.problems
    assert pictures(bench, came.sealed)[: len(run.pictures)] == run.pictures


async def test_a_file_that_was_cut_off_is_partial_and_says_so(bench: Bench) -> None:
    written = fragmented(bench.root, 8)
    truncate(written.path, 0.7)

    came = await received(bench, written.path.read_bytes())

    assert came.sealed.outcome == "partial"
    assert came.sealed.coverage.problems
    assert set(bench.hashes(came.sealed)) <= {one.sha256 for one in written.pictures}


def box(kind: bytes, body: bytes, size: int | None = None) -> bytes:
    return struct.pack(">I4s", 8 + len(body) if size is None else size, kind) + body


def sized(kind: bytes, size: int) -> bytes:
    """The header of a box of 64-bit size."""
    return struct.pack(">I4sQ", 1, kind, size)


HOSTILE = {
    "an index larger than anything": box(b"ftyp", b"isom0000") + sized(b"moov", 1 << 62) + bytes(5000),
    "an index that claims more than there is": box(b"ftyp", b"isom0000") + box(b"moov", bytes(5000), 1 << 24),
    "an index of size 1 without its size": box(b"ftyp", b"isom0000") + struct.pack(">I4s", 1, b"moov"),
    "boxes inside that reach out": box(b"ftyp", b"isom0000") + box(b"moov", box(b"trak", bytes(100), 1 << 30)),
    "a box without end": box(b"ftyp", b"isom0000") + box(b"moov", b"", 0) + bytes(5000),
    "nothing but a header": box(b"ftyp", b"isom0000"),
    "media without an index": box(b"ftyp", b"isom0000") + box(b"mdat", bytes(5000)),
    "an index of noise": box(b"ftyp", b"isom0000") + box(b"moov", bytes(range(256)) * 200),
}


@pytest.mark.requirement("R8", "R9", refuses=True)
@pytest.mark.parametrize("what", HOSTILE)
async def test_crafted_boxes_are_refused_and_leave_nothing(bench: Bench, what: str) -> None:
    with pytest.raises((FootageUnreadable, FootageMissing, ClipFailed)):
        await received(bench, HOSTILE[what])

    assert left(bench) == []


@pytest.mark.requirement("R8", "R9", refuses=True)
async def test_a_plain_mp4_that_does_not_fit_the_window_is_refused_before_it_is_all_there(bench: Bench) -> None:
    data = plain(fragmented(bench.root, 8))

    with pytest.raises(UnsupportedFootage, match="plain MP4"):
        await received(bench, data, limits=Limits(window=len(data) // 2))

    assert left(bench) == []


@pytest.mark.requirement("R8", "R9", refuses=True)
@pytest.mark.parametrize(("cause", "told"), [(EOFError, EOFError), (ConnectionResetError, ClipFailed)])
async def test_a_sender_who_stops_leaves_nothing(bench: Bench, cause: type[Exception], told: type[Exception]) -> None:
    data = fragmented(bench.root).path.read_bytes()

    async def broken() -> AsyncIterator[bytes]:
        yield data[: len(data) // 2]
        raise cause("gone")

    with pytest.raises(told):
        await receive(
            broken(), name="one", recipients=[bench.recipient], store=bench.store, bucket="quarantine", key=KEY
        )
    assert left(bench) == []
    assert bench.store.sweep("quarantine", KEY) == 0

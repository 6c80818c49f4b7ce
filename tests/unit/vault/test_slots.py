"""Memory shared with the clip process: read only over there, laid into again once nobody uses it, and quoted right."""

import asyncio
import ctypes
import gc
import hashlib
import io
import mmap
import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from footage_maker import Camera
from vault_bench import NOON, Bench, given, span, stream

from services.vault import clip as clip_module
from services.vault.clip import GATHERED, Clip
from services.vault.clip_pipes import Inlet, Outgoing
from services.vault.conveyor import in_own_thread
from services.vault.feed import Feed
from services.vault.framing import PLACE, frame, message
from services.vault.intake import READ, ClipFailed, Intake
from services.vault.slots import KEPT, SLOT, SLOTS, Slots, Window
from services.vault.store import Source, Stored, StoreDown


@pytest.fixture
def slots() -> Iterator[Slots]:
    made = Slots.made()
    assert made is not None
    yield made
    os.close(made.descriptor)


def window_of(slots: Slots) -> Window:
    return Window(os.dup(slots.descriptor))


def shared_now() -> list[str]:
    """The memory of this kind that is open in this process."""
    links = [str(link.readlink()) for link in Path("/proc/self/fd").iterdir() if link.is_symlink()]
    return [link for link in links if "memfd:footage" in link]


def lay(slots: Slots, piece: bytes) -> int:
    laid = slots.lay(piece)
    assert laid is not None
    assert laid[1] == piece
    return laid[0]


def intake_of(slots: Slots | None, sent: bytes) -> Intake:
    """What comes to its end after these bytes, which a pipe must hold."""
    reading, writing = os.pipe()
    os.write(writing, sent)
    os.close(writing)
    return Intake(reading, slots)


def test_the_process_sees_what_is_laid_and_may_not_write_there(slots: Slots) -> None:
    window = window_of(slots)
    slot = lay(slots, b"footage")
    assert window.piece(slot, 7) == b"footage"
    with pytest.raises(PermissionError):
        mmap.mmap(slots.descriptor, SLOT * SLOTS)
    with pytest.raises(PermissionError):
        os.pwrite(slots.descriptor, b"else", slot * SLOT)
    with pytest.raises(PermissionError):
        os.ftruncate(slots.descriptor, 0)


def test_a_slot_is_free_again_once_both_users_have_let_go_of_it(slots: Slots) -> None:
    laid = [lay(slots, bytes([number])) for number in range(SLOTS)]
    assert sorted(laid) == list(range(SLOTS))
    told: list[str] = []
    slots.when_free(lambda: told.append("free"))
    slots.hashed(laid[3])
    slots.hashed(laid[3])
    assert slots.lay(b"more") is None
    slots.given_back(laid[4])
    slots.given_back(laid[4])
    assert (slots.lay(b"more"), told) == (None, [])
    slots.given_back(laid[3])
    assert told == ["free"]
    assert lay(slots, b"more") == laid[3]


def test_who_waits_for_a_slot_is_told_that_none_will_be_free(slots: Slots) -> None:
    for _ in range(SLOTS):
        lay(slots, b"footage")
    told: list[str] = []
    slots.when_free(lambda: told.append("before"))
    slots.lose()
    slots.when_free(lambda: told.append("after"))
    assert told == ["before", "after"]
    with pytest.raises(BrokenPipeError):
        slots.lay(b"more")


def test_what_is_held_by_any_view_is_not_given_back_and_no_more_than_half_is_held(slots: Slots) -> None:
    window = window_of(slots)
    held = [window.piece(lay(slots, bytes([number]) * 100), 100) for number in range(KEPT)]
    assert window.freed == []
    copied = window.piece(lay(slots, b"copied"), 6)
    assert isinstance(copied, bytes)
    [freed] = window.freed
    part = memoryview(held[0])[40:50][2:4]
    del held[0]
    assert window.freed == [freed]
    assert part == b"\0\0"
    del part
    assert len(window.freed) == 2


def test_what_lies_in_a_slot_is_quoted_and_the_rest_is_sent(slots: Slots) -> None:
    window = window_of(slots)
    reading, writing = os.pipe()
    out, intake = Outgoing(writing, window), Intake(reading, slots)
    piece = window.piece(lay(slots, b"the footage"), 11)
    assert isinstance(piece, memoryview)
    out.writelines([b"head", piece[4:], b"", piece[:3]])
    assert b"".join(intake.take()) == b"headfootagethe"
    for _ in range(SLOTS - 1):
        lay(slots, b"other")
    assert slots.lay(b"more") is None
    del piece
    out.let_go()
    out.writelines([b"tail"])
    assert b"".join(intake.take()) == b"tail"
    slots.hashed(SLOTS - 1)
    assert slots.lay(b"more") is None  # the process has let go, who reads its clip has not
    os.close(writing)
    assert intake.take() == []
    with pytest.raises(BrokenPipeError):
        slots.lay(b"more")


@pytest.mark.parametrize("step", [1, 7, 16, 17, 4096])
def test_messages_may_come_in_any_pieces(slots: Slots, monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    chance = random.Random(step)  # noqa: S311 - bytes, no secret
    said, expected = b"", b""
    slot = lay(slots, chance.randbytes(SLOT))
    for _ in range(40):
        inline, start, length = chance.randbytes(chance.randrange(40)), chance.randrange(1000), chance.randrange(5000)
        said += message(b"B", 0, 0, len(inline)) + inline + message(b"Q", slot, start, length)
        quoted = slots.quoted(slot, start, length)
        assert quoted is not None
        expected += inline + quoted
    pipe = io.BytesIO(said)
    monkeypatch.setattr(os, "readv", lambda _, rooms: pipe.readinto(rooms[0][:step]))
    intake = Intake(-1, slots)
    came = b"".join(b"".join(pieces) for pieces in iter(intake.take, []))
    assert came == expected


@pytest.mark.parametrize(
    "said",
    [
        pytest.param((b"Q", 3, 0, 1), id="a slot that was not lent"),
        pytest.param((b"Q", SLOTS, 0, 1), id="no slot"),
        pytest.param((b"Q", 0, SLOT - 1, 2), id="beyond its end"),
        pytest.param((b"Q", 0, 2**32 - 1, 2), id="far beyond its end"),
    ],
)
def test_what_was_not_given_cannot_be_quoted(slots: Slots, said: tuple[bytes, int, int, int]) -> None:
    lay(slots, b"footage")
    slots.given_back(3)
    letter, slot, start, length = said
    first = SLOTS - 1  # the one that was laid into
    intake = intake_of(slots, message(letter, first if slot == 0 else slot, start, length))
    with pytest.raises(ClipFailed, match="quoted what it was not given"):
        intake.take()


def test_what_was_quoted_is_not_quoted_over_and_over(slots: Slots) -> None:
    quote = message(b"Q", lay(slots, b"footage"), 0, SLOT)
    assert sum(map(len, intake_of(slots, SLOTS * quote).take())) == SLOTS * SLOT
    with pytest.raises(ClipFailed, match="quoted what it was not given"):
        intake_of(slots, (SLOTS + 1) * quote).take()


def test_what_is_being_laid_cannot_be_quoted_yet(slots: Slots, monkeypatch: pytest.MonkeyPatch) -> None:
    quoted: list[memoryview | None] = []

    def copy(*_: object) -> None:
        quoted.append(slots.quoted(SLOTS - 1, 0, 7))

    monkeypatch.setattr(ctypes, "memmove", copy)
    assert slots.lay(b"footage") is not None
    assert quoted == [None]
    assert slots.quoted(SLOTS - 1, 0, 7) is not None


async def test_a_frame_of_a_slot_is_read_as_footage(slots: Slots) -> None:
    reading, writing = os.pipe()
    feed, digest = Feed(writing, slots), hashlib.sha256()
    await feed.footage(b"the footage", digest)
    await feed.put(frame(b"E"))
    await feed.finish()
    with os.fdopen(reading, "rb") as pipe:
        inlet = Inlet(pipe, window_of(slots))
        assert inlet.frame() == (b"D", b"the footage")
        assert inlet.frame() == (b"E", b"")
        assert inlet.frame() is None
    assert digest.hexdigest() == hashlib.sha256(b"the footage").hexdigest()


async def test_footage_waits_for_a_slot_and_no_longer_than_the_process_lives(slots: Slots) -> None:
    reading, writing = os.pipe()
    feed, digest = Feed(writing, slots), hashlib.sha256()
    for _ in range(SLOTS):
        await feed.footage(b"piece", digest)
    waiting = asyncio.create_task(feed.footage(b"one more", digest))
    await feed.put(frame(b"E"))  # by now all are hashed
    assert not waiting.done()
    slots.given_back(4)
    await waiting
    waiting = asyncio.create_task(feed.footage(b"and one more", digest))
    await feed.put(frame(b"E"))
    assert not waiting.done()
    slots.lose()
    with pytest.raises(BrokenPipeError):
        await waiting
    with os.fdopen(reading, "rb") as pipe:
        told = pipe.read((SLOTS + 1) * len(frame(b"P", PLACE.pack(0, 0))) + len(frame(b"E")))
    assert told.count(b"P") == SLOTS + 1
    feed.end()


@pytest.mark.requirement("R36")
@pytest.mark.parametrize("shared", [True, False])
async def test_the_clip_is_the_same_with_shared_memory_and_without(
    bench: Bench, camera: Camera, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    if not shared:
        monkeypatch.setattr(Slots, "made", lambda: None)
    written = camera.record(NOON, 40)
    sealed = await bench.seal(span(1, 39), [given(one) for one in written])
    monkeypatch.undo()
    again = await bench.seal(span(1, 39), [given(one) for one in written], key="again")
    assert sealed.sha256_plain == again.sha256_plain
    assert sealed.coverage.sources == again.coverage.sources
    assert [one.sha256 for one in sealed.coverage.sources] == [
        hashlib.sha256(one.path.read_bytes()).hexdigest() for one in written
    ]


async def test_a_sealing_that_fails_keeps_no_memory(bench: Bench, camera: Camera) -> None:
    class Down:
        def put(self, bucket: str, key: str, source: Source, **_: Any) -> Stored:
            for _ in range(3):
                source.readinto(memoryview(bytearray(SLOT)))
            raise StoreDown("the store went away")

        def sweep(self, bucket: str, key: str) -> int:
            return 0

    written = [given(one) for one in camera.record(NOON, 8)]
    kept = []
    gc.disable()
    try:
        for _ in range(2):
            with pytest.raises(StoreDown) as failure:
                await bench.seal(span(0, 8), written, store=Down())
            kept.append(failure)
        assert not shared_now()
    finally:
        gc.enable()


async def test_footage_in_small_pieces_fills_slots(camera: Camera, monkeypatch: pytest.MonkeyPatch) -> None:
    laid: list[int] = []

    class Counted(Slots):
        def lay(self, piece: bytes | memoryview) -> tuple[int, memoryview] | None:
            laid.append(len(piece))
            return super().lay(piece)

    monkeypatch.setattr(clip_module, "Slots", Counted)
    [one] = camera.record(NOON, 4)
    body = one.path.read_bytes() + (8 + SLOT).to_bytes(4, "big") + b"free" + bytes(SLOT)
    async with Clip(stream([given(one, body=body)]), span(0, 4), "cam1") as clip:
        while await in_own_thread(clip.take):
            pass
        await clip.conclude()
    assert sum(laid) == len(body)
    assert all(size >= GATHERED for size in laid[:-1])
    assert clip.taken[0].sha256 == hashlib.sha256(body).hexdigest()


async def test_a_process_that_was_killed_ends_the_clip_and_what_feeds_it(camera: Camera) -> None:
    empty = (8 + 2 * SLOT).to_bytes(4, "big") + b"free" + bytes(2 * SLOT)
    written = [given(one, body=one.path.read_bytes() + empty) for one in camera.record(NOON, 40)]
    async with Clip(stream(written), span(0, 40), "cam1") as clip:
        assert await in_own_thread(clip.take)
        os.kill(clip._process.pid, signal.SIGKILL)
        while await in_own_thread(clip.take):
            pass
        with pytest.raises(ClipFailed, match="ended with status"):
            await clip.conclude()


def test_more_than_fits_the_room_comes_in_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    body = random.Random(1).randbytes(3 * READ)  # noqa: S311 - bytes, no secret
    pipe = io.BytesIO(message(b"B", 0, 0, len(body)) + body)
    monkeypatch.setattr(os, "readv", lambda _, rooms: pipe.readinto(rooms[0]))
    intake = Intake(-1, None)
    assert b"".join(b"".join(pieces) for pieces in iter(intake.take, [])) == body

"""Sealing, issuing and replicating on real stores: hashes, keys, fragments, and nothing left behind by a failure."""

import asyncio
import hashlib
import io
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import av
import pytest
from footage_maker import Camera, numbers_in
from portal_store import PortalStore
from vault_bench import NOON, Bench, assert_honest, given, span, wanted

from services.recorders.protocol import Segment
from services.runtime.errors import Fatal
from services.vault.age import NotARecipient, X25519Identity, generate_identity
from services.vault.byte_stream import ByteStream, in_own_thread
from services.vault.coverage import FootageMissing, Fragment, fragments_from_json, fragments_to_json
from services.vault.sealing import MasterDamaged, MasterSource, Sealed, issue
from services.vault.store.protocol import Source, Store, StoreConflict, Stored, StoreDown, Target
from services.vault.store.replicas import ObjectDamaged, replicate, verify
from services.vault.store.upload import UploadStopped


async def issued(bench: Bench, master: Sealed, granted: Any, **changes: Any) -> tuple[Sealed, str]:
    identity, recipient = generate_identity()
    store = changes.pop("store", bench.store)
    copy = await issue(
        MasterSource(
            store,
            replace(master, sha256_plain=changes.pop("sha256_plain", master.sha256_plain)),
            "cam1",
            changes.pop("unwrapper", X25519Identity(bench.identity)),
        ),
        granted,
        Target(store, "copies", changes.pop("key", "copies/copy/1"), {"copy": "copy"}),
        recipients=[recipient],
        **changes,
    )
    return copy, identity


@pytest.mark.requirement("R36")
async def test_hashes_are_those_of_what_is_stored(any_store: Store, key: str, tmp_path: Path) -> None:
    bench = Bench(any_store, tmp_path / "recordings")
    written = Camera(bench.root, "cam1").record(NOON, 8)
    sealed = await bench.seal(span(0, 8), key=key)
    cipher = b"".join(any_store.get("masters", key))
    plain = bench.reader(sealed.location).read()
    assert plain is not None
    assert (hashlib.sha256(cipher).hexdigest(), len(cipher)) == (sealed.sha256_cipher, sealed.size)
    assert (hashlib.sha256(plain).hexdigest(), len(plain)) == (sealed.sha256_plain, sealed.plain_size)
    assert cipher.startswith(b"age-encryption.org/v1\n")
    assert [(one.sha256, one.size) for one in sealed.coverage.sources] == [
        (hashlib.sha256(one.path.read_bytes()).hexdigest(), one.path.stat().st_size) for one in written
    ]
    assert await verify(any_store, "masters", key, sealed.version_id, sealed.sha256_cipher)
    assert not await verify(any_store, "masters", key, sealed.version_id, sealed.sha256_plain)


async def test_every_recipient_opens_it_and_nobody_else(bench: Bench, camera: Camera) -> None:
    camera.record(NOON, 4)
    escrow, recipient = generate_identity()
    sealed = await bench.seal(span(0, 4), recipients=[bench.recipient, recipient])
    assert bench.hashes(sealed) == bench.hashes(sealed, identity=escrow)
    with pytest.raises(NotARecipient):
        bench.reader(sealed.location, generate_identity()[0])


async def test_facts_survive_json(bench: Bench, camera: Camera) -> None:
    camera.record(NOON, 8)
    sealed = await bench.seal(span(1, 10))
    assert Sealed.from_json(sealed.to_json()) == sealed
    assert fragments_from_json(fragments_to_json(sealed.fragments)) == sealed.fragments


async def test_progress_rises_to_the_whole(bench: Bench, camera: Camera) -> None:
    camera.record(NOON, 12)
    told: list[tuple[int, float]] = []
    sealed = await bench.seal(span(0, 12), progress=lambda size, share: told.append((size, share)))
    assert told == sorted(told)
    assert told[-1] == (sealed.plain_size, 1.0)


async def test_each_fragment_plays_alone_from_its_bytes(bench: Bench, camera: Camera) -> None:
    camera.record(NOON, 6)
    camera.record(NOON.replace(second=20), 6)
    sealed = await bench.seal(span(1, 25))
    (part,) = sealed.coverage.parts
    reader = bench.reader(sealed.location)

    def range_of(offset: int, length: int) -> bytes:
        reader.seek(offset)
        return reader.read(length) or b""

    init = range_of(part.offset, part.init)
    assert [fragment.time_ms for fragment in sealed.fragments] == [
        *(second * 1000 for second in range(5)),
        *(second * 1000 for second in range(19, 24)),
    ]
    for fragment in sealed.fragments:
        with av.open(io.BytesIO(init + range_of(fragment.offset, fragment.length))) as container:
            numbers = numbers_in(container.decode(video=0))
        recorded = fragment.time_ms // 100 + 10
        first = recorded if recorded < 60 else recorded - 200 + 60
        assert numbers == list(range(first, first + 10))
    ends = [fragment.offset + fragment.length for fragment in sealed.fragments]
    assert [part.init, *ends[:-1]] == [fragment.offset for fragment in sealed.fragments]
    assert ends[-1] == sealed.plain_size


@pytest.mark.requirement("R36", refuses=True)
async def test_copy_of_the_whole_has_identical_packets(bench: Bench) -> None:
    Camera(bench.root, "cam1", sound=True).record(NOON, 8)
    master = await bench.seal(span(1, 7))
    copy, identity = await issued(bench, master, span(1, 7))
    for kind in ("video", "audio"):
        assert bench.hashes(copy, kind, identity) == bench.hashes(master, kind)
    assert copy.outcome == "complete"
    assert (copy.coverage.lead_in_ms, copy.coverage.first_frame) == (
        master.coverage.lead_in_ms,
        master.coverage.first_frame,
    )
    with pytest.raises(NotARecipient):
        bench.reader(copy.location, bench.identity)


async def test_copy_is_cut_to_the_granted_span(any_store: Store, key: str, tmp_path: Path) -> None:
    bench = Bench(any_store, tmp_path / "recordings")
    written = Camera(bench.root, "cam1").record(NOON, 12)
    master = await bench.seal(span(0, 12), key=key)
    copy, identity = await issued(bench, master, span(3.2, 7.7), key=key)
    assert copy.outcome == "complete"
    assert bench.hashes(copy, identity=identity) == [one.sha256 for one in wanted(written, span(3.2, 7.7))]
    assert copy.coverage.asked == span(3.2, 7.7)
    assert copy.coverage.covered == (span(3, 7.7),)


async def test_copy_of_a_master_with_a_gap_states_the_gap(bench: Bench, camera: Camera) -> None:
    camera.record(NOON, 6)
    camera.record(NOON.replace(second=20), 6)
    master = await bench.seal(span(0, 26))
    copy, identity = await issued(bench, master, span(2, 22))
    assert master.outcome == copy.outcome == "partial"
    assert copy.coverage.gaps == (span(6, 20),)
    assert len(bench.hashes(copy, identity=identity)) == 60


async def test_copy_of_a_master_in_parts_has_parts(bench: Bench, camera: Camera) -> None:
    small = camera.record(NOON, 8)
    large = Camera(bench.root, "cam1", size=(320, 192)).record(NOON.replace(second=8), 8)
    master = await bench.seal(span(0, 16))
    copy, identity = await issued(bench, master, span(2.5, 12.5))
    assert len(copy.coverage.parts) == 2
    assert bench.hashes(copy, identity=identity) == [one.sha256 for one in wanted([*small, *large], span(2.5, 12.5))]


async def test_granted_span_outside_the_master_is_missing(bench: Bench, camera: Camera) -> None:
    camera.record(NOON, 8)
    master = await bench.seal(span(0, 8))
    with pytest.raises(FootageMissing):
        await issued(bench, master, span(20, 30))
    assert bench.objects() == ["masters/item/1"]


@pytest.mark.parametrize("size", [(160, 96), (320, 192)])
async def test_master_with_another_hash_gives_no_copy(bench: Bench, camera: Camera, size: tuple[int, int]) -> None:
    camera.record(NOON, 4)
    Camera(bench.root, "cam1", size=size).record(NOON.replace(second=4), 4)
    master = await bench.seal(span(0, 8))
    with pytest.raises(MasterDamaged, match="verification makes a damaged master anew from its replica"):
        await issued(bench, master, span(0, 8), sha256_plain="0" * 64)
    assert bench.objects() == ["masters/item/1"]


async def test_wrong_key_gives_no_copy(bench: Bench, camera: Camera) -> None:
    camera.record(NOON, 8)
    master = await bench.seal(span(0, 8))
    with pytest.raises(NotARecipient):
        await issued(bench, master, span(0, 8), unwrapper=X25519Identity(generate_identity()[0]))
    assert bench.objects() == ["masters/item/1"]


class Wrapped:
    """A store with one thing changed; everything else is the store's own."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __getattr__(self, name: str) -> Any:
        return getattr(self.store, name)


class Rotten(Wrapped):
    """Gives back one flipped bit."""

    def get(self, bucket: str, key: str, **where: Any) -> Iterator[bytes]:
        for chunk in self.store.get(bucket, key, **where):
            yield chunk[:-400] + bytes([chunk[-400] ^ 1]) + chunk[-399:] if len(chunk) > 400 else chunk


class Failing(Wrapped):
    """Goes down after some bytes of an upload."""

    def put(self, bucket: str, key: str, source: Source, **how: Any) -> Stored:
        class Short:
            def __init__(self) -> None:
                self.left = 40_000

            def readinto(self, room: memoryview, /) -> int:
                if self.left <= 0:
                    raise StoreDown("the store went away")
                got = source.readinto(room[: self.left])
                self.left -= got
                return got

        return self.store.put(bucket, key, Short(), **how)


class Told(Wrapped):
    """Remembers how much it was told to expect."""

    expected = 0

    def put(self, bucket: str, key: str, source: Source, **how: Any) -> Stored:
        self.expected = how["expected"]
        return self.store.put(bucket, key, source, **how)


async def test_store_is_told_how_much_may_come_of_the_asked_span(bench: Bench, camera: Camera) -> None:
    camera.record(NOON, 8)
    store = Told(bench.store)
    await bench.seal(span(0, 24 * 3600), store=store)
    assert store.expected == 24 * 3600 * 4_000_000  # 32 Mbit/s


async def test_flipped_bit_in_the_store_gives_no_copy(bench: Bench, camera: Camera) -> None:
    camera.record(NOON, 8)
    master = await bench.seal(span(0, 8))
    with pytest.raises(MasterDamaged, match="the stored object is not what was encrypted"):
        await issued(bench, master, span(0, 8), store=Rotten(bench.store))
    assert bench.objects() == ["masters/item/1"]


async def test_store_that_goes_down_is_told_and_leaves_nothing(any_store: Store, key: str, tmp_path: Path) -> None:
    bench = Bench(any_store, tmp_path / "recordings")
    Camera(bench.root, "cam1").record(NOON, 8)
    with pytest.raises(StoreDown, match="went away"):
        await bench.seal(span(0, 8), store=Failing(any_store), key=key)
    assert any_store.stat("masters", key) is None
    assert any_store.sweep("masters", key) == 0
    assert (await bench.seal(span(0, 8), key=key)).outcome == "complete"


async def test_object_is_never_overwritten(any_store: Store, key: str, tmp_path: Path) -> None:
    bench = Bench(any_store, tmp_path / "recordings")
    Camera(bench.root, "cam1").record(NOON, 4)
    first = await bench.seal(span(0, 4), key=key)
    with pytest.raises(StoreConflict):
        await bench.seal(span(1, 3), key=key)
    facts = any_store.stat("masters", key)
    assert facts is not None
    assert (facts.version_id, facts.size) == (first.version_id, first.size)


async def test_cancelled_sealing_leaves_nothing_behind(any_store: Store, key: str, tmp_path: Path) -> None:
    bench = Bench(any_store, tmp_path / "recordings")
    written = Camera(bench.root, "cam1").record(NOON, 8)
    waiting = asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        yield written[1].path.read_bytes()[:20_000]
        waiting.set()
        await asyncio.Event().wait()

    stalled = Segment("stalled", "cam1", span(4, 8), None, "fmp4", stalls)
    before = _children()
    sealing = asyncio.create_task(bench.seal(span(0, 8), [given(written[0]), stalled], key=key))
    await waiting.wait()
    assert _children() != before
    sealing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sealing
    assert any_store.stat("masters", key) is None
    assert any_store.sweep("masters", key) == 0
    assert _children() == before


class Late(Wrapped):
    """Finishes the upload, and only then lets the caller be cancelled."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.loop = asyncio.get_running_loop()

    def put(self, bucket: str, key: str, source: Source, **how: Any) -> Stored:
        stored = self.store.put(bucket, key, source, **how)
        asyncio.run_coroutine_threadsafe(self._cancel(), self.loop).result()
        return stored

    async def _cancel(self) -> None:
        self.task.cancel()
        await asyncio.sleep(0)

    task: "asyncio.Task[Any]"


async def test_cancelled_after_the_upload_takes_the_object_back(bench: Bench, camera: Camera) -> None:
    camera.record(NOON, 4)
    store = Late(bench.store)
    store.task = asyncio.create_task(bench.seal(span(0, 4), store=store, legal_hold=True))
    with pytest.raises(asyncio.CancelledError):
        await store.task
    assert bench.objects() == []


async def test_an_account_that_may_delete_nothing_is_told_of_the_uploads_own_error(
    bench: Bench, camera: Camera
) -> None:
    """The portal's account in compose: what is left under the key, a sweeper removes."""
    camera.record(NOON, 4)
    store = Late(PortalStore(bench.store))
    store.task = asyncio.create_task(bench.seal(span(0, 4), store=store, legal_hold=True))
    with pytest.raises(asyncio.CancelledError):
        await store.task
    assert bench.objects() == ["masters/item/1"]


class Counted:
    """A stream that counts how often it was asked, and ends when it is stopped."""

    def __init__(self) -> None:
        self.reads = 0
        self.stopped = False

    def read(self) -> memoryview:
        self.reads += 1
        return memoryview(b"" if self.stopped or self.reads > 3 else b"footage")

    def stop(self) -> None:
        self.stopped = True


async def test_nothing_is_read_ahead_of_a_slow_store() -> None:
    stream = Counted()
    byte_stream = ByteStream(stream, lambda size: None)
    assert await in_own_thread(byte_stream.read) == b"footage"
    assert stream.reads == 1


async def test_a_stream_ends_only_when_the_loop_lets_it() -> None:
    told: list[int] = []
    byte_stream = ByteStream(Counted(), told.append)
    for _ in range(3):
        assert await in_own_thread(byte_stream.read) == b"footage"
    last = in_own_thread(byte_stream.read)
    await byte_stream.ended
    assert (sum(told), last.done()) == (21, False)
    byte_stream.finish()
    assert await last is None


async def test_a_stream_that_failed_is_stopped_and_gives_the_error() -> None:
    stream = Counted()
    byte_stream = ByteStream(stream, lambda size: None)
    byte_stream.fail(UploadStopped("given up"))
    assert stream.stopped
    with pytest.raises(UploadStopped, match="given up"):
        await in_own_thread(byte_stream.read)


async def test_replica_is_read_back_and_identical(any_store: Store, key: str, tmp_path: Path) -> None:
    bench = Bench(any_store, tmp_path / "recordings")
    other = Bench.in_folder(tmp_path / "elsewhere")
    Camera(bench.root, "cam1").record(NOON, 4)
    master = await bench.seal(span(0, 4), key=key)
    replica = await _replicate(any_store, master, other.store)
    assert b"".join(other.store.get("replicas", "replicas/item/1")) == b"".join(any_store.get("masters", key))
    assert replica.sha256_cipher == master.sha256_cipher


@pytest.mark.requirement("R14", refuses=True)
@pytest.mark.requirement("R15")
async def test_damaged_object_gives_no_replica(bench: Bench, camera: Camera, tmp_path: Path) -> None:
    other = Bench.in_folder(tmp_path / "elsewhere")
    camera.record(NOON, 4)
    master = await bench.seal(span(0, 4))
    with pytest.raises(ObjectDamaged):
        await _replicate(Rotten(bench.store), master, other.store)
    with pytest.raises(ObjectDamaged, match="reads back differently"):
        await _replicate(bench.store, master, Rotten(other.store))
    assert list(other.store.list_keys("replicas")) == []
    assert issubclass(ObjectDamaged, Fatal)


async def _replicate(store: Any, master: Sealed, target: Any) -> Any:
    return await replicate(
        store,
        master.location,
        master.sha256_cipher,
        Target(target, "replicas", "replicas/item/1", {}),
    )


def _children() -> set[str]:
    """The processes that this one has started and that still run."""
    found: set[str] = set()
    for file in Path("/proc/self/task").glob("*/children"):
        with suppress(OSError):  # a thread that has ended meanwhile
            found |= set(file.read_text().split())
    return found


async def test_packets_of_an_honest_copy_are_the_sources(bench: Bench, camera: Camera) -> None:
    written = camera.record(NOON, 12)
    sealed = await bench.seal(span(0, 12), [given(one) for one in written])
    assert_honest(bench, sealed, written)
    assert sealed.fragments[0] == Fragment(0, sealed.coverage.parts[0].init, sealed.fragments[0].length)

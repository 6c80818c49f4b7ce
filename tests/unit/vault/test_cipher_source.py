"""The ciphertext as a store takes it: whole in rooms of any size, and hashed before what was given may change."""

import asyncio
import hashlib
import random
import threading
from collections.abc import Callable, Iterator

import pytest

from services.vault.age import Reader, X25519Identity, generate_identity
from services.vault.byte_stream import ByteStream
from services.vault.store.upload import CipherSource

CHUNK = 65536
IDENTITY, RECIPIENT = generate_identity()


class Pieces:
    """A stream of pieces; what came before is written over, as its contract allows."""

    def __init__(self, plain: bytes, sizes: Iterator[int], asked: Callable[[], None] = lambda: None) -> None:
        self._left = memoryview(plain)
        self._sizes = sizes
        self._asked = asked
        self._given = memoryview(bytearray())

    def read(self) -> memoryview:
        self._asked()
        self._given[:] = bytes(len(self._given))
        size = next(self._sizes)
        self._given, self._left = memoryview(bytearray(self._left[:size])), self._left[size:]
        return self._given

    def stop(self) -> None:
        """It ends by itself."""


async def source_of(stream: Pieces) -> CipherSource:
    byte_stream = ByteStream(stream, lambda size: None)
    byte_stream.finish()
    return CipherSource(byte_stream, [RECIPIENT])


@pytest.mark.parametrize("seed", range(12))
async def test_rooms_of_any_size_hold_the_same(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - sizes, no secret
    sizes = [1, 300, CHUNK - 1, CHUNK, CHUNK + 1, 200_001, 1 << 20]
    plain = chance.randbytes(chance.choice([0, 1, CHUNK, 3_000_000]))
    source = await source_of(Pieces(plain, iter(lambda: chance.choice(sizes), None)))
    rooms = [memoryview(bytearray(chance.choice([1000, CHUNK, CHUNK + 16, 400_000, 2 << 20]))) for _ in range(2)]

    def read() -> bytes:
        sealed = b""
        while filled := source.readinto(rooms[0]):
            sealed += bytes(rooms[0][:filled])
            rooms.reverse()
        return sealed

    sealed = await asyncio.to_thread(read)
    opened = Reader(lambda at, size: sealed[at : at + size], len(sealed), X25519Identity(IDENTITY)).read()
    assert opened == plain
    assert source.sha256 == hashlib.sha256(sealed).hexdigest()
    assert source.plain.hexdigest() == hashlib.sha256(plain).hexdigest()
    assert (source.plain_size, source.size) == (len(plain), len(sealed))
    source.close()


class Slow:
    """A hash that ends no sooner than it may."""

    def __init__(self, may: threading.Event) -> None:
        self._may = may
        self.ended = 0

    def update(self, _: memoryview) -> None:
        self._may.wait()
        self.ended += 1


async def test_what_was_given_is_hashed_before_the_room_after_it_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    may = threading.Event()
    source = await source_of(Pieces(bytes(12 * CHUNK), iter(lambda: 2 * CHUNK, None), may.set))
    slow = Slow(may)
    monkeypatch.setattr(source, "cipher", slow)
    room, other = memoryview(bytearray(4 * CHUNK)), memoryview(bytearray(4 * CHUNK))

    def read() -> None:
        assert source.readinto(room[: len(source._ready)])  # the header, before the stream is asked
        assert slow.ended == 0
        assert source.readinto(other)
        assert slow.ended >= 1

    await asyncio.to_thread(read)
    source.close()

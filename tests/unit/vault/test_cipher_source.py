"""The ciphertext as a store reads it: whole in buffers of any size, and hashed."""

import asyncio
import hashlib
import random
from collections.abc import Iterator

import pytest

from services.vault.age import Reader, X25519Identity, generate_identity
from services.vault.byte_stream import ByteStream
from services.vault.store.upload import CipherSource

CHUNK = 65536
IDENTITY, RECIPIENT = generate_identity()


class Pieces:
    """A stream of pieces; what came before is written over, as its contract allows."""

    def __init__(self, plain: bytes, sizes: Iterator[int]) -> None:
        self._left = memoryview(plain)
        self._sizes = sizes
        self._given = memoryview(bytearray())

    def read(self) -> memoryview:
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
async def test_buffers_of_any_size_hold_the_same(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - sizes, no secret
    sizes = [1, 300, CHUNK - 1, CHUNK, CHUNK + 1, 200_001, 1 << 20]
    plain = chance.randbytes(chance.choice([0, 1, CHUNK, 3_000_000]))
    source = await source_of(Pieces(plain, iter(lambda: chance.choice(sizes), None)))
    buffers = [memoryview(bytearray(chance.choice([1000, CHUNK, CHUNK + 16, 400_000, 2 << 20]))) for _ in range(2)]

    def read() -> bytes:
        sealed = b""
        while filled := source.readinto(buffers[0]):
            sealed += bytes(buffers[0][:filled])
            buffers.reverse()
        return sealed

    sealed = await asyncio.to_thread(read)
    opened = Reader(lambda at, size: sealed[at : at + size], len(sealed), X25519Identity(IDENTITY)).read()
    assert opened == plain
    assert source.sha256 == hashlib.sha256(sealed).hexdigest()
    assert (source.plain_size, source.size) == (len(plain), len(sealed))

"""Hash, encrypt, hash again and put a stream, in one pass through a thread of the store's own."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from services.runtime.errors import Retryable
from services.vault.age import SEALED_CHUNK, Encryptor
from services.vault.byte_stream import ByteStream, HashedStream, in_own_thread, settle
from services.vault.camera_signature import CameraSignature
from services.vault.store.protocol import Stored, StoreDown, StoreRefused, Target

V = TypeVar("V")


class UploadStopped(Exception):
    """Raised in the store's thread to abort the upload."""


class StoredShort(Retryable):
    """The store says it holds another number of bytes than it was given."""

    runbook = "sealing-stalled"


@dataclass(frozen=True)
class Uploaded(Generic[V]):
    """An object in the store, and the result of ``conclude``."""

    version_id: str
    size: int
    plain_size: int
    sha256_plain: str
    sha256_cipher: str
    verdict: V
    camera_signature: str


class CipherSource:
    """What the store reads: the ciphertext of a stream of bytes. Lives in the store's thread.

    It hashes what it returns in the same thread. With further threads for the hashes a GiB took 1.1 s more of the
    processor: most of that was waiting for the interpreter.
    """

    def __init__(self, byte_stream: ByteStream, recipients: Sequence[str]) -> None:
        self.cipher = hashlib.sha256()
        self.signature = CameraSignature()
        self.plain_size = 0
        self.size = 0
        self._byte_stream = byte_stream
        self._encryptor = Encryptor(recipients)
        self._piece = memoryview(b"")  # received and not encrypted yet
        self._across = memoryview(bytearray(SEALED_CHUNK))  # for a chunk that begins in one buffer and ends in the next
        self._ready = memoryview(self._encryptor.header)
        self._ended = False

    @property
    def sha256(self) -> str:
        """Of all that was read to the end, in hexadecimal: a store need not hash it again."""
        return self.cipher.hexdigest()

    def readinto(self, buffer: memoryview, /) -> int:
        """Encrypt into the buffer; return the number of bytes, 0 only at the end. Raises what stopped the stream."""
        while not (filled := self._fill(buffer)) and not self._ended:
            self._read_piece()
        self.cipher.update(buffer[:filled])
        self.size += filled
        return filled

    def _fill(self, buffer: memoryview) -> int:
        filled = 0
        while filled < len(buffer):
            if self._ready:
                more = min(len(self._ready), len(buffer) - filled)
                buffer[filled : filled + more], self._ready = self._ready[:more], self._ready[more:]
            elif piece := self._piece:
                encrypted, more = self._encryptor.update_into(piece, buffer[filled:])
                if encrypted < len(piece):
                    rest, ready = self._encryptor.update_into(piece[encrypted:], self._across)
                    encrypted, self._ready = encrypted + rest, self._across[:ready]
                self._piece = piece[encrypted:]
            else:
                break
            filled += more
        return filled

    def _read_piece(self) -> None:
        piece = self._byte_stream.read()
        if piece is None:
            self._ended = True
            self._ready = memoryview(self._encryptor.finish())
            return
        self.plain_size += len(piece)
        self.signature.feed(piece)
        self._piece = piece


async def upload(
    stream: HashedStream,
    conclude: Callable[[], Awaitable[V]],
    target: Target,
    *,
    recipients: Sequence[str],
    on_bytes: Callable[[int], None],
) -> Uploaded[V]:
    """Put ``stream``, encrypted to the recipients; ``conclude`` runs after the last byte and before the object exists.

    ``on_bytes`` is called with the number of bytes received. Raises what the stream, ``on_bytes``, ``conclude`` or the
    store raise; then nothing is stored.
    """
    name = f"{target.bucket}/{target.key}"
    byte_stream = ByteStream(stream, on_bytes)
    source = CipherSource(byte_stream, recipients)
    put = in_own_thread(lambda: target.put(source))
    try:
        either: list[asyncio.Future[Any]] = [put, byte_stream.ended]
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if put.done():
            _explain(put, name)
        byte_stream.ended.result()
        verdict = await conclude()
        byte_stream.finish()
        stored = await asyncio.shield(put)
        _check_size(stored, source, name)
    except BaseException:
        byte_stream.fail(UploadStopped(f"the upload of {name} was given up"))
        await settle(put)
        await _remove(target, None if put.exception() else put.result())
        raise
    return Uploaded(
        version_id=stored.version_id,
        size=stored.size,
        plain_size=source.plain_size,
        sha256_plain=stream.sha256,
        sha256_cipher=source.sha256,
        verdict=verdict,
        camera_signature=source.signature.seen,
    )


def _explain(put: "asyncio.Future[Stored]", name: str) -> None:
    put.result()  # the store's own error is the cause
    raise StoredShort(f"The store ended {name} before all of it was sent; it is tried again.")


def _check_size(stored: Stored, source: CipherSource, name: str) -> None:
    if stored.size != source.size:
        raise StoredShort(f"The store holds {stored.size} bytes of {name}, and {source.size} were sent.")


async def _remove(target: Target, stored: Stored | None) -> None:
    """Remove what a failed upload left: its parts, or an object finished after its caller had failed."""
    store, bucket, key = target.store, target.bucket, target.key

    def remove() -> None:
        if stored is None:
            store.sweep(bucket, key)
            return
        store.set_legal_hold(bucket, key, stored.version_id, False)
        store.delete(bucket, key, stored.version_id)

    removal = in_own_thread(remove)
    await settle(removal)
    if isinstance(removal.exception(), StoreDown | StoreRefused):
        # The upload's own error is the one to report. The retry or the sweeper removes what is under this key; the
        # portal's account may not.
        return
    removal.result()

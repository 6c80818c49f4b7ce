"""A stream, hashed, encrypted, hashed again and put: as one pass through a thread of the store's own."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.runtime.errors import Retryable
from services.vault.age import Encryptor
from services.vault.conveyor import Conveyor, in_own_thread, settle
from services.vault.store import Store, Stored, StoreDown

V = TypeVar("V")


class UploadStopped(Exception):
    """Raised in the store's thread to make it give the upload up."""


class StoredShort(Retryable):
    """The store says it holds another number of bytes than it was given."""

    runbook = "nothing-sealed"


@dataclass(frozen=True)
class Uploaded(Generic[V]):
    """What is in the store, and what ``conclude`` said of it."""

    version_id: str
    size: int
    plain_size: int
    sha256_plain: str
    sha256_cipher: str
    verdict: V


class CipherSource:
    """What the store reads: the ciphertext of what comes over the conveyor. Lives in the store's thread."""

    def __init__(self, conveyor: Conveyor, recipients: Sequence[str]) -> None:
        self.plain = hashlib.sha256()
        self.cipher = hashlib.sha256()
        self.plain_size = 0
        self.size = 0
        self._conveyor = conveyor
        self._encryptor = Encryptor(recipients)
        self._ready = bytearray(self._encryptor.header)
        self._ended = False

    def read(self, size: int = -1) -> bytes:
        """Up to ``size`` bytes and fewer only at the end; raises what stopped the stream."""
        if size < 0:
            raise ValueError("a sealed stream is read piece by piece")
        while len(self._ready) < size and not self._ended:
            chunk = self._conveyor.take()
            if chunk is None:
                self._ended = True
                self._ready += self._encryptor.finish()
            else:
                self.plain.update(chunk)
                self.plain_size += len(chunk)
                self._ready += self._encryptor.update(chunk)
        taken = bytes(self._ready[:size])
        del self._ready[:size]
        self.cipher.update(taken)
        self.size += len(taken)
        return taken


async def upload(
    chunks: AsyncIterator[bytes],
    conclude: Callable[[], V],
    *,
    recipients: Sequence[str],
    store: Store,
    bucket: str,
    key: str,
    metadata: Mapping[str, str],
    legal_hold: bool,
    content_type: str,
) -> Uploaded[V]:
    """Put ``chunks``, encrypted; ``conclude`` is asked when all have come and before the object exists.

    Raises whatever the chunks, ``conclude`` or the store raise; then nothing is stored.
    """
    conveyor = Conveyor()
    source = CipherSource(conveyor, recipients)
    put = in_own_thread(
        lambda: store.put(bucket, key, source, metadata=metadata, legal_hold=legal_hold, content_type=content_type)
    )
    put.add_done_callback(lambda _: conveyor.close())
    try:
        async for chunk in chunks:
            if not await conveyor.put(chunk):
                break
        if put.done():
            _explain(put, f"{bucket}/{key}")
        verdict = conclude()
        conveyor.finish()
        stored = await asyncio.shield(put)
        _check_size(stored, source, f"{bucket}/{key}")
    except BaseException:
        conveyor.fail(UploadStopped(f"the upload of {bucket}/{key} was given up"))
        await settle(put)
        await _take_back(store, bucket, key, None if put.exception() else put.result())
        raise
    return Uploaded(
        version_id=stored.version_id,
        size=stored.size,
        plain_size=source.plain_size,
        sha256_plain=source.plain.hexdigest(),
        sha256_cipher=source.cipher.hexdigest(),
        verdict=verdict,
    )


def _explain(put: "asyncio.Future[Stored]", name: str) -> None:
    put.result()  # the store's own error is the cause
    raise StoredShort(f"The store ended {name} before all of it was sent; it is tried again.")


def _check_size(stored: Stored, source: CipherSource, name: str) -> None:
    if stored.size != source.size:
        raise StoredShort(f"The store holds {stored.size} bytes of {name}, and {source.size} were sent.")


async def _take_back(store: Store, bucket: str, key: str, stored: Stored | None) -> None:
    """Remove what a failed upload left: its parts, or an object that was finished after its caller had gone."""

    def remove() -> None:
        if stored is None:
            store.sweep(bucket, key)
            return
        store.set_legal_hold(bucket, key, stored.version_id, False)
        store.delete(bucket, key, stored.version_id)

    removal = in_own_thread(remove)
    await settle(removal)
    if isinstance(removal.exception(), StoreDown):
        return  # the upload's own error is the one to tell; whoever retries sweeps this key first
    removal.result()

"""Copies of sealed objects in a second store, and the check that an object is still what was sealed (R14, R15)."""

import asyncio
import hashlib
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from services.runtime.errors import Fatal
from services.vault.byte_stream import in_own_thread, settle
from services.vault.store.protocol import Location, Store, Target

R = TypeVar("R")
Progress = Callable[[bool, int], None]
"""Called in the working thread: whether the object is read back, and the bytes so far."""


class ObjectDamaged(Fatal):
    """The bytes in the store are not those that were sealed."""

    runbook = "verification-failures"


class Stopped(Exception):
    """The caller was cancelled; raised in the thread that works for it."""


@dataclass(frozen=True)
class Replica:
    """A verified copy of a sealed object; the hash is that of the ciphertext, as for the original."""

    bucket: str
    key: str
    version_id: str
    size: int
    sha256_cipher: str


class _CheckedSource:
    """Reads an object like a file, hashing; ends with an error instead of an end where the hash is not the known."""

    def __init__(
        self,
        chunks: Iterator[bytes],
        sha256: str,
        name: str,
        stopped: threading.Event,
        progress: Callable[[int], None],
    ) -> None:
        self.size = 0
        self._progress = progress
        self._chunks = chunks
        self._digest = hashlib.sha256()
        self._sha256 = sha256
        self._name = name
        self._stopped = stopped
        self._rest = memoryview(b"")  # of the last chunk

    def readinto(self, buffer: memoryview, /) -> int:
        while not self._rest:
            if self._stopped.is_set():
                raise Stopped(self._name)
            chunk = next(self._chunks, None)
            if chunk is None:
                self._check()
                return 0
            self._digest.update(chunk)
            self.size += len(chunk)
            self._progress(self.size)
            self._rest = memoryview(chunk)
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count

    def _check(self) -> None:
        if self._digest.hexdigest() != self._sha256:
            raise ObjectDamaged(
                f"No replica was made of {self._name}: its SHA-256 is {self._digest.hexdigest()[:16]}…, and "
                f"{self._sha256[:16]}… was sealed. Look at the store's disks, then retry."
            )


async def replicate(
    store: Store,
    location: Location,
    sha256_cipher: str,
    target: Target,
    *,
    progress: Progress = lambda read_back, size: None,
) -> Replica:
    """Copy a sealed object as it is to ``target`` and read it back; raises ObjectDamaged and the stores' errors."""
    stopped = threading.Event()

    def copy() -> Replica:
        chunks = iter(store.get(location.bucket, location.key, version_id=location.version_id))
        name = f"{location.bucket}/{location.key}"
        known = replace(target, expected=location.size)
        stored = known.put(_CheckedSource(chunks, sha256_cipher, name, stopped, partial(progress, False)))
        back = target.store.get(target.bucket, target.key, version_id=stored.version_id)
        if _hash(back, stopped, partial(progress, True)) != sha256_cipher:
            target.store.set_legal_hold(target.bucket, target.key, stored.version_id, False)
            target.store.delete(target.bucket, target.key, stored.version_id)
            raise ObjectDamaged(
                f"The replica {target.bucket}/{target.key} reads back differently from what was put; it was removed. "
                "Look at the second store's disks, then retry."
            )
        return Replica(target.bucket, target.key, stored.version_id, stored.size, sha256_cipher)

    return await _stoppable(copy, stopped)


async def verify(store: Store, bucket: str, key: str, version_id: str, sha256_cipher: str) -> bool:
    """Whether the object's bytes are those that were sealed; reads all of them. Raises the store's errors."""
    stopped = threading.Event()
    return await _stoppable(
        lambda: _hash(store.get(bucket, key, version_id=version_id), stopped) == sha256_cipher, stopped
    )


def _hash(
    chunks: Iterator[bytes], stopped: threading.Event, progress: Callable[[int], None] = lambda size: None
) -> str:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        if stopped.is_set():
            raise Stopped("nobody waits for this hash any more")
        digest.update(chunk)
        size += len(chunk)
        progress(size)
    return digest.hexdigest()


async def _stoppable(work: Callable[[], R], stopped: threading.Event) -> R:
    running = in_own_thread(work)
    try:
        return await asyncio.shield(running)
    except BaseException:
        stopped.set()
        await settle(running)
        raise

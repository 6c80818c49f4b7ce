"""A put of unknown length to an S3 server: a few mebibytes are read while a part is sent, and no more is held.

minio-py's ``put_object`` reads a part and only then sends it; with threads of its own it would read on from a source
whose upload has failed. So it runs in one thread, and the source is read ahead of it in the caller's.
"""

import io
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, TypeVar, cast

from services.vault.store.protocol import Source, StoreRefused

# S3 takes 10,000 parts, which are 127 GiB: a day at 12 Mbit/s, 38 hours at 8. put_object copies a part twice before it
# is sent, and releases the one before only then: it holds three.
PART_BYTES = 13 << 20
MOST_PARTS = 10_000
# Where more is expected. Three of these are 192 MiB, and as many as there may be 625 GiB: 46 hours at 32 Mbit/s.
LARGEST_PART = 64 << 20
LARGEST_OBJECT = LARGEST_PART * MOST_PARTS
_SPARE = MOST_PARTS // 10  # parts that are left where as much comes as was expected
_AHEAD = 6 << 20  # what a recorder sends, at 50 MB/s, while a part is sent over 1 Gbit/s
_PIECE = 1 << 20

R = TypeVar("R")


class SourceFailed(Exception):
    """Raised in the thread that sends, so that it aborts the upload; the caller has the source's own error."""


def part_bytes(expected: int) -> int:
    """How large the parts of an object are of which as many bytes are expected; 0 where that is not known."""
    needed = -(-expected // (MOST_PARTS - _SPARE))
    return min(max(PART_BYTES, -(-needed // _PIECE) * _PIECE), LARGEST_PART)


def put(source: Source, send: Callable[[BinaryIO], R], part: int) -> tuple[R, int]:
    """Call ``send``, which cuts parts of that size, in a thread with a file of all of the source; return its result and
    the number of bytes.

    Raises what ``send`` and the source raise, and StoreRefused for more than S3 takes, once ``send`` has ended.
    """
    ahead = _ReadAhead(_AHEAD)

    def run() -> R:
        try:
            return send(cast(BinaryIO, ahead))  # of which put_object calls ``read`` alone
        finally:
            ahead.stop()

    with ThreadPoolExecutor(1, thread_name_prefix="vault-part") as sender:
        sending = sender.submit(run)
        try:
            _copy(source, ahead, part * MOST_PARTS)
        except BaseException:
            ahead.end(failed=True)
            raise
        return sending.result(), ahead.size


def _copy(source: Source, ahead: "_ReadAhead", most: int) -> None:
    """Copy the source, until its end or until the reader has stopped; raises StoreRefused where it is longer."""
    buffer, given = memoryview(bytearray(_PIECE)), 0
    while filled := source.readinto(buffer):
        given += filled
        if given > most:
            raise StoreRefused(
                f"This object is larger than S3 takes in {MOST_PARTS} parts, which is {most >> 30} GiB here: retrieve "
                "the footage in shorter spans."
            )
        if not ahead.append(bytes(buffer[:filled])):
            return
    ahead.end()


class _ReadAhead:
    """A file that one thread fills and another reads; the first waits while ``limit`` bytes are not read."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = threading.Condition()  # over all that follow
        self._pieces: deque[bytes] = deque()
        self._held = 0  # bytes of these
        self._ended = False
        self._failed = False
        self._stopped = False
        self.size = 0

    def append(self, piece: bytes) -> bool:
        """Add a piece; return False once the reader has stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._held < self._limit)
            self._pieces.append(piece)
            self._held += len(piece)
            self._changed.notify_all()
            return not self._stopped

    def end(self, *, failed: bool = False) -> None:
        """Append nothing more; with ``failed`` the reader gets SourceFailed."""
        with self._changed:
            self._ended, self._failed = True, failed
            self._changed.notify_all()

    def read(self, size: int) -> bytes:
        """Return as many bytes as asked for; fewer only at the end."""
        data = io.BytesIO()
        while size:
            with self._changed:
                self._changed.wait_for(lambda: self._pieces or self._ended)
                if self._failed:
                    raise SourceFailed
                if not self._pieces:
                    break
                piece = self._pieces.popleft()
                if len(piece) > size:
                    self._pieces.appendleft(piece[size:])
                    piece = piece[:size]
                self._held -= len(piece)
                self._changed.notify_all()
            data.write(piece)
            size -= len(piece)
            self.size += len(piece)
        return data.getvalue()

    def stop(self) -> None:
        """Read nothing more."""
        with self._changed:
            self._stopped = True
            self._pieces.clear()
            self._changed.notify_all()

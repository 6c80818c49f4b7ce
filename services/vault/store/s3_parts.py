"""A put of unknown length to an S3 server: what follows is read while a part is sent, and no more is held.

minio-py's ``put_object`` reads a part and only then sends it; with threads of its own it would go on reading a source
whose upload has failed. So it runs in one thread, and the source is read ahead of it in the caller's.
"""

import io
import itertools
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO, TypeVar, cast

from services.vault.store.protocol import Source

# S3 takes 10,000 parts, which are 127 GiB: a day at 12 Mbit/s, 38 hours at 8. put_object copies a part twice before it
# is sent, and lets go of the one before then only: it holds three.
PART_BYTES = 13 << 20
_AHEAD = 6 << 20  # what a recorder gives, at 50 MB/s, while a part is sent over 1 Gbit/s
_PIECE = 1 << 20

R = TypeVar("R")


class SourceFailed(Exception):
    """Raised in the thread that sends, so that it aborts the upload; the caller has the source's own error."""


def put(source: Source, send: Callable[[BinaryIO], R]) -> tuple[R, int]:
    """Have ``send``, in a thread, read all that the source gives from a file; what it returns, and how many bytes.

    Raises what ``send`` and the source raise, once ``send`` has ended.
    """
    ahead = _Ahead(_AHEAD)

    def sent() -> R:
        try:
            return send(cast(BinaryIO, ahead))  # of which put_object calls ``read`` alone
        finally:
            ahead.stop()

    with ThreadPoolExecutor(1, thread_name_prefix="vault-part") as sender:
        sending = sender.submit(sent)
        try:
            _read(source, ahead)
        except BaseException:
            ahead.end(failed=True)
            raise
        return sending.result(), ahead.size


def _read(source: Source, ahead: "_Ahead") -> None:
    """Pass on what the source gives, until its end, or until nobody takes it."""
    # What a HashedSource has given may not change before its next readinto has ended: so there are two rooms.
    for room in itertools.cycle([memoryview(bytearray(_PIECE)) for _ in range(2)]):
        filled = source.readinto(room)
        if not filled:
            ahead.end()
            return
        if not ahead.give(bytes(room[:filled])):
            return


class _Ahead:
    """A file of bytes that one thread gives and another reads; the first waits while ``most`` of them are not read."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()  # over all that follow
        self._pieces: deque[bytes] = deque()
        self._held = 0
        self._ended = False
        self._failed = False
        self._stopped = False
        self.size = 0

    def give(self, piece: bytes) -> bool:
        """Whether it will be read: not once the reader has stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._held < self._most)
            self._pieces.append(piece)
            self._held += len(piece)
            self._changed.notify_all()
            return not self._stopped

    def end(self, *, failed: bool = False) -> None:
        """Nothing more is given; with ``failed`` the reader gets SourceFailed."""
        with self._changed:
            self._ended, self._failed = True, failed
            self._changed.notify_all()

    def read(self, size: int) -> bytes:
        """As many bytes as asked for; fewer only at the end."""
        taken = io.BytesIO()
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
            taken.write(piece)
            size -= len(piece)
            self.size += len(piece)
        return taken.getvalue()

    def stop(self) -> None:
        """Nothing more is read."""
        with self._changed:
            self._stopped = True
            self._pieces.clear()
            self._changed.notify_all()

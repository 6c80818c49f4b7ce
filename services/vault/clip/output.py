"""The output of the clip process: its clip, read from its pipe ahead of its reader."""

import hashlib
import os
import sys
import threading
from collections import deque
from collections.abc import Callable

from services.vault.clip.protocol import widen

BUFFER = 1 << 19
BUFFERS = 4  # of which the reader has one: the process works on while the store waits


class ClipOutput:
    """Reads and hashes ``descriptor``, which it closes at the end, in a thread of its own.

    More bytes than ``most`` returns at the time end it: then it calls ``exceeded``, in that thread.
    """

    def __init__(
        self,
        descriptor: int,
        most: Callable[[], int] = lambda: sys.maxsize,
        exceeded: Callable[[], object] = lambda: None,
    ) -> None:
        widen(descriptor)
        self._descriptor = descriptor
        self._changed = threading.Condition()  # over all that follow
        self._free = [memoryview(bytearray(BUFFER)) for _ in range(BUFFERS)]
        self._filled: deque[tuple[memoryview, int]] = deque()
        self._lent: memoryview | None = None
        self._ended = False
        self._most, self._exceeded = most, exceeded
        self._full = False  # the reader has not come to take what was read
        self.size = 0  # bytes that were read
        self._digest = hashlib.sha256()
        threading.Thread(target=self._run, daemon=True, name="clip-output").start()

    def read(self) -> memoryview:
        """The clip's next bytes, empty at its end; they are there until the next call. Blocks."""
        with self._changed:
            if self._lent is not None:
                self._free.append(self._lent)
                self._lent = None
                self._changed.notify_all()
            self._changed.wait_for(lambda: self._filled or self._ended)
            if not self._filled:
                return memoryview(b"")
            self._lent, size = self._filled.popleft()
            return self._lent[:size]

    @property
    def sha256(self) -> str:
        """Of all bytes, in hexadecimal, once ``read`` has come to the end."""
        return self._digest.hexdigest()

    @property
    def waits_for_process(self) -> bool:
        """Whether what the process writes is read at once."""
        return not self._full

    def close(self) -> None:
        """Release everything, once the process has ended and nobody reads."""
        with self._changed:
            self._ended = True
            self._free.clear()
            self._filled.clear()
            self._lent = None
            self._changed.notify_all()

    def _run(self) -> None:
        try:
            while (buffer := self._next()) is not None:
                size = os.readv(self._descriptor, [buffer])
                self.size += size
                if self.size > self._most():
                    self._exceeded()
                    break
                self._digest.update(buffer[:size])
                self._append(buffer, size)
        finally:
            self._append(memoryview(b""), 0)
            os.close(self._descriptor)

    def _next(self) -> memoryview | None:
        with self._changed:
            self._full = not self._free
            self._changed.wait_for(lambda: self._free or self._ended)
            self._full = False
            return None if self._ended else self._free.pop()

    def _append(self, buffer: memoryview, size: int) -> None:
        with self._changed:
            if size and not self._ended:
                self._filled.append((buffer, size))
            self._ended = self._ended or not size
            self._changed.notify_all()

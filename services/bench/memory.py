"""How much memory a process and its children hold at once, at most: resident pages, added up every few milliseconds.

Pages that two of them share count twice, so the figure is never too small; Linux only, by ``/proc``.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

EVERY = 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Peak:
    """``with Peak(pid) as peak: …``, then ``peak.bytes``."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._pid = pid
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Peak":
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._ended.wait(EVERY):
            self.bytes = max(self.bytes, sum(_resident(pid) for pid in _family(self._pid)))


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:  # it has ended meanwhile
        return
    for child in children:
        yield from _family(child)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0

"""How much memory a process and its children hold at once, at most, and what they take of the processor.

Resident pages are added up every few milliseconds; those that two of them share count twice, so the figure is never too
small. Linux only, by ``/proc``.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

EVERY = 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class Peak:
    """``with Peak(pid) as peak: …``, then ``peak.bytes`` and ``peak.processor_seconds``."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._pid = pid
        self._spent: dict[int, float] = {}  # by process
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)

    @property
    def processor_seconds(self) -> float:
        """Of all of them; each may lack what it did since it was looked at last."""
        return sum(self._spent.values())

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
            family = list(_family(self._pid))
            self.bytes = max(self.bytes, sum(map(_resident, family)))
            self._spent |= {pid: max(processor_seconds(pid), self._spent.get(pid, 0.0)) for pid in family}


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


def processor_seconds(pid: int) -> float:
    """What a process has taken so far, without its children; 0 where it has ended."""
    try:
        told = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # its name may hold anything
        return (int(told[11]) + int(told[12])) / _TICKS
    except (OSError, IndexError):
        return 0.0

"""Measure the peak memory of a process with its children, and their processor time.

Resident pages are summed every 20 milliseconds; shared pages count for each process, so the figure is never too small.
Linux only, by ``/proc``.
"""

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

POLL_SECONDS = 0.02
_PAGE = os.sysconf("SC_PAGE_SIZE")
_TICKS = os.sysconf("SC_CLK_TCK")


class Peak:
    """``with Peak(pid) as peak: …``, then ``peak.bytes`` and ``peak.processor_seconds``."""

    def __init__(self, pid: int) -> None:
        self.bytes = 0
        self._pid = pid
        self._spent: dict[int, float] = {}  # by process
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._poll, daemon=True)

    @property
    def processor_seconds(self) -> float:
        """Processor seconds of all of them, up to the last poll of each."""
        return sum(self._spent.values())

    def __enter__(self) -> "Peak":
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._watch.join()

    def _poll(self) -> None:
        while not self._ended.wait(POLL_SECONDS):
            family = list(_family(self._pid))
            self.bytes = max(self.bytes, sum(map(_resident, family)))
            self._spent |= {pid: max(processor_seconds(pid), self._spent.get(pid, 0.0)) for pid in family}


def _family(pid: int) -> Iterator[int]:
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        children = [int(child) for thread in threads for child in (thread / "children").read_text().split()]
    except OSError:  # the process has ended
        return
    for child in children:
        yield from _family(child)


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0


def processor_seconds(pid: int) -> float:
    """Return the processor seconds of a process without its children; 0 if it has ended."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()  # its name may contain any character
        return (int(fields[11]) + int(fields[12])) / _TICKS
    except (OSError, IndexError):
        return 0.0

"""Look for faces in footage as it streams, by a confined process (``detect_process``), and follow them (``tracking``).

What is found is a proposal: boxes with times and scores, which a person accepts, corrects or removes.
"""

import json
from collections.abc import AsyncIterator
from typing import Any

from services.runtime.errors import Fatal
from services.vault.redaction import detector
from services.vault.redaction.client import LONGEST_LINE, Limits, Progress, Work, failed
from services.vault.redaction.faces import MOST_FACES, Face
from services.vault.redaction.protocol import HEAD
from services.vault.redaction.recipe import LONGEST_MS
from services.vault.redaction.tracking import Tracker

PROCESS = "services.vault.redaction.detect_process"
LARGEST_SIDE = 16_384


class NoDetector(Fatal):
    """The detector is not installed where it would have to work."""

    runbook = "incidents-pending#footage"


class Detection:
    """Looks through the parts of one piece of footage, one after another."""

    def __init__(self, *, limits: Limits | None = None, progress: Progress = lambda count, at: None) -> None:
        self.pictures = 0
        self.looked_at = 0
        self._limits = limits or Limits()
        self._progress = progress
        self._tracker = Tracker()
        self._size: tuple[int, int] | None = None
        self._last_at = 0

    async def search(self, pieces: AsyncIterator[bytes], offset_ns: int) -> None:
        """Look through one part, a fragmented MP4; raises as ``Redaction.redact``, and NoDetector."""
        if not detector.is_installed():
            raise NoDetector(
                "could not propose boxes | the detector is not installed here | nothing was looked at | install it as "
                "docs/dependencies.md says, or draw the boxes by hand"
            )
        before = self.pictures
        work = await Work.start(PROCESS, self._limits, lambda count, at: self._progress(before + count, at))
        try:
            work.feed(_job(offset_ns), pieces)
            async for line in _lines(work.output(self._limits.stall_seconds)):
                self._see(line)
            report = await work.conclude()
        finally:
            await work.end()
        try:
            self.pictures += int(report["pictures"])
        except (KeyError, TypeError, ValueError) as error:
            raise failed("sent a report that cannot be read") from error

    def proposals(self, length_ms: int) -> dict[str, Any]:
        """Return the boxes. ``untilMs``: from there on there were more than a recipe takes, or None."""
        width, height = self._size or (1, 1)
        boxes = self._tracker.proposals(max(length_ms, self._last_at), width, height)
        return {"picture": {"width": width, "height": height}, "boxes": boxes, "untilMs": self._tracker.full_at}

    def _see(self, line: bytes) -> None:
        """Take one line of a process that has read what others send: nothing of it is believed."""
        try:
            found = json.loads(line)
            at, (width, height) = int(found["at"]), (int(side) for side in found["size"])
            faces = [Face(*(float(edge) for edge in one)) for one in found["faces"][:MOST_FACES]]
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise failed(f"sent a line that cannot be read ({type(error).__name__})") from error
        if not (0 <= at <= LONGEST_MS and 0 < width <= LARGEST_SIDE and 0 < height <= LARGEST_SIDE) or not all(
            0 <= edge <= 1 for one in faces for edge in (one.left, one.top, one.right, one.bottom, one.score)
        ):
            raise failed("sent a line with values that cannot be")
        self._size = self._size or (width, height)
        self.looked_at += 1
        if at > self._last_at or not self.looked_at - 1:
            self._tracker.see(at, faces)
            self._last_at = at


def _job(offset_ns: int) -> bytes:
    job = {
        "offset_ns": offset_ns,
        "threshold": detector.THRESHOLD,
        "every": detector.EVERY,
        "at_least_ms": detector.AT_LEAST_MS,
        "longest_side": detector.LONGEST_SIDE,
    }
    data = json.dumps(job).encode()
    return HEAD.pack(len(data)) + data


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    waiting = b""
    async for piece in pieces:
        *whole, waiting = (waiting + piece).split(b"\n")
        for line in whole:
            yield line
        if len(waiting) > LONGEST_LINE:
            raise failed("sent a line that does not end")

"""The process that cuts a clip: ``python -m services.vault.clip.process <report> <memory> <cpu seconds>``.

``report`` is the number of a pipe. It parses what recorders send, so it may do nothing but read and write its pipes
(``services.runtime.confine``).
``protocol.py`` defines what is sent over them. The last line of the report is {"report": …}, or {"refused": sentence}
where the footage is of a kind that is not handled, or {"foreign": sentence} where it is another camera's.
"""

import gc
import json
import os
import sys
import threading
import traceback
from collections.abc import Iterator
from dataclasses import asdict
from queue import Queue
from time import monotonic
from typing import BinaryIO

import av
import av.subtitles.codeccontext  # PyAV imports these late, which a confined process cannot
import av.subtitles.stream
import av.subtitles.subtitle

from services.runtime.confine import Limits, confine
from services.vault.clip.covered_time import merged, without
from services.vault.clip.cutter import Cutter
from services.vault.clip.muxer import BUFFER, Muxer, Out
from services.vault.clip.placement import Placement
from services.vault.clip.protocol import FOOTAGE_FRAME, Frame, Job, read_frames
from services.vault.clip.segment import Segment
from services.vault.clip.source import Foreign, Unsupported, next_source

# Bytes that are read before they are wanted, and that wait to be written. Beside twelve other processes on two
# processors the thread that cuts, the busiest of all, took a quarter less of the processor than where it reads and
# writes by itself; sealing took 5 to 20 percent less time.
AHEAD = 4 << 20
FLUSH_SECONDS = 0.1  # between two reports of fragments: each wakes the reader


def cut(frames: Iterator[Frame], out: Out, report: BinaryIO) -> None:
    """Read a job and its segments from ``frames``; write the clip to ``out``, and a ``report``."""

    flushed = 0.0

    def emit(line: dict[str, object]) -> None:
        nonlocal flushed
        report.write(json.dumps(line).encode() + b"\n")
        now = monotonic()
        if "fragment" not in line or now - flushed > FLUSH_SECONDS:
            report.flush()
            flushed = now

    first = next(frames, None)
    if first is None or first[0] != b"J":
        raise EOFError("a job was expected")
    job = Job(**json.loads(first[1]))
    muxer = Muxer(out, emit)
    cutter = Cutter(job, muxer)
    placement = Placement(job.join_ns)
    sources = []
    try:
        while (source := next_source(frames, job.window)) is not None:
            sources.append(Segment(source, cutter, placement).copy())
        muxer.end_run()
    except Unsupported as refusal:
        emit({"refused": str(refusal)})
        return
    except Foreign as error:
        emit({"foreign": str(error)})
        return
    continuity = cutter.continuity.finish()
    for segment in sources:
        segment.pictures = without(segment.pictures, cutter.continuity.uncovered)
    covered = merged([span for source in sources for span in source.pictures])
    emit(
        {
            "report": {
                "zero_ns": muxer.zero_ns,
                "first_ns": muxer.first_ns,
                "last_ns": cutter.last_pts,
                "end_ns": cutter.last_end,
                "covered": covered,
                "packets": muxer.packets,
                "dropped": cutter.dropped,
                "drift_ns": placement.drift_ns,
                "parts": [asdict(part) for part in muxer.parts],
                "sources": [asdict(source) for source in sources],
                "continuity": asdict(continuity),
            }
        }
    )


def _frames_ahead(pipe: BinaryIO) -> Iterator[Frame]:
    """Yield the frames of the pipe, read ahead in a thread: the sender need not run for each."""
    frames: Queue[Frame | BaseException | None] = Queue(AHEAD // FOOTAGE_FRAME)

    def read() -> None:
        try:
            for frame in read_frames(pipe):
                frames.put(frame)
            frames.put(None)
        except BaseException as error:  # noqa: BLE001 - carried to the one who waits
            frames.put(error)

    threading.Thread(target=read, daemon=True, name="frames").start()
    while (frame := frames.get()) is not None:
        if isinstance(frame, BaseException):
            raise frame
        yield frame


class _WriteBehind:
    """Writes to the pipe in a thread: the reader need not run for each piece."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._waiting: Queue[bytes | None] = Queue(AHEAD // BUFFER)
        self._thread = threading.Thread(target=self._run, daemon=True, name="clip")
        self._thread.start()

    def write(self, data: bytes, /) -> None:
        """Queue a piece; waits only while the queue is full."""
        self._waiting.put(data)

    def finish(self) -> None:
        """Wait until all is written."""
        self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            while (data := self._waiting.get()) is not None:
                self._pipe.write(data)
            self._pipe.flush()
        except BaseException:  # noqa: BLE001 - nobody reads any more, or the memory is used up: nothing can follow
            os._exit(1)


def main() -> None:
    """Confine the process, then cut."""
    descriptor, memory, cpu_seconds = (int(argument) for argument in sys.argv[1:])
    confine(Limits(memory=memory, cpu_seconds=cpu_seconds))
    gc.freeze()  # what was loaded is never collected
    av.logging.set_level(None)
    frames, output = _frames_ahead(sys.stdin.buffer), _WriteBehind(sys.stdout.buffer)
    try:
        with os.fdopen(descriptor, "wb") as report:
            cut(frames, output, report)
            output.finish()
    except BaseException:  # noqa: BLE001 - reported as Python would
        traceback.print_exc()
        os._exit(1)
    os._exit(0)  # a thread may still wait in a pipe, and Python would wait for it or abort


if __name__ == "__main__":
    main()

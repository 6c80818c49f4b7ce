"""The process that cuts a clip: ``python -m services.vault.clip_process <report> <memory> <cpu seconds>``.

``report`` is the number of a pipe. It parses what recorders send, so it may do nothing but read and write its pipes
(``services.runtime.confine``).
``framing.py`` says what goes over them. The last line of the report is {"report": …}, or {"refused": sentence} where
the footage is of a kind that is not handled, or {"foreign": sentence} where it is another camera's.
"""

import gc
import json
import os
import sys
from dataclasses import asdict
from time import monotonic
from typing import BinaryIO

import av

from services.runtime.confine import Limits, confine
from services.vault.clip_cutter import Cutter
from services.vault.clip_place import Placement
from services.vault.clip_segment import Segment
from services.vault.clip_source import Foreign, Unsupported, next_source
from services.vault.clip_track import merged
from services.vault.clip_writer import Out, Writer
from services.vault.framing import Job, read_frame

OFTEN = 0.1  # seconds after which fragments are told of: each time wakes the one who listens


def cut(input_: BinaryIO, out: Out, tell: BinaryIO) -> None:
    """Read a job and its segments from ``input_``, write the clip to ``out`` and the report to ``tell``."""

    told = 0.0

    def emit(line: dict[str, object]) -> None:
        nonlocal told
        tell.write(json.dumps(line).encode() + b"\n")
        now = monotonic()
        if "fragment" not in line or now - told > OFTEN:
            tell.flush()
            told = now

    got = read_frame(input_)
    if got is None or got[0] != b"J":
        raise EOFError("a job was expected")
    job = Job(**json.loads(got[1]))
    writer = Writer(out, emit)
    cutter = Cutter(job, writer)
    placement = Placement(job.join_ns)
    sources = []
    try:
        while (source := next_source(input_, job.window)) is not None:
            sources.append(Segment(source, cutter, placement).copy())
        writer.end_run()
    except Unsupported as refusal:
        emit({"refused": str(refusal)})
        return
    except Foreign as error:
        emit({"foreign": str(error)})
        return
    covered = merged([span for source in sources for span in source.pictures])
    emit(
        {
            "report": {
                "zero_ns": writer.zero_ns,
                "first_ns": writer.first_ns,
                "last_ns": cutter.last_pts,
                "end_ns": cutter.last_end,
                "covered": covered,
                "packets": writer.packets,
                "dropped": cutter.dropped,
                "drift_ns": placement.drift_ns,
                "parts": [asdict(part) for part in writer.parts],
                "sources": [asdict(source) for source in sources],
            }
        }
    )


def main() -> None:
    """Take the limits, then cut."""
    report, memory, cpu_seconds = (int(argument) for argument in sys.argv[1:])
    confine(Limits(memory=memory, cpu_seconds=cpu_seconds))
    gc.freeze()  # what was loaded is never looked through again
    av.logging.set_level(None)
    with os.fdopen(report, "wb") as tell:
        cut(sys.stdin.buffer, sys.stdout.buffer, tell)
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()

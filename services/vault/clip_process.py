"""The process that cuts a clip: ``python -m services.vault.clip_process <report> <memory> <cpu seconds> [<slots>]``.

``report`` is the number of a pipe, ``slots`` that of the memory which it shares with the vault, where there is one.
It parses what recorders send, so it may do nothing but read and write its pipes, and read that memory
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
from services.runtime.heap import keep_freed
from services.vault.clip_cutter import Cutter
from services.vault.clip_pipes import Inlet, Outgoing
from services.vault.clip_place import Placement
from services.vault.clip_segment import Segment
from services.vault.clip_source import Foreign, Unsupported, next_source
from services.vault.clip_track import merged
from services.vault.clip_writer import Out, Writer
from services.vault.framing import Job
from services.vault.slots import Window

OFTEN = 0.1  # seconds after which fragments are told of: each time wakes the one who listens


def cut(inlet: Inlet, out: Out, tell: BinaryIO) -> None:
    """Read a job and its segments from ``inlet``, write the clip to ``out`` and the report to ``tell``."""

    told = 0.0

    def emit(line: dict[str, object]) -> None:
        nonlocal told
        tell.write(json.dumps(line).encode() + b"\n")
        now = monotonic()
        if "fragment" not in line or now - told > OFTEN:
            tell.flush()
            told = now

    got = inlet.frame()
    if got is None or got[0] != b"J":
        raise EOFError("a job was expected")
    job = Job(**json.loads(bytes(got[1])))
    writer = Writer(out, emit)
    cutter = Cutter(job, writer)
    placement = Placement(job.join_ns)
    sources = []
    try:
        while (source := next_source(inlet, job.window)) is not None:
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
    report, memory, cpu_seconds, *slots = (int(argument) for argument in sys.argv[1:])
    confine(Limits(memory=memory, cpu_seconds=cpu_seconds))
    keep_freed()
    gc.freeze()  # what was loaded is never looked through again
    av.logging.set_level(None)
    window = Window(slots[0]) if slots else None
    out = Outgoing(sys.stdout.fileno(), window)
    with os.fdopen(report, "wb") as tell:
        cut(Inlet(sys.stdin.buffer, window, out), out, tell)
    os._exit(0)  # what is freed is written over, and the last bytes may not have been read yet


if __name__ == "__main__":
    main()

"""The process that looks for faces; its arguments are those of ``process``: report, memory, seconds of the processor.

Standard input is the job and one fragmented MP4, as there; standard output one JSON object a line for each picture that
was looked at: {"at": milliseconds, "size": [width, height], "faces": [[left, top, right, bottom, score], …]}, edges as
shares of the picture's sides. ``report`` is the number of a pipe for progress, and for the last line: {"report": …}, or
{"refused": sentence}. The model is read before the process is confined, and footage after.
"""

import gc
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from time import monotonic
from typing import Any, BinaryIO

os.environ["OPENBLAS_NUM_THREADS"] = "1"  # read once, when the library is loaded

import av
import cv2
import numpy as np
from av.video.frame import VideoFrame

from services.runtime.confine import Limits, confine
from services.vault.redaction import detector
from services.vault.redaction.faces import Candidate, Face, decode
from services.vault.redaction.pictures import Input, Source, Unsupported, open_footage
from services.vault.redaction.protocol import HEAD, LARGEST_JOB, lines_to

NICE = 10  # behind what makes redacted copies
REPORT_SECONDS = 0.5
STEP = 32  # pixels that the network's picture is a multiple of
OUTPUTS = ("537", "538", "539", "540")  # how likely, how large, where in the cell; eyes, nose and mouth are not used
MOST_CANDIDATES = 5000

Look = Callable[[VideoFrame], list[Face]]


@dataclass
class Job:
    """``offset_ns``: how long after the first picture of all the footage the source's media time 0 is."""

    offset_ns: int
    threshold: float
    every: int
    at_least_ms: int
    longest_side: int


class Detector:
    """The network, read; ``find`` returns the faces of a picture."""

    def __init__(self, model: bytes) -> None:
        cv2.setNumThreads(1)
        cv2.ocl.setUseOpenCL(False)
        self._net = cv2.dnn.readNetFromONNX(np.frombuffer(model, np.uint8))

    def find(self, frame: VideoFrame, job: Job) -> list[Face]:
        scale = min(1.0, job.longest_side / max(frame.width, frame.height))
        width, height = (max(STEP, -(-int(side * scale) // STEP) * STEP) for side in (frame.width, frame.height))
        picture = frame.reformat(width, height, format="bgr24").to_ndarray()
        self._net.setInput(cv2.dnn.blobFromImage(picture))
        heat, size, offset, _ = self._net.forward(list(OUTPUTS))
        likely = heat[0, 0]
        rows, columns = np.where(likely > job.threshold)
        if len(rows) > MOST_CANDIDATES:
            best = np.argsort(-likely[rows, columns])[:MOST_CANDIDATES]
            rows, columns = rows[best], columns[best]
        found = (
            Candidate(
                score=float(likely[row, column]),
                column=int(column),
                row=int(row),
                width=float(size[0, 1, row, column]),
                height=float(size[0, 0, row, column]),
                right=float(offset[0, 1, row, column]),
                down=float(offset[0, 0, row, column]),
            )
            for row, column in zip(rows, columns, strict=True)
        )
        return decode(found, width, height)


def search(source: Source, job: Job, look: Look, emit: Callable[[dict[str, object]], None]) -> Iterator[dict[str, Any]]:
    """Yield what is found in each picture that is looked at; raises Unsupported."""
    count, skipped, last_at, told = 0, job.every, 0, monotonic()
    for packet in source.container.demux(source.video):
        for moment, frame in source.pictures(packet):
            count += 1
            skipped += 1
            if skipped < job.every and moment.at - last_at < job.at_least_ms:
                continue
            skipped, last_at = 0, moment.at
            shown = source.shown(frame)
            faces = [[round(edge, 5) for edge in (f.left, f.top, f.right, f.bottom, f.score)] for f in look(shown)]
            yield {"at": moment.at, "size": [shown.width, shown.height], "faces": faces}
            if monotonic() - told > REPORT_SECONDS:
                told = monotonic()
                emit({"pictures": count, "at": moment.at})
    if not count:
        raise Unsupported("no picture of it can be decoded")
    emit({"report": {"pictures": count, "undecodable": source.undecodable}})


def run(given: BinaryIO, out: BinaryIO, look: Callable[[VideoFrame, Job], list[Face]], emit: Any) -> None:
    """Read the job and its source, and write what is found, and the report."""
    [length] = HEAD.unpack(given.read(HEAD.size))
    if length > LARGEST_JOB:
        raise EOFError(f"a job of {length} bytes is longer than {LARGEST_JOB}")
    job = Job(**json.loads(given.read(length)))
    footage = Input(given)
    try:
        with open_footage(footage) as container:
            source = Source(container, footage, job.offset_ns)
            for found in search(source, job, lambda frame: look(frame, job), emit):
                out.write(json.dumps(found).encode() + b"\n")
                out.flush()
    except Unsupported as refusal:
        emit({"refused": str(refusal)})
    except (av.FFmpegError, ValueError, cv2.error) as error:
        emit({"refused": f"it cannot be read ({type(error).__name__})"})


def main() -> None:
    """Read the model, confine the process, then look."""
    descriptor, memory, cpu_seconds = (int(argument) for argument in sys.argv[1:])
    network = Detector(detector.read_model())
    os.nice(NICE)
    confine(Limits(memory=memory, cpu_seconds=cpu_seconds))
    gc.freeze()  # what was loaded is never collected
    av.logging.set_level(None)
    try:
        with os.fdopen(descriptor, "wb") as report:
            run(sys.stdin.buffer, sys.stdout.buffer, network.find, lines_to(report))
            sys.stdout.buffer.flush()
    except BaseException:  # noqa: BLE001 - reported as Python would
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


if __name__ == "__main__":
    main()

"""``bench clip``: the clip step alone, its process included; the peer is ffmpeg on the same bytes."""

import shutil
import statistics
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from services.bench.camera import CHANNEL, segments_of, span_of
from services.bench.figures import MIB, Peer, report, timed, timed_sync
from services.bench.footage import encode
from services.bench.recording import Recording
from services.recorders.protocol import Segment
from services.vault.byte_stream import in_own_thread
from services.vault.clip.client import Clip

PIECE = 1 << 20
_FFMPEG = "ffmpeg -i - -c copy -movflags frag_keyframe+empty_moov+default_base_moof -f mp4 -"


@dataclass
class _Footage:
    data: bytes
    count: int
    pieces: list[bytes] = field(init=False)  # cut once: to copy them is no part of what is measured

    def __post_init__(self) -> None:
        self.pieces = [self.data[start : start + PIECE] for start in range(0, len(self.data), PIECE)]

    async def segments(self) -> AsyncIterator[Segment]:
        for number in range(self.count):
            size = len(self.data)
            yield Segment(str(number), CHANNEL, span_of(number), size, "fmp4", self._bytes)

    async def _bytes(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


async def measure(folder: Path, *, size: int, megabits: float, runs: int) -> dict[str, Any]:
    """Cut so much footage, from memory to nowhere."""
    segment = folder / "segment.mp4"
    count = segments_of(size, encode(segment, megabits))
    footage = _Footage(segment.read_bytes(), count)
    recording = Recording(footage.data)
    seconds, others = [], []
    came = 0

    async def cut() -> None:
        nonlocal came
        async with Clip(footage.segments(), span_of(0, count), CHANNEL) as clip:
            came = await in_own_thread(lambda: sum(map(len, iter(clip.read, b""))))
            await clip.conclude()

    ffmpeg = shutil.which("ffmpeg")
    for _ in range(runs):
        seconds.append(await timed(cut))
        if ffmpeg is not None:
            others.append(timed_sync(partial(_ffmpeg, ffmpeg, recording, count)))
    figures: dict[str, Any] = {"bytes": came, "mebibytes_per_second": came / MIB / statistics.median(seconds)}
    if ffmpeg is None:
        return report("clip", seconds, None, missing="There is no peer: this machine lacks ffmpeg.", **figures)
    theirs = {"mebibytes_per_second": recording.size(count) / MIB / statistics.median(others)}
    return report("clip", seconds, Peer(_FFMPEG, others), faster=True, of_peer=theirs, **figures)


def _ffmpeg(program: str, recording: Recording, count: int) -> None:
    command = [program, "-loglevel", "error", *_FFMPEG.split()[1:]]
    with subprocess.Popen(  # noqa: S603 - a program of the machine on our own bytes
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as process:
        if process.stdin is not None:
            for piece in recording.repeated(count):
                process.stdin.write(piece)
            process.stdin.close()

"""``bench redact``: a redacted copy by the confined process; the peer decodes and encodes the same pictures, no more.

The figure is pictures a second of the size that was asked for. How long an hour takes is worked out from it. Where
others use the machine as well, ``processor_ratio`` compares the two: the redacting process lets others go first.
"""

import asyncio
import io
import os
import resource
import statistics
import time
from collections.abc import AsyncIterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

import av
from av.video.frame import PictureType

from services.bench.figures import HOUR, MIB, Peer, report, timed, timed_sync
from services.bench.memory import Peak
from services.vault.redaction.client import MOST_THREADS, Redaction
from services.vault.redaction.process import ENCODER, OPTIONS

FPS = 25
PIECE = 1 << 19
PEER = "PyAV: decode, and encode with libx264 by the same settings"


async def measure(folder: Path, *, seconds: int, width: int, height: int, mode: str, runs: int) -> dict[str, Any]:
    """Redact so many seconds of moving footage, from memory to nowhere."""
    path = folder / "footage.mp4"
    _film(path, seconds, width, height)
    source = path.read_bytes()
    own, others, came, peak, pictures = [], [], 0, 0, 0
    spent, of_peer = [], []  # seconds of the processor

    async def redact() -> None:
        nonlocal came, pictures
        redaction = Redaction(_recipe(mode, width, height, seconds))
        came = 0
        async for piece in redaction.redact(_pieces(source), 0):
            came += len(piece)
        pictures = redaction.results[0].pictures

    for _ in range(runs):
        before = _processor_seconds()
        with Peak(os.getpid()) as memory:
            own.append(await timed(redact))
        between = _processor_seconds()
        others.append(await asyncio.to_thread(timed_sync, partial(_encode_again, source)))
        spent.append(between - before)
        of_peer.append(_processor_seconds() - between)
        peak = max(peak, memory.bytes)
    rate = pictures / statistics.median(own)
    return report(
        "redact",
        own,
        Peer(PEER, others),
        of_peer={"pictures_per_second": pictures / statistics.median(others)},
        size=f"{width}x{height}",
        pictures=pictures,
        bytes=came,
        pictures_per_second=rate,
        pictures_per_processor_second=pictures / statistics.median(spent),
        processor_ratio=statistics.median(spent) / statistics.median(of_peer),
        hour_at_25_takes_seconds=FPS * HOUR / rate,
        peak_mib=peak / MIB,
    )


def _processor_seconds() -> float:
    """Return what this process and the children that have ended have used."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def _recipe(mode: str, width: int, height: int, seconds: int) -> dict[str, Any]:
    """Three boxes, of which one moves all the time."""
    end = seconds * 1000
    side = max(8, min(width, height) // 5)
    places = [(0, 0, 0), (0, width - side, 0), (0, 0, height - side)]
    regions = [
        {
            "start": 0,
            "end": end,
            "keyframes": [
                {"at": at, "x": x, "y": y, "width": side, "height": side},
                {"at": end, "x": (x + width // 2) % (width - side), "y": y, "width": side, "height": side},
            ],
        }
        for at, x, y in places
    ]
    return {
        "mode": mode,
        "style": "pixelate",
        "sound": False,
        "picture": {"width": width, "height": height},
        "regions": regions,
    }


async def _pieces(source: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(source), PIECE):
        yield source[start : start + PIECE]


def _film(path: Path, seconds: int, width: int, height: int) -> None:
    """Write a picture with detail that moves, as of a camera: noise would make the encoder all that is measured."""
    row = bytes((16 + (x * 7 + (x >> 3) * 13) % 200) for x in range(2 * width))
    options = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
    with av.open(str(path), "w", format="mp4", options=options) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.gop_size = 2 * FPS
        stream.options = {"preset": "ultrafast", "bf": "0"}
        for number in range(seconds * FPS):
            frame = av.VideoFrame(width, height, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            plane = frame.planes[0]
            lines = (row[(y * 3 + 2 * number) % width :][:width].ljust(plane.line_size, b"\x10") for y in range(height))
            plane.update(b"".join(lines))
            for colour in frame.planes[1:]:
                colour.update(bytes([128]) * colour.buffer_size)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def _encode_again(source: bytes) -> None:
    """Decode and encode: the least that a redacted copy costs."""
    with (
        av.open(io.BytesIO(source), "r", format="mov") as given,
        av.open(io.BytesIO(), "w", format="mp4", options=OPTIONS) as made,
    ):
        video = given.streams.video[0]
        video.codec_context.thread_count = 1
        encoder = made.add_stream("libx264", rate=FPS)
        encoder.width, encoder.height, encoder.pix_fmt = video.width, video.height, "yuv420p"
        encoder.codec_context.thread_count = min(MOST_THREADS, os.cpu_count() or 1)
        encoder.codec_context.options = dict(ENCODER)
        for frame in given.decode(video):
            frame.pict_type = PictureType.NONE
            made.mux(encoder.encode(frame))
        made.mux(encoder.encode(None))

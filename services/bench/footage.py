"""Footage to measure with: ten seconds of noise, encoded once and laid out as many segments of one camera."""

import math
import os
import secrets
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import av

from services.recorders.layout import NAME
from services.runtime.spans import Span

START = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = 10
FPS = 25
SIZE = (640, 360)
CHANNEL = "camera"
_FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def lay_out(root: Path, size: int, megabits: float) -> tuple[Span, int]:
    """At least ``size`` bytes in the layout of MediaMTX, at about this bit rate; the span, and how many bytes they are.

    The picture is noise, which no encoder makes small; footage is never decoded, so it costs what any other costs.
    """
    folder = root / CHANNEL
    folder.mkdir(parents=True)
    first = folder / f"{START.strftime(NAME)}.mp4"
    _encode(first, megabits)
    segments = max(1, math.ceil(size / first.stat().st_size))
    for number in range(1, segments):
        os.link(first, folder / f"{(START + timedelta(seconds=number * SECONDS)).strftime(NAME)}.mp4")
    return Span(START, START + timedelta(seconds=segments * SECONDS)), segments * first.stat().st_size


def _encode(path: Path, megabits: float) -> None:
    with av.open(str(path), "w", format="mp4", options=_FRAGMENTED) as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.width, stream.height = SIZE
        stream.pix_fmt = "yuv420p"
        stream.gop_size = FPS
        stream.bit_rate = int(megabits * 1_000_000)
        stream.options = {"preset": "ultrafast", "bf": "0", "sc_threshold": "0"}
        for number in range(SECONDS * FPS):
            frame = av.VideoFrame(*SIZE, "yuv420p")
            frame.pts, frame.time_base = number, Fraction(1, FPS)
            for plane in frame.planes:
                plane.update(secrets.token_bytes(plane.buffer_size))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))

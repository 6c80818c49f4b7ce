"""Footage for benchmarks: ten seconds of noise, encoded once."""

import secrets
from fractions import Fraction
from pathlib import Path

import av

from services.bench.camera import SECONDS

FPS = 25
SIZE = (640, 360)
_FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def encode(path: Path, megabits: float) -> int:
    """Write one segment at about this bit rate; return its size in bytes.

    The picture is noise, which does not compress; footage is never decoded, so the content does not matter.
    """
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
    return path.stat().st_size

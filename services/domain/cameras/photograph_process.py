"""Scale a picture to a small JPEG (``python -m``: codec, max pixels).

Its input comes from anybody, so the process may only read and write its pipes (``services.runtime.confine``). Only
decoded pixels are written: no metadata and no trailing data.
"""

import sys
from fractions import Fraction
from itertools import pairwise

import av
from av.filter import Graph
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from services.runtime.confine import Limits, confine
from services.runtime.jpeg import jpeg

WIDTH, HEIGHT = 640, 360  # at most
QUALITY = 3  # the quantizer of JPEG: 2 is the finest, 31 the coarsest
# Clockwise quarter turns by the decoder's rotation, which counts the other way round.
TURNS = {-90: 1, 90: 3, 180: 2, -180: 2}


def decode(content: bytes, codec: str, pixels: int) -> VideoFrame:
    """Decode the picture.

    Raises av.FFmpegError where there is none, it is damaged, or it has more than ``pixels``.
    """
    decoder = av.CodecContext.create(codec, "r")
    if not isinstance(decoder, VideoCodecContext):
        raise TypeError(f"{codec} decodes no pictures")
    decoder.thread_count = 1
    # The decoder checks the size too: it knows what it allocates, whatever the header said.
    decoder.options = {"max_pixels": str(pixels), "err_detect": "explode"}
    frames = [*decoder.decode(av.Packet(content)), *decoder.decode(None)]
    if not frames:
        raise av.InvalidDataError(0, "no picture")
    return frames[0]


def scale_down(frame: VideoFrame) -> VideoFrame:
    """Return the whole picture upright, within ``WIDTH`` by ``HEIGHT``, never enlarged."""
    turns = TURNS.get(frame.rotation, 0)
    max_width, max_height = (HEIGHT, WIDTH) if turns % 2 else (WIDTH, HEIGHT)
    scale = min(max_width / frame.width, max_height / frame.height, 1)
    width, height = (max(2, round(side * scale) // 2 * 2) for side in (frame.width, frame.height))
    scaled = frame.reformat(width, height, "yuvj420p", interpolation="AREA")
    return rotate(scaled, turns) if turns else scaled


def rotate(frame: VideoFrame, turns: int) -> VideoFrame:
    """Return the picture after so many clockwise quarter turns."""
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    chain = [source, *(graph.add("transpose", "clock") for _ in range(turns)), graph.add("buffersink")]
    for source_filter, target_filter in pairwise(chain):
        source_filter.link_to(target_filter)
    graph.configure()
    frame.pts = 0
    graph.push(frame)
    turned = graph.pull()
    if not isinstance(turned, VideoFrame):
        raise TypeError("a picture was turned into no picture")
    return turned


def main() -> int:
    """Write the JPEG, or nothing with exit status 1."""
    confine(Limits(cpu_seconds=20))
    av.logging.set_level(None)
    codec, pixels = sys.argv[1], int(sys.argv[2])
    try:
        picture = jpeg(scale_down(decode(sys.stdin.buffer.read(), codec, pixels)), QUALITY)
    except av.FFmpegError:
        return 1
    sys.stdout.buffer.write(picture)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

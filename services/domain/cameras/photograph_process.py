"""Make a small JPEG of a picture that a person uploaded (run with ``python -m``: codec, most pixels).

It decodes what anybody may have made, so it may do nothing but read and write its pipes (``services.runtime.confine``).
Only what was decoded goes out: no metadata, and nothing of what stood beside the picture.
"""

import sys
from fractions import Fraction
from itertools import pairwise

import av
from av.filter import Graph
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from services.recorders.snapshot_process import jpeg
from services.runtime.confine import Limits, confine

WIDTH, HEIGHT = 640, 360  # the most
QUALITY = 3  # the quantizer of JPEG: 2 is the finest, 31 the coarsest
# How often to turn by a quarter, clockwise; what a decoder tells turns the other way round.
TURNS = {-90: 1, 90: 3, 180: 2, -180: 2}


def decoded(content: bytes, codec: str, pixels: int) -> VideoFrame:
    """The picture; av.FFmpegError where there is none, where it is damaged, or where it has more pixels."""
    decoder = av.CodecContext.create(codec, "r")
    if not isinstance(decoder, VideoCodecContext):
        raise TypeError(f"{codec} decodes no pictures")
    decoder.thread_count = 1
    # Asked of the decoder as well: it sees what it is about to allocate, whatever the header before it said.
    decoder.options = {"max_pixels": str(pixels), "err_detect": "explode"}
    frames = [*decoder.decode(av.Packet(content)), *decoder.decode(None)]
    if not frames:
        raise av.InvalidDataError(0, "no picture")
    return frames[0]


def small(frame: VideoFrame) -> VideoFrame:
    """The picture upright and whole, at most ``WIDTH`` by ``HEIGHT``; never larger than it was."""
    turns = TURNS.get(frame.rotation, 0)
    across, down = (HEIGHT, WIDTH) if turns % 2 else (WIDTH, HEIGHT)
    share = min(across / frame.width, down / frame.height, 1)
    width, height = (max(2, round(side * share) // 2 * 2) for side in (frame.width, frame.height))
    scaled = frame.reformat(width, height, "yuvj420p", interpolation="AREA")
    return _turned(scaled, turns) if turns else scaled


def _turned(frame: VideoFrame, turns: int) -> VideoFrame:
    graph = Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))
    chain = [source, *(graph.add("transpose", "clock") for _ in range(turns)), graph.add("buffersink")]
    for before, after in pairwise(chain):
        before.link_to(after)
    graph.configure()
    frame.pts = 0
    graph.push(frame)
    turned = graph.pull()
    if not isinstance(turned, VideoFrame):
        raise TypeError("a picture was turned into no picture")
    return turned


def main() -> int:
    """Answer with a picture, or with nothing and status 1."""
    confine(Limits(cpu_seconds=20))
    av.logging.set_level(None)
    codec, pixels = sys.argv[1], int(sys.argv[2])
    try:
        picture = jpeg(small(decoded(sys.stdin.buffer.read(), codec, pixels)), QUALITY)
    except av.FFmpegError:
        return 1
    sys.stdout.buffer.write(picture)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

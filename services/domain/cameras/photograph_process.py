"""Scale a picture to a JPEG (``python -m``: codec, max pixels, width, height and quantizer of the JPEG).

Its input comes from anybody, so the process may only read and write its pipes (``services.runtime.confine``). Only
decoded pixels are written: no metadata and no trailing data.
"""

import sys
from fractions import Fraction
from itertools import pairwise

import av
from av.filter import Graph
from av.filter.context import FilterContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from services.runtime.confine import Limits, confine
from services.runtime.jpeg import jpeg

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


def scale_down(frame: VideoFrame, most_width: int, most_height: int) -> VideoFrame:
    """Return the whole picture upright, within these sides, never enlarged; what is transparent is white."""
    turns = TURNS.get(frame.rotation, 0)
    max_width, max_height = (most_height, most_width) if turns % 2 else (most_width, most_height)
    scale = min(max_width / frame.width, max_height / frame.height, 1)
    width, height = (max(2, round(side * scale) // 2 * 2) for side in (frame.width, frame.height))
    if _may_be_transparent(frame):
        frame = on_white(frame.reformat(width, height, "rgba", interpolation="AREA"))
    scaled = frame.reformat(width, height, "yuvj420p", interpolation="AREA")
    return rotate(scaled, turns) if turns else scaled


def rotate(frame: VideoFrame, turns: int) -> VideoFrame:
    """Return the picture after so many clockwise quarter turns."""
    graph = Graph()
    chain = [_source(graph, frame), *(graph.add("transpose", "clock") for _ in range(turns)), graph.add("buffersink")]
    for source_filter, target_filter in pairwise(chain):
        source_filter.link_to(target_filter)
    return _pulled(graph, frame)


def on_white(frame: VideoFrame) -> VideoFrame:
    """Return the picture, in rgba, on a white ground: drawings are often exported without one."""
    graph = Graph()
    ground = graph.add("color", f"c=white:s={frame.width}x{frame.height}:r=25")
    overlay, sink = graph.add("overlay", "format=rgb"), graph.add("buffersink")
    ground.link_to(overlay, 0, 0)
    _source(graph, frame).link_to(overlay, 0, 1)
    overlay.link_to(sink)
    return _pulled(graph, frame)


def _source(graph: Graph, frame: VideoFrame) -> FilterContext:
    return graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1, 25))


def _pulled(graph: Graph, frame: VideoFrame) -> VideoFrame:
    graph.configure()
    frame.pts = 0
    graph.push(frame)
    made = graph.pull()
    if not isinstance(made, VideoFrame):
        raise TypeError("a filter of pictures gave no picture")
    return made


def _may_be_transparent(frame: VideoFrame) -> bool:
    return frame.format.has_palette or any(part.is_alpha for part in frame.format.components)


def main() -> int:
    """Write the JPEG, or nothing with exit status 1."""
    confine(Limits(cpu_seconds=20))
    av.logging.set_level(None)
    codec, (pixels, width, height, quantizer) = sys.argv[1], map(int, sys.argv[2:6])
    try:
        picture = jpeg(scale_down(decode(sys.stdin.buffer.read(), codec, pixels), width, height), quantizer)
    except av.FFmpegError:
        return 1
    sys.stdout.buffer.write(picture)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

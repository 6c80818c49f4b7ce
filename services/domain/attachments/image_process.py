"""Write an image anew, upright and without metadata (``python -m``: codec, max pixels).

Its input comes from anybody, so the process may only read and write its pipes (``services.runtime.confine``).
"""

import sys
from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from services.domain.cameras.photograph_process import TURNS, decode, rotate
from services.runtime.confine import Limits, confine
from services.runtime.jpeg import jpeg

FINEST = 2  # the quantizer of JPEG
MEMORY = 2 << 30  # bytes: a picture of 40 million pixels is held decoded, converted and written


def main() -> int:
    """Write the image in its own format, or nothing with exit status 1."""
    confine(Limits(memory=MEMORY, cpu_seconds=50))
    av.logging.set_level(None)
    codec, pixels = sys.argv[1], int(sys.argv[2])
    try:
        frame = decode(sys.stdin.buffer.read(), codec, pixels)
        written = png(frame) if codec == "png" else _jpeg(frame)
    except av.FFmpegError:
        return 1
    sys.stdout.buffer.write(written)
    sys.stdout.buffer.flush()
    return 0


def _jpeg(frame: VideoFrame) -> bytes:
    turns = TURNS.get(frame.rotation, 0)
    # the turning filter takes this format; the encoder writes it anyway
    return jpeg(rotate(frame.reformat(format="yuvj420p"), turns) if turns else frame, FINEST)


def png(frame: VideoFrame) -> bytes:
    """Return the frame as PNG: with its transparency, grey where it is grey."""
    grey = frame.format.name.startswith(("gray", "mono"))
    transparent = any(component.is_alpha for component in frame.format.components) or frame.format.has_palette
    pixels = "rgba" if transparent else "gray" if grey else "rgb24"
    encoder = av.CodecContext.create("png", "w")
    if not isinstance(encoder, VideoCodecContext):
        raise TypeError("the PNG encoder is no video encoder")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, pixels
    encoder.time_base = Fraction(1, 25)
    image = frame.reformat(format=pixels)
    image.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(image), *encoder.encode(None)])


if __name__ == "__main__":
    sys.exit(main())

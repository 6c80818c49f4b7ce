"""``python -m services.recorders.snapshot_process <seconds> [<container>]``: segment in, JPEG out.

It decodes what a recorder holds, so it may do nothing but read and write its pipes (``services.runtime.confine``).
"""

import io
import sys
from fractions import Fraction

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from services.runtime.confine import Limits, confine

FORMATS = {"mkv": "matroska", "ts": "mpegts", "ps": "mpeg"}


def frame_at(container: InputContainer, seconds: float) -> VideoFrame | None:
    """The last picture that begins no later, or the first one there is."""
    video = container.streams.video[0]
    video.codec_context.thread_count = 1
    shown: VideoFrame | None = None
    try:
        if container.format.name not in FORMATS.values():
            container.seek(int(seconds / (video.time_base or 1)), stream=video, backward=True)
            first = 0.0
        else:
            # These begin at any time, and are held whole: they are read from their beginning.
            first = float((video.start_time or 0) * (video.time_base or 1))
        for frame in container.decode(video):
            if shown is not None and frame.time is not None and frame.time - first > seconds:
                break
            shown = frame
    except av.FFmpegError:
        return shown  # a damaged file: what was shown before the damage
    return shown


def jpeg(frame: VideoFrame, quantizer: int | None = None) -> bytes:
    """The picture as JPEG; ``quantizer`` from 2, the finest, to 31, the coarsest, or as the encoder likes."""
    encoder = av.CodecContext.create("mjpeg", "w")
    if not isinstance(encoder, VideoCodecContext):
        raise TypeError("the JPEG encoder is no video encoder")
    encoder.width, encoder.height, encoder.pix_fmt = frame.width, frame.height, "yuvj420p"
    encoder.time_base = Fraction(1, 25)
    if quantizer is not None:
        encoder.qmin = encoder.qmax = quantizer
    image = frame.reformat(format="yuvj420p")
    image.pts = 0
    return b"".join(bytes(packet) for packet in [*encoder.encode(image), *encoder.encode(None)])


def main() -> int:
    """Answer with a picture, or with nothing and status 1."""
    confine(Limits(cpu_seconds=30))
    av.logging.set_level(None)
    try:
        given = sys.stdin.buffer
        file = given if given.seekable() else io.BytesIO(given.read())
        with av.open(file, "r", format=FORMATS.get("".join(sys.argv[2:3]), "mov")) as container:
            frame = frame_at(container, float(sys.argv[1]))
    except (av.FFmpegError, IndexError):
        return 1
    if frame is None:
        return 1
    sys.stdout.buffer.write(jpeg(frame))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Write a picture as JPEG, in a process that decodes footage or photographs."""

from fractions import Fraction

import av
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame


def jpeg(frame: VideoFrame, quantizer: int | None = None) -> bytes:
    """Return the picture as JPEG; ``quantizer`` from 2, the finest, to 31, the coarsest, or as the encoder likes."""
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

"""``python -m services.recorders.snapshot_process <seconds> [<container> [cut]]``: segment in, JPEG out.

It decodes what a recorder holds, so it may do nothing but read and write its pipes (``services.runtime.confine``).
"""

import io
import sys
from collections.abc import Iterator

import av
import av.subtitles.codeccontext  # PyAV imports these late, which a confined process cannot
import av.subtitles.stream
import av.subtitles.subtitle
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from services.runtime.confine import Limits, confine
from services.runtime.jpeg import jpeg

FORMATS = {"mkv": "matroska", "ts": "mpegts", "ps": "mpeg", "dav": "dhav"}


def frame_at(container: InputContainer, seconds: float, *, cut: bool = False) -> VideoFrame | None:
    """The last picture that begins no later, or the first one there is. Of a segment that is ``cut`` off, none where
    it does not reach as far."""
    video = container.streams.video[0]
    video.codec_context.thread_count = 1
    shown: VideoFrame | None = None
    reached = not cut
    try:
        for frame, time in _frames(container, video, seconds):
            if shown is not None and time > seconds:
                reached = True
                break
            shown = frame
    except av.FFmpegError:
        pass  # a damaged file: what was shown before the damage
    return shown if reached else None


def _frames(container: InputContainer, video: VideoStream, seconds: float) -> Iterator[tuple[VideoFrame, float]]:
    """Pictures from a key frame before the moment on, each with its time from the segment's beginning."""
    base = float(video.time_base or 1)
    if container.format.name not in FORMATS.values():
        container.seek(int(seconds / base), stream=video, backward=True)
        for frame in container.decode(video):
            yield frame, frame.time or 0.0
        return
    # These begin at any time, are held whole, and have no index: only the last group before the moment is decoded.
    first = (video.start_time or 0) * base
    group: list[Packet[VideoStream]] = []
    for packet in container.demux(video):
        time = (packet.pts or 0) * base - first
        if packet.is_keyframe and time <= seconds:
            group.clear()
        group.append(packet)
        if packet.pts is None or (packet.is_keyframe and time > seconds):
            break
    for packet in group:
        for frame in packet.decode():
            yield frame, (frame.pts or 0) * base - first


def main() -> int:
    """Answer with a picture, or with nothing and status 1."""
    confine(Limits(cpu_seconds=30))
    av.logging.set_level(None)
    try:
        stdin = sys.stdin.buffer
        file = stdin if stdin.seekable() else io.BytesIO(stdin.read())
        with av.open(file, "r", format=FORMATS.get("".join(sys.argv[2:3]), "mov")) as container:
            frame = frame_at(container, float(sys.argv[1]), cut="cut" in sys.argv[3:])
    except (av.FFmpegError, IndexError):
        return 1
    if frame is None:
        return 1
    sys.stdout.buffer.write(jpeg(frame))
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())

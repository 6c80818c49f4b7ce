"""Pictures opened to see whether they are whole, where their container cannot tell.

MPEG-TS counts its packets from 0 to 15 and says no length of a picture: sixteen packets of one stream that are lost in
a row leave no trace but in the picture. So its pictures are decoded as they pass. That takes a processor some 2.5 ms
for each picture of 1920 by 1080 (about 9 MB/s of 4.7 Mbit/s, measured), so it ends after ``MOST_SECONDS``.
"""

from time import thread_time

import av
from av.packet import Packet
from av.stream import Stream
from av.video.codeccontext import VideoCodecContext

from services.vault.clip.tracks import Tracks

MOST_SECONDS = 1800.0  # of the processor, for all segments of a clip

_spent = 0.0


class PictureDecoder:
    """Decodes the pictures of one segment, in decoding order."""

    def __init__(self) -> None:
        self._context: VideoCodecContext | None = None
        self._key: tuple[object, ...] | None = None
        self._first: int | None = None  # when the first key frame is shown

    def is_whole(self, packet: "Packet[Stream]", tracks: Tracks) -> bool:
        """Whether the next picture decodes; True where it was not opened."""
        global _spent  # noqa: PLW0603 - of the process, which cuts one clip
        if _spent > MOST_SECONDS or not self._may_open(packet, tracks) or self._context is None:
            return True
        began = thread_time()
        try:
            given = Packet(bytes(packet))
            given.pts, given.dts = packet.pts, packet.dts
            return not any(frame.is_corrupt for frame in self._context.decode(given))
        except av.FFmpegError:
            return False
        finally:
            _spent += thread_time() - began

    def _may_open(self, packet: "Packet[Stream]", tracks: Tracks) -> bool:
        """Whether what leads to the picture was opened: not of those that are shown before the first key frame."""
        if packet.is_keyframe and self._key != tracks.key:
            self._context, self._key, self._first = _context(tracks), tracks.key, packet.pts
        return self._first is not None and (packet.pts is None or packet.pts >= self._first)


def _context(tracks: Tracks) -> VideoCodecContext | None:
    context = av.CodecContext.create(tracks.codec, "r")
    if not isinstance(context, VideoCodecContext):
        return None
    context.extradata = tracks.record or None
    context.thread_count = 1
    context.options = {"err_detect": "explode+aggressive", "skip_loop_filter": "all", "skip_idct": "all"}
    return context

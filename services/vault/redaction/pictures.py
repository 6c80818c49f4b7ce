"""The pictures of footage as a player shows them: cropped, turned, with their times; read of a pipe, in confinement.

How a picture is turned is said by the track's header alone. What the pictures themselves say of it (the display
orientation of H.264 and H.265) no browser follows, and the boxes are drawn in a browser.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import BinaryIO, cast

import av
import av.filter
import av.filter.graph
import av.subtitles.codeccontext  # PyAV imports these late, which a confined process cannot
import av.subtitles.stream
import av.subtitles.subtitle
from av.codec.context import Flags
from av.container import InputContainer
from av.filter import Graph
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from services.runtime.boxes import BoxError, boxes, descend
from services.vault.redaction.drawing import FORMATS

BUFFER = 1 << 19
SECOND = 1_000_000_000
LARGEST_HEAD = 16 << 20  # of a file's beginning up to the end of its index
LARGEST_SIDE = 16_384  # pixels, as in a recipe
# What turns a picture as its display matrix says: the signs of a, b, c and d (ISO/IEC 14496-12, 8.3.2).
TURNS = {
    (1, 0, 0, 1): (),
    (0, 1, -1, 0): (("transpose", "clock"),),
    (0, -1, 1, 0): (("transpose", "cclock"),),
    (-1, 0, 0, -1): (("hflip", ""), ("vflip", "")),
    (-1, 0, 0, 1): (("hflip", ""),),
    (1, 0, 0, -1): (("vflip", ""),),
    (0, 1, 1, 0): (("transpose", "cclock_flip"),),
    (0, -1, -1, 0): (("transpose", "clock_flip"),),
}
MATRIX = struct.Struct(">9i")

Turn = tuple[tuple[str, str], ...]


class Unsupported(Exception):
    """The footage cannot be redacted; the text says why."""


@dataclass(frozen=True)
class Moment:
    """When a picture is shown: in ticks of its track, in nanoseconds, and in milliseconds of all the footage."""

    pts: int
    ns: int
    at: int


class Input:
    """What is read of a pipe, which cannot be sought; its beginning is kept for ``turn``."""

    def __init__(self, pipe: BinaryIO) -> None:
        self._pipe = pipe
        self._head = bytearray()
        self._complete = False

    def read(self, size: int) -> bytes:
        """Return up to ``size`` bytes, empty at the end."""
        data = self._pipe.read(size)
        if not self._complete:
            self._head += data
            self._complete = len(self._head) > LARGEST_HEAD
        return data

    def turn(self, track: int) -> Turn:
        """Return how the pictures of a track are turned to be shown; raises Unsupported for an angle."""
        self._complete = True
        head, self._head = bytes(self._head), bytearray()
        place = _matrix_of(head, track)
        if place is None:
            return ()
        a, b, _, c, d, *_ = MATRIX.unpack_from(head, place)
        signs = tuple((value > 0) - (value < 0) for value in (a, b, c, d))
        if signs not in TURNS or len({abs(value) for value in (a, b, c, d) if value}) != 1:
            raise Unsupported("its picture is shown at an angle, and only quarter turns are known")
        return TURNS[signs]


def _matrix_of(head: bytes, track: int) -> int | None:
    """Return where the display matrix of a track begins; None where its header does not say."""
    try:
        for top in boxes(head):
            if top.kind != "moov":
                continue
            for box in descend(head, top, "trak", "tkhd"):
                longer = head[box.body] == 1
                [number] = struct.unpack_from(">I", head, box.body + (20 if longer else 12))
                place = box.body + (52 if longer else 40)
                if number == track and place + MATRIX.size <= box.end:
                    return place
            return None
    except (BoxError, struct.error, IndexError):
        pass
    return None


class _Turner:
    """Turns pictures as they are shown."""

    def __init__(self, first: VideoFrame, turn: Turn) -> None:
        self.kind = _kind_of(first)
        self._graph = graph = Graph()  # kept: its filters would end with it
        graph.threads = 1
        source = last = graph.add_buffer(
            width=first.width, height=first.height, format=first.format, time_base=first.time_base
        )
        for name, arguments in turn:
            step = graph.add(name, arguments)
            last.link_to(step)
            last = step
        sink = graph.add("buffersink")
        last.link_to(sink)
        graph.configure()
        self._source, self._sink = source, sink

    def turned(self, frame: VideoFrame) -> VideoFrame:
        self._source.push(frame)
        return cast("VideoFrame", self._sink.pull())


class Source:
    """One piece of footage. ``offset_ns``: how long after the first picture of all of it its media time 0 is."""

    def __init__(self, container: InputContainer, given: Input, offset_ns: int) -> None:
        self.undecodable = 0
        self.container = container
        self._offset_ns = offset_ns
        self._turner: _Turner | None = None
        self.video = self._open()
        self.turn = given.turn(self.video.id)
        if self.video.time_base is None:
            raise Unsupported("the picture track has no time base")
        self.base: Fraction = self.video.time_base

    def _open(self) -> VideoStream:
        if not self.container.streams.video:
            raise Unsupported("it has no picture track")
        video = self.container.streams.video[0]
        context = video.codec_context
        if context is None:
            raise Unsupported("its pictures are of a kind that cannot be decoded")
        if max(context.width, context.height) > LARGEST_SIDE:
            raise Unsupported(f"its picture is larger than {LARGEST_SIDE} pixels")
        context.thread_count = 1
        context.flags |= Flags.unaligned  # else the left of a cropped picture would be shown again
        return video

    def pictures(self, packet: "Packet[VideoStream]") -> Iterator[tuple[Moment, VideoFrame]]:
        """Yield the pictures that a packet completes, as they were decoded, with their moments."""
        try:
            frames = list(packet.decode())
        except av.FFmpegError:
            self.undecodable += 1
            return
        for frame in frames:
            if frame.pts is None:
                self.undecodable += 1
                continue
            ns = frame.pts * self.base.numerator * SECOND // self.base.denominator
            # Moments of the database are whole microseconds: one more keeps a picture in its own millisecond. What is
            # shown before the first key frame, of which a recipe has no moments, counts as shown with it.
            yield Moment(frame.pts, ns, max(0, (ns + self._offset_ns + 1000) // 1_000_000)), frame

    def shown(self, frame: VideoFrame) -> VideoFrame:
        """Return the picture as it is shown: turned, in a format that is drawn into, with even sides."""
        if self.turn:
            if self._turner is None or self._turner.kind != _kind_of(frame):
                self._turner = _Turner(frame, self.turn)
            frame = self._turner.turned(frame)
        width, height = frame.width - frame.width % 2, frame.height - frame.height % 2
        if frame.format.name not in FORMATS or (width, height) != (frame.width, frame.height):
            wanted = frame.format.name if frame.format.name in FORMATS else "yuv420p"
            frame = frame.reformat(width, height, format=wanted)
        return frame


def open_footage(given: Input) -> InputContainer:
    """Open a fragmented MP4 of a pipe; raises what FFmpeg does."""
    # edit lists must not hide pictures, as in the clip; the format is fixed, so that nothing is guessed
    return av.open(
        given,
        "r",
        format="mov",
        options={"advanced_editlist": "0"},
        buffer_size=BUFFER,
        io_open=_no_other_files,
    )


def _no_other_files(*_: object) -> object:
    raise PermissionError("footage may not refer to other files")


def _kind_of(frame: VideoFrame) -> tuple[int, int, str]:
    return frame.width, frame.height, frame.format.name

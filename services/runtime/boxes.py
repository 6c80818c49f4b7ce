"""Parse ISO base media boxes (ISO/IEC 14496-12) to measure MP4 without a decoder.

Footage from a recorder is not trusted: sizes are checked against the data, and what does not fit is a ``BoxError``,
never an index error.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple

_COUNTED_FROM = datetime(1904, 1, 1, tzinfo=UTC)
_EARLIEST, _LATEST = (
    (datetime(year, 1, 1, tzinfo=UTC) - _COUNTED_FROM) // timedelta(seconds=1) for year in (1990, 2200)
)
_LETTERS = frozenset((*range(0x20, 0x7F), 0xA9))  # of a box's name
MAX_INDEX_BYTES = 16 * 1024 * 1024  # of one moov or moof in memory


class BoxError(ValueError):
    """The bytes are not what their own headers say."""


class Box(NamedTuple):
    """One box inside a buffer: ``body`` up to ``end`` are offsets of its contents."""

    kind: str
    start: int
    body: int
    end: int


@dataclass(frozen=True)
class Track:
    """A track as ``moov`` declares it; durations are in ticks of ``timescale`` for each second."""

    number: int
    kind: str  # the handler: "vide", "soun", …
    timescale: int
    duration: int
    default_duration: int


@dataclass(frozen=True)
class StreamMark:
    """MediaMTX's ``mtxi`` box: which run of a stream a segment belongs to, and its place in it (seen in real files)."""

    stream: str  # identity of one run; a restarted stream has another
    number: int  # of the segment in the run, from 0
    decode_ns: int  # time since the start of the run


@dataclass(frozen=True)
class Movie:
    """The content of ``moov``."""

    tracks: dict[int, Track]
    fragmented: bool
    mark: StreamMark | None
    created: datetime | None = None  # of ``mvhd``; None if it is unset or impossible

    def first(self, kind: str) -> Track | None:
        """The first track of that kind, or None."""
        return next((track for track in self.tracks.values() if track.kind == kind), None)


@dataclass(frozen=True)
class Run:
    """The samples of one track in one fragment; ``decode_time`` and ``duration`` in the track's ticks."""

    track: int
    decode_time: int
    samples: int
    duration: int


def header(data: bytes | memoryview, offset: int) -> tuple[str, int, int]:
    """Read kind, header length and size of the box at ``offset``; size 0: up to the end.

    Raises BoxError if the bytes are no box header.
    """
    if len(data) - offset < 8:
        raise BoxError(f"{len(data) - offset} bytes are too few for a box header")
    size, name = struct.unpack_from(">I4s", data, offset)
    length = 8
    if size == 1:
        if len(data) - offset < 16:
            raise BoxError("a 64-bit box header is cut off")
        (size,) = struct.unpack_from(">Q", data, offset + 8)
        length = 16
    kind = _kind(name)
    if kind is None or (size and size < length):
        raise BoxError(f"no box begins with {name!r} and size {size}")
    return kind, length, size


@lru_cache(256)
def _kind(name: bytes) -> str | None:
    return name.decode("latin-1") if _LETTERS.issuperset(name) else None


def boxes(data: bytes, start: int = 0, end: int | None = None) -> Iterator[Box]:
    """Yield the boxes between two offsets, in order; raises BoxError if one does not fit."""
    stop = len(data) if end is None else end
    while start < stop:
        kind, length, size = header(data, start)
        last = stop if size == 0 else start + size
        if last > stop:
            raise BoxError(f"box {kind} ends {last - stop} bytes behind its parent")
        yield Box(kind, start, start + length, last)
        start = last


def descend(data: bytes, parent: Box, *path: str) -> Iterator[Box]:
    """Yield all boxes below ``parent`` along the path of kinds."""
    for box in boxes(data, parent.body, parent.end):
        if box.kind == path[0]:
            if len(path) == 1:
                yield box
            else:
                yield from descend(data, box, *path[1:])


def _unpack(layout: str, data: bytes, offset: int, end: int) -> tuple[int, ...]:
    if offset + struct.calcsize(layout) > end:
        raise BoxError("a box is shorter than its fields")
    return struct.unpack_from(layout, data, offset)


def _media_header(data: bytes, box: Box) -> tuple[int, int]:
    version = _unpack(">B", data, box.body, box.end)[0]
    if version:
        return _pair(_unpack(">IQ", data, box.body + 20, box.end))
    return _pair(_unpack(">II", data, box.body + 12, box.end))


def _pair(values: tuple[int, ...]) -> tuple[int, int]:
    return values[0], values[1]


def _only(data: bytes, parent: Box, *path: str) -> Box:
    box = next(descend(data, parent, *path), None)
    if box is None:
        raise BoxError(f"{parent.kind} has no {'/'.join(path)}")
    return box


def _mark(data: bytes, moov: Box) -> StreamMark | None:
    box = next(descend(data, moov, "udta", "mtxi"), None)
    if box is None or box.end - box.body < 44:
        return None
    number, decode_ns = _unpack(">QQ", data, box.body + 20, box.end)
    return StreamMark(data[box.body + 4 : box.body + 20].hex(), number, decode_ns)


def _created(data: bytes, moov: Box) -> datetime | None:
    box = next(descend(data, moov, "mvhd"), None)
    if box is None:
        return None
    version = _unpack(">B", data, box.body, box.end)[0]
    seconds = _unpack(">Q" if version else ">I", data, box.body + 4, box.end)[0]
    # A clock that was never set writes 0, or counts from 1970; neither is a time.
    return _COUNTED_FROM + timedelta(seconds=seconds) if _EARLIEST <= seconds < _LATEST else None


def read_movie(moov: bytes) -> Movie:
    """Parse a whole ``moov`` box (header included); raises BoxError."""
    root = next(boxes(moov))
    defaults = {}
    for trex in descend(moov, root, "mvex", "trex"):
        number, _, duration = _unpack(">III", moov, trex.body + 4, trex.end)
        defaults[number] = duration
    tracks = {}
    for trak in descend(moov, root, "trak"):
        tkhd = _only(moov, trak, "tkhd")
        version = _unpack(">B", moov, tkhd.body, tkhd.end)[0]
        number = _unpack(">I", moov, tkhd.body + (20 if version else 12), tkhd.end)[0]
        timescale, duration = _media_header(moov, _only(moov, trak, "mdia", "mdhd"))
        if not timescale:
            raise BoxError(f"track {number} has a time scale of 0")
        handler = _only(moov, trak, "mdia", "hdlr")
        kind = moov[handler.body + 8 : handler.body + 12].decode("latin-1")
        tracks[number] = Track(number, kind, timescale, duration, defaults.get(number, 0))
    fragmented = next(descend(moov, root, "mvex"), None) is not None
    return Movie(tracks, fragmented, _mark(moov, root), _created(moov, root))


def _run(data: bytes, traf: Box, movie: Movie) -> Run:
    tfhd = _only(data, traf, "tfhd")
    flags, number = _unpack(">II", data, tfhd.body, tfhd.end)
    track = movie.tracks.get(number)
    if track is None:
        raise BoxError(f"a fragment belongs to track {number}, which does not exist")
    each = track.default_duration
    if flags & 0x08:
        offset = tfhd.body + 8 + (8 if flags & 0x01 else 0) + (4 if flags & 0x02 else 0)
        each = _unpack(">I", data, offset, tfhd.end)[0]
    tfdt = _only(data, traf, "tfdt")
    version = _unpack(">B", data, tfdt.body, tfdt.end)[0]
    decode_time = _unpack(">Q" if version else ">I", data, tfdt.body + 4, tfdt.end)[0]
    samples = duration = 0
    for trun in descend(data, traf, "trun"):
        flags, count = _unpack(">II", data, trun.body, trun.end)
        first = trun.body + 8 + (4 if flags & 0x01 else 0) + (4 if flags & 0x04 else 0)
        step = 4 * ((flags >> 8) & 0xF).bit_count()
        if first + step * count > trun.end:
            raise BoxError("a run of samples is longer than its box")
        samples += count
        if flags & 0x100:
            duration += sum(struct.unpack_from(">I", data, first + step * row)[0] for row in range(count))
        else:
            duration += each * count
    return Run(number, decode_time, samples, duration)


def read_fragment(moof: bytes, movie: Movie) -> list[Run]:
    """Parse the runs of a whole ``moof`` box (header included); raises BoxError."""
    return [_run(moof, traf, movie) for traf in descend(moof, next(boxes(moof)), "traf")]


@dataclass
class BoxWalk:
    """Walk the top-level boxes of a byte stream; the contents of ``moov`` and ``moof`` only.

    ``found`` lists (kind, offset, size, contents or None) of the complete boxes. After ``finish`` the field
    ``problem`` is a sentence, or None.
    """

    found: list[tuple[str, int, int, bytes | None]] = field(default_factory=list)
    problem: str | None = None
    missing: int = 0  # bytes that the last box still lacks
    _position: int = 0
    _head: bytearray = field(default_factory=bytearray)
    _kind: str = ""
    _start: int = 0
    _size: int = 0  # 0 while between boxes
    _left: int = 0
    _contents: bytearray | None = None
    _open_end: bool = False

    @property
    def position(self) -> int:
        """Bytes seen so far."""
        return self._position

    @property
    def inside(self) -> str | None:
        """The kind of the current box, or None between boxes."""
        return self._kind if self._size or self._open_end else None

    def feed(self, data: bytes | memoryview) -> None:
        """Process the next bytes; never raises, a stream that is no box stream sets ``problem``."""
        view = memoryview(data)
        while view and self.problem is None:
            if not self._size and not self._open_end:
                view = self._begin(view)
                continue
            taken = len(view) if self._open_end else min(len(view), self._left)
            if self._contents is not None:
                self._contents += view[:taken]
            self._position += taken
            view = view[taken:]
            if not self._open_end:
                self._left -= taken
                if not self._left:
                    self._close()
        self._position += len(view)

    def _begin(self, view: memoryview) -> memoryview:
        length_needed = 16 if len(self._head) >= 4 and self._head[:4] == b"\0\0\0\1" else 8
        taken = min(len(view), length_needed - len(self._head))
        self._head += view[:taken]
        self._position += taken
        if len(self._head) < 8 or (self._head[:4] == b"\0\0\0\1" and len(self._head) < 16):
            return view[taken:]
        try:
            self._kind, length, size = header(bytes(self._head), 0)
        except BoxError as error:
            self.problem = str(error)
            return view[taken:]
        self._start = self._position - length
        self._open_end = size == 0
        self._size, self._left = size, size - length
        keep = self._kind in ("moov", "moof")
        if keep and (self._open_end or size > MAX_INDEX_BYTES):
            self.problem = f"box {self._kind} of {size} bytes is larger than the {MAX_INDEX_BYTES} that are read"
            return view[taken:]
        self._contents = bytearray(self._head) if keep else None
        self._head.clear()
        if not self._open_end and not self._left:
            self._close()
        return view[taken:]

    def _close(self) -> None:
        contents = bytes(self._contents) if self._contents is not None else None
        self.found.append((self._kind, self._start, self._size, contents))
        self._size, self._contents = 0, None

    def finish(self) -> None:
        """End the stream: an incomplete box becomes the ``problem``."""
        if self.problem is not None:
            return
        if self._head:
            self.missing = 8 - len(self._head) if len(self._head) < 8 else 16 - len(self._head)
            self.problem = "the file ends inside a box header"
        elif self._size:
            self.missing = self._left
            self.problem = f"box {self._kind} declares {self._size} bytes and {self._left} of them are missing"
        elif self._open_end:
            self.found.append((self._kind, self._start, self._position - self._start, None))

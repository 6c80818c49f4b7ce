"""One segment inside the clip process: its bytes from the pipe, checked by a walk and opened as media.

It is read as it streams. Only a plain MP4 whose index comes last needs seeking: it is held in memory, up to the job's
window.
"""

import io
import json
from collections import deque
from collections.abc import Iterator

import av
from av.container import InputContainer

from services.runtime.boxes import MAX_INDEX_BYTES, BoxError, BoxWalk, Movie, read_fragment, read_movie
from services.runtime.media_kinds import FIRST_BOXES, HEAD, UNREAD, kind_of
from services.vault.clip.container_walks import DamageTracker, DavWalk, MatroskaWalk, PsWalk, TsWalk, Walk, begins
from services.vault.clip.protocol import FOOTAGE_FRAME, Frame, Heading

FORMATS = {"mp4": "mov", "fmp4": "mov", "mov": "mov", "mkv": "matroska", "ts": "mpegts", "ps": "mpeg", "dav": "dhav"}
# Stream types that recorders use in MPEG-PS (GB/T 28181, appendix C). The demuxer knows A-law, and reads the others as
# MPEG sound.
A_LAW, MU_LAW = 0x90, 0x91
MISLABELLED = {0x92: "G.722.1", 0x93: "G.723.1", 0x99: "G.729"}
NAMES = {"mkv": "Matroska", "ts": "MPEG-TS", "ps": "MPEG-PS", "dav": "DAV"}


class Damaged(Exception):
    """This segment cannot be used, or not from here on; the text says why."""


class Unsupported(Exception):
    """The footage is sound but of a kind that is not handled; nothing may be made of it."""


class Foreign(Exception):
    """The footage is another camera's."""


_WALKS: dict[str, type[TsWalk | MatroskaWalk | PsWalk | DavWalk]] = {
    "mkv": MatroskaWalk,
    "ts": TsWalk,
    "ps": PsWalk,
    "dav": DavWalk,
}


def _no_other_files(*_: object) -> object:
    raise PermissionError("footage may not refer to other files")


def _what_it_is(head: bytes, container: str) -> str:
    if not head:
        return "the recorder sent an empty body"
    if head.lstrip().lower().startswith((b"<!doctype html", b"<html")):
        return "the recorder sent an HTML page instead of footage"
    if name := UNREAD.get(kind_of(head) or ""):
        return f"it is {name}, which is not read"
    if container in NAMES:
        return f"the recorder sent something that is no {NAMES[container]}"
    if head[4:8] not in FIRST_BOXES:
        return "the recorder sent something that is no MP4"
    return "the segment has no index (moov box)"


class Source:
    """A readable file of one segment; ``walk`` has seen every byte that was read."""

    def __init__(self, heading: Heading, frames: Iterator[Frame], window: int) -> None:
        self.heading = heading
        self.boxes = BoxWalk() if FORMATS[heading.container] == "mov" else None
        self.walk: Walk = self.boxes or _WALKS[heading.container]()
        self.recognised = False
        self.movie: Movie | None = None
        self._media_first = False  # before its index
        self.declared_samples: dict[int, int] = {}
        self._frames = frames
        self._window = window
        self._ready: deque[bytes] = deque()  # received, and not yet read
        self._held = 0  # bytes of these
        self._offset = 0  # read of the first of these
        self._ended = False
        self._unread = b""  # of MPEG-PS, what its walk has not passed
        self._given = 0
        self._head = b""

    def open(self) -> InputContainer:
        """The segment as a media container; raises Damaged or Unsupported."""
        container = self.heading.container
        file: object = self
        options = {"fpsprobesize": "0"}  # how long a picture lasts is measured
        if self.boxes is not None:
            self._wait_for_index(self.boxes)
            if self.movie is not None and not self.movie.fragmented and self._media_first:
                file = self._buffered()
            self.recognised = self.movie is not None
            # Edit lists must not hide packets. The index says all that a copy needs, so no picture is decoded to learn
            # more: that took most of the time.
            options = {"advanced_editlist": "0", "probesize": "32", "skip_frame": "all"}
        else:
            self._wait_for_head()
            self.recognised = begins(container, self._head)
        if not self.recognised:
            raise Damaged(_what_it_is(self._head, container))
        try:
            # The format is fixed so that nothing is guessed from hostile bytes.
            return av.open(
                file,
                "r",
                format=FORMATS[container],
                options=options,
                buffer_size=FOOTAGE_FRAME,
                io_open=_no_other_files,
            )
        except (av.FFmpegError, ValueError) as error:
            raise Damaged(f"the segment does not open: {error}") from error

    def _wait_for_head(self) -> None:
        while len(self._head) < HEAD and not self._ended:
            self._receive()

    def _wait_for_index(self, walk: BoxWalk) -> None:
        while self.movie is None and not self._ended and walk.problem is None and walk.inside != "mdat":
            if len(self._head) >= 8 and (self._head[4:8] not in FIRST_BOXES or self._held > MAX_INDEX_BYTES):
                return
            self._receive()
        if self.movie is None and walk.inside == "mdat":
            self._media_first = True
            self._receive_all()

    def _buffered(self) -> io.BytesIO:
        self._receive_all()
        whole = io.BytesIO(b"".join(self._ready))
        self._discard_pieces()
        return whole

    def _receive_all(self) -> None:
        while not self._ended:
            self._receive()
            if self._held > self._window:
                raise Unsupported(
                    f"Segment {self.heading.name} is a plain MP4 of more than {self._window >> 20} MiB whose index "
                    "comes last, which has to be held in memory: let the recorder write fragmented MP4 or shorter "
                    "segments."
                )

    def _receive(self) -> None:
        frame = next(self._frames, None)
        if frame is None:
            raise EOFError("the pipe ended inside a segment")
        letter, body = frame
        if letter == b"E":
            self._ended = True
            self.walk.finish()
            if self._unread:
                self._ready.append(self._unread)
                self._held += len(self._unread)
        else:
            if len(self._head) < HEAD:
                self._head += body[:HEAD]
            self.walk.feed(body)
            if isinstance(self.walk, PsWalk):
                body = self._as_a_law(self.walk, body)
            self._ready.append(body)
            self._held += len(body)
        if self.boxes is not None and self.boxes.found:
            self._note_boxes(self.boxes)

    def _note_boxes(self, walk: BoxWalk) -> None:
        try:
            for kind, _, _, contents in walk.found:
                if kind == "mdat":
                    self._media_first |= self.movie is None
                elif kind == "moov" and self.movie is None and contents is not None:
                    self.movie = read_movie(contents)
                elif kind == "moof" and self.movie is not None and contents is not None:
                    for run in read_fragment(contents, self.movie):
                        self.declared_samples[run.track] = self.declared_samples.get(run.track, 0) + run.samples
        except BoxError as error:
            walk.problem = str(error)
        walk.found.clear()

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; empty at the end of the segment."""
        while not self._held and not self._ended:
            self._receive()
        while self._ready and not self._ready[0]:
            self._ready.popleft()
        if not self._ready:
            return b""
        first = self._ready[0]
        piece = first[self._offset : self._offset + size]
        self._offset += len(piece)
        if self._offset == len(first):
            self._ready.popleft()
            self._offset = 0
        self._held -= len(piece)
        return piece

    def drain(self) -> None:
        """Skip what was not read, so that the walk sees the whole segment."""
        while not self._ended:
            self._discard_pieces()
            self._receive()
        self._discard_pieces()

    def declared(self, track: int, counted: int) -> int:
        """How many packets of a track the segment's own headers promise; ``counted`` where they promise nothing."""
        promised = self.walk.blocks if isinstance(self.walk, MatroskaWalk) else self.declared_samples
        return promised.get(track, counted)

    def _as_a_law(self, walk: PsWalk, body: bytes) -> bytes:
        """What may be read of MPEG-PS, mu-law announced as A-law: the demuxer parts both into the same packets."""
        whole = bytearray(self._unread + body)
        for place, kind in walk.announced_at:
            if kind == MU_LAW:
                whole[place - self._given] = A_LAW
        walk.announced_at.clear()
        count = walk.passed - self._given
        self._given, self._unread = walk.passed, bytes(whole[count:])
        return bytes(whole[:count])

    def mu_law(self, stream: int) -> bool:
        """Whether the stream that is read as A-law is mu-law."""
        return isinstance(self.walk, PsWalk) and self.walk.kinds.get(stream & 0xFF) == MU_LAW

    def announced(self) -> str | None:
        """Return a kind of sound that the segment announces and the demuxer mistakes for another."""
        kinds = self.walk.kinds.values() if isinstance(self.walk, PsWalk) else ()
        return next((MISLABELLED[kind] for kind in kinds if kind in MISLABELLED), None)

    def is_damaged(self, start: int, end: int | None) -> bool:
        """Whether bytes that do not belong touch those between; ``end`` is None where nothing follows."""
        return isinstance(self.walk, DamageTracker) and self.walk.is_damaged(start, end)

    def cut_off(self, stream: int) -> bool:
        """Whether the last picture of a stream that was read to its end may lack its own end."""
        if isinstance(self.walk, TsWalk) and self.heading.size is None and self.walk.ends_inside(stream):
            self.walk.problem = self.walk.problem or "the segment ends inside a picture"
        return isinstance(self.walk, TsWalk | PsWalk | DavWalk) and self.walk.problem is not None

    def _discard_pieces(self) -> None:
        self._ready.clear()
        self._held = self._offset = 0


def next_source(frames: Iterator[Frame], window: int) -> Source | None:
    """The next segment, or None after the last."""
    frame = next(frames, None)
    if frame is None:
        return None
    letter, body = frame
    if letter != b"S":
        raise EOFError(f"a segment was expected and {letter!r} came")
    return Source(Heading(**json.loads(body)), frames, window)

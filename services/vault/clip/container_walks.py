"""Check a segment's container structure, independently of the demuxer.

A demuxer resumes at the next position that it can read, and does not report what it skipped. These walks see each byte,
report what is missing or does not belong, and resume as well. MP4 has its own
(``services.runtime.boxes``). What was changed inside a picture's own bytes, no walk can see.
"""

from collections import deque
from datetime import UTC, datetime
from typing import Protocol

CELL = 188  # bytes of one packet of MPEG-TS
_TAIL = 1024 * CELL
_MANY = 1000  # places that are listed; beyond them, all between the last two counts as damaged
_SYNC = b"\x47"

_SEGMENT, _CLUSTER, _GROUP = 0x18538067, 0x1F43B675, 0xA0
_PARENTS = {_SEGMENT: "Segment", _CLUSTER: "Cluster", _GROUP: "BlockGroup"}
_BLOCKS = {0xA3: "SimpleBlock", 0xA1: "Block"}
_ANYWHERE = {0xEC, 0xBF}  # Void, CRC-32
_TOP = {0x1A45DFA3, _SEGMENT}
# SeekHead, Info, Tracks, Cluster, Cues, Attachments, Chapters, Tags
_IN_SEGMENT = {0x114D9B74, 0x1549A966, 0x1654AE6B, _CLUSTER, 0x1C53BB6B, 0x1941A469, 0x1043A770, 0x1254C367}
# Timestamp, SilentTracks, Position, PrevSize, SimpleBlock, BlockGroup, EncryptedBlock
_IN_CLUSTER = {0xE7, 0x5854, 0xA7, 0xAB, 0xA3, _GROUP, 0xAF}

_LARGEST = 1 << 16  # bytes of an element beside blocks: all of these are small

_PACK, _END, _MAP = 0xBA, 0xB9, 0xBC
_LARGEST_MAP = 1018
_HIKVISION = 40  # bytes of the header that its recorders put before the first pack

_DAHUA = 1024  # bytes of the header that some of its programs put before the first frame
_FRAME_HEAD, _FRAME_END = 24, 8  # bytes of a frame of DAV before and behind what it carries
_LARGEST_FRAME = 32 << 20
_NO_PICTURE_OR_SOUND = 0xF1
_COUNTER = 1 << 16  # milliseconds after which a frame's counter begins again
_APART_MS = 1500  # by which a frame's counter may differ from its date, whose step is a second
_TIMES = 1 << 16  # of frames that are known at once


class Walk(Protocol):
    """Sees each byte; after ``finish``, ``problem`` is the first fault as a sentence, or None."""

    problem: str | None

    def feed(self, data: bytes) -> None:
        """Read the next bytes; never raises."""
        ...

    def finish(self) -> None:
        """Note the end of the bytes."""
        ...


def begins(container: str, head: bytes) -> bool:
    """Whether a segment of that container may begin so."""
    match container:
        case "mkv":
            return head.startswith(b"\x1aE\xdf\xa3")
        case "ts":
            return head[:1] == _SYNC and head[CELL : CELL + 1] in (b"", _SYNC)
        case "dav":
            return head.startswith((b"DHAV", b"DAHUA"))
        case _:
            return head.startswith((b"\0\0\1\xba", b"IMKH"))


class DamageTracker:
    """Track the bytes that do not belong."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self._damaged: list[tuple[int, int]] = []  # the first byte that did not belong, and the next one that did
        self._lost_at: int | None = None

    def is_damaged(self, start: int, end: int | None) -> bool:
        """Return whether bytes are damaged between two offsets, or right behind: what ends there may be cut off.

        Call it in rising order: damage before ``start`` is forgotten.
        """
        self._damaged = [(first, last) for first, last in self._damaged if last > start]
        if self._lost_at is not None and (end is None or self._lost_at <= end):
            return True
        return any(end is None or first <= end for first, _ in self._damaged)

    def _mark_damage(self, position: int, words: str) -> None:
        self._lost_at = position
        self.problem = self.problem or words

    def _resume_at(self, position: int) -> None:
        if self._lost_at is not None:
            first = self._lost_at if len(self._damaged) < _MANY else self._damaged.pop()[0]
            self._damaged.append((first, position))
        self._lost_at = None


class TsWalk(DamageTracker):
    """MPEG-TS (ISO/IEC 13818-1): cells of 188 bytes, each with its sync byte."""

    def __init__(self) -> None:
        super().__init__()
        self._position = 0  # of the first byte of ``_rest``
        self._rest = b""
        self._tail = bytearray()  # the last whole cells

    def feed(self, data: bytes) -> None:
        data = self._rest + data
        while data:
            if self._lost_at is not None:
                data = self._search(data)
            count = 0 if self._lost_at is not None else len(data) // CELL
            first = data[: count * CELL : CELL]
            good = count - len(first.lstrip(_SYNC))
            if first[good:]:
                # Of the cell before, the end may be damaged as well.
                lost = self._position + good * CELL
                self._mark_damage(max(0, lost - CELL), f"no packet begins at byte {lost}")
            self._tail += data[: good * CELL][-_TAIL:]
            del self._tail[:-_TAIL]
            data = data[good * CELL :]
            self._position += good * CELL
            if good == count:
                break
        self._rest = data

    def _search(self, data: bytes) -> bytes:
        """What follows the next byte from which three cells follow one another, or what may yet lead to it."""
        position = data.find(_SYNC)
        while position >= 0 and position + 2 * CELL < len(data):
            if data[position + CELL] == data[position + 2 * CELL] == _SYNC[0]:
                self._resume_at(self._position + position)
                break
            position = data.find(_SYNC, position + 1)
        passed = len(data) if position < 0 else position
        self._position += passed
        return data[passed:]

    def finish(self) -> None:
        if self.problem is None and self._rest:
            self.problem = f"the last packet lacks {CELL - len(self._rest)} of its {CELL} bytes"

    def ends_inside(self, stream: int) -> bool:
        """Whether the stream's last cell is full: what a stream carries ends with stuffing, unless it just fits."""
        for position in range(len(self._tail) - CELL, -1, -CELL):
            if (self._tail[position + 1] & 0x1F) << 8 | self._tail[position + 2] == stream:
                return not self._tail[position + 3] & 0x20
        return False


class _HeaderWalk(DamageTracker):
    """Walks from header to header, and counts the bytes between them."""

    resume_mark: bytes  # where the walk can resume

    def __init__(self) -> None:
        super().__init__()
        self._held = b""
        self._at = 0  # the next header, in ``_held``
        self._before = 0  # bytes read before ``_held``
        self._from = 0  # where the header before began
        self._left = 0  # bytes to pass over
        self._inside = ""
        self._size = 0

    @property
    def _position(self) -> int:
        return self._before + self._at

    def feed(self, data: bytes) -> None:
        if self._held:
            data = self._held + data
        self._held, self._at = data, 0
        while self._lost_at is None or self._search():
            passed = min(self._left, len(data) - self._at)
            self._at += passed
            self._left -= passed
            if self._left or self._at == len(data):
                break
            if not self._step() and self._lost_at is None:
                break
        self._before += self._at
        self._held, self._at = self._held[self._at :], 0

    def finish(self) -> None:
        if self.problem is not None:
            return
        if self._left:
            self.problem = f"{self._inside} declares {self._size} bytes and {self._left} of them are missing"
        elif self._held:
            self.problem = "the file ends inside a header"

    def _search(self) -> bool:
        """Move to the next resume mark; return whether there is one."""
        position = self._held.find(self.resume_mark, self._at + 1)
        self._at = position if position >= 0 else max(self._at, len(self._held) - len(self.resume_mark))
        if position >= 0:
            self._resume_at(self._position)
        return position >= 0

    def _step(self) -> bool:
        """Read the header at ``_at`` and pass over it; False where it is not whole, or there is none."""
        raise NotImplementedError

    def _mark_damage(self, position: int, words: str) -> None:
        # The element before claimed to reach up to here, and has lost something itself.
        super()._mark_damage(min(position, self._from), words)

    def _pass(self, header: int, size: int, inside: str) -> None:
        self._from = self._position
        self._at += header
        self._left, self._size, self._inside = size, size, inside


class PsWalk(_HeaderWalk):
    """MPEG-PS (ISO/IEC 13818-1): packs, and packets that say how long they are."""

    resume_mark = b"\0\0\1\xba"

    def __init__(self) -> None:
        super().__init__()
        self.kinds: dict[int, int] = {}  # of streams, as the stream maps announce them
        self.announced_at: list[tuple[int, int]] = []  # where, and which kind, since they were last read

    @property
    def passed(self) -> int:
        """Bytes that the walk has finished with."""
        return self._before

    def _step(self) -> bool:
        head = self._held[self._at : self._at + 14]
        if not self._position and head.startswith(b"IMKH"):
            self._pass(0, _HIKVISION, "the header")
            return True
        if len(head) < 4 and b"\0\0\1".startswith(head[:3]):
            return False
        if head[:3] != b"\0\0\1" or head[3] < _END:
            self._mark_damage(self._position, f"no packet begins at byte {self._position}")
            return False
        return self._pass_packet(head)

    def _pass_packet(self, head: bytes) -> bool:
        if head[3] == _END:
            self._pass(4, 0, "")
        elif len(head) < 6 or (head[3] == _MAP and not self._read_map(int.from_bytes(head[4:6], "big"))):
            return False
        elif head[3] != _PACK:
            self._pass(6, int.from_bytes(head[4:6], "big"), "a packet")
        elif len(head) < 14:
            return False
        elif head[4] >> 6 == 1:
            self._pass(14, head[13] & 7, "a pack")
        else:
            self._pass(12, 0, "")  # as MPEG-1 has it
        return True

    def _read_map(self, length: int) -> bool:
        if length > _LARGEST_MAP:
            return True  # none that can be
        body = self._held[self._at + 6 : self._at + 6 + length]
        if len(body) < length:
            return False
        position = 6 + int.from_bytes(body[2:4], "big")
        while position + 8 <= length:  # the last four bytes are a checksum
            self.kinds[body[position + 1]] = body[position]
            self.announced_at.append((self._position + 6 + position, body[position]))
            position += 4 + int.from_bytes(body[position + 2 : position + 4], "big")
        return True


class DavWalk(_HeaderWalk):
    """DAV, as Dahua's recorders write it: frames that say before and behind them how long they are, and when they are.

    No standard describes it; this is what FFmpeg's reader knows. A frame's date has seconds, and a counter of
    milliseconds beside it: FFmpeg begins each second anew, which tears and doubles pictures, so times are read here.
    """

    resume_mark = b"DHAV"

    def __init__(self) -> None:
        super().__init__()
        self._length: int | None = None  # of the frame whose end is to come
        self._times: deque[tuple[int, int | None]] = deque(maxlen=_TIMES)
        self._earlier: tuple[int, int, int] | None = None  # second, counter and time of the frame before
        self._stamps: dict[bool, tuple[int, int]] = {}  # the last of pictures and of sound

    def time_at(self, position: int | None) -> int | None:
        """When the frame at that byte is, in milliseconds; call it in rising order."""
        while self._times and position is not None and self._times[0][0] < position:
            self._times.popleft()
        return self._times[0][1] if self._times and self._times[0][0] == position else None

    def _step(self) -> bool:
        head = self._held[self._at : self._at + _FRAME_HEAD]
        if self._length is not None:
            return self._pass_end(head[:_FRAME_END], self._length)
        if not self._position and head.startswith(b"DAHUA"):
            self._pass(0, _DAHUA, "the header")
            return True
        whole = len(head) == _FRAME_HEAD
        if head[:4] != self.resume_mark[: len(head)] and (self._position or whole):
            self._mark_damage(self._position, f"no frame begins at byte {self._position}")
        elif whole:
            return self._pass_frame(head)
        return False

    def _pass_frame(self, head: bytes) -> bool:
        length = int.from_bytes(head[12:16], "little")
        if not _FRAME_HEAD + _FRAME_END <= length <= _LARGEST_FRAME:
            self._mark_damage(self._position, f"a frame at byte {self._position} declares {length} bytes")
            return False
        if head[4] != _NO_PICTURE_OR_SOUND:
            self._times.append((self._position, self._time(head)))
        self._length = length
        self._pass(_FRAME_HEAD, length - _FRAME_HEAD - _FRAME_END, "a frame")
        return True

    def _pass_end(self, head: bytes, length: int) -> bool:
        end = b"dhav" + length.to_bytes(4, "little")
        if head == end:
            self._length = None
            self._from = self._position
            self._at += _FRAME_END
            return True
        if not end.startswith(head):
            self._mark_damage(self._position, f"a frame has no end at byte {self._position}")
        return False

    def _mark_damage(self, position: int, words: str) -> None:
        super()._mark_damage(position, words)
        self._length = None

    def finish(self) -> None:
        super().finish()
        if self.problem is None and self._length is not None:
            self.problem = "the last frame lacks its end"

    def _time(self, head: bytes) -> int | None:
        """The time by its date, and within a second by its counter; None where neither tells it from the one before."""
        second, stamp, sound = _date(int.from_bytes(head[16:20], "little")), _stamp(head), head[4] == 0xF0
        if second is None:
            return None
        time, alike = second * 1000, self._stamps.get(sound) == (second, stamp)
        self._stamps[sound] = second, stamp
        if self._earlier is not None:
            earlier, counted, known = self._earlier
            passed, elapsed = (second - earlier) * 1000, (stamp - counted) % _COUNTER
            elapsed += round((passed - elapsed) / _COUNTER) * _COUNTER
            moved = known + (elapsed if abs(elapsed - passed) <= _APART_MS else passed)
            time = moved if abs(moved - time) <= _APART_MS else time
        self._earlier = second, stamp, time
        return None if alike else time


def _stamp(head: bytes) -> int:
    return int.from_bytes(head[20:22], "little")


def _date(packed: int) -> int | None:
    """A frame's date in seconds, as if its clock were of UTC."""
    year, month, day = 2000 + (packed >> 26), packed >> 22 & 0xF, packed >> 17 & 0x1F
    try:
        moment = datetime(year, month, day, packed >> 12 & 0x1F, packed >> 6 & 0x3F, packed & 0x3F, tzinfo=UTC)
    except ValueError:
        return None
    return int(moment.timestamp())


class MatroskaWalk(_HeaderWalk):
    """Matroska (RFC 8794, RFC 9559): elements inside elements, and how many blocks each track has."""

    resume_mark = b"\x1f\x43\xb6\x75"

    def __init__(self) -> None:
        super().__init__()
        self.blocks: dict[int, int] = {}
        self._open: list[tuple[int, int | None]] = []  # elements we are inside of, and where they end

    def _step(self) -> bool:
        while self._open and (self._open[-1][1] or self._position + 1) <= self._position:
            self._open.pop()
        head = self._header()
        if head is None:
            return False
        kind, length, size = head
        if not self._belongs(kind) or not self._may_last(kind, size):
            self._mark_damage(self._position, f"no element begins at byte {self._position}")
            return False
        end = None if size is None else self._position + length + size
        outer = next((one for _, one in reversed(self._open) if one is not None), None)
        if outer is not None and (end or 0) > outer:
            self._mark_damage(self._position, f"an element at byte {self._position} reaches out of the one around it")
            return False
        if kind in _PARENTS:
            self._open.append((kind, end))
            self._pass(length, 0, "")
            return True
        if kind in _BLOCKS and not self._count(length):
            return False
        self._pass(length, size or 0, _BLOCKS.get(kind, "an element"))
        return True

    def _count(self, length: int) -> bool:
        number = self._number(length)
        if number is not None:
            self.blocks[number[0]] = self.blocks.get(number[0], 0) + 1
        return number is not None

    def _header(self) -> tuple[int, int, int | None] | None:
        """Identity, length of the header, size (None: it says none); None where it is not whole, or is none."""
        width = 9 - self._held[self._at].bit_length()
        if width > 4:
            self._mark_damage(self._position, f"no element begins at byte {self._position}")
            return None
        size = self._number(width)
        if size is None:
            return None
        value, length = size
        kind = int.from_bytes(self._held[self._at : self._at + width], "big")
        return kind, width + length, None if value == (1 << 7 * length) - 1 else value

    def _number(self, position: int) -> tuple[int, int] | None:
        """A number of variable length and how many bytes it took; None where it is not whole, or is none."""
        position += self._at
        if position >= len(self._held):
            return None
        width = 9 - self._held[position].bit_length()
        if width > 8:
            self._mark_damage(self._before + position, f"no number begins at byte {self._before + position}")
            return None
        if position + width > len(self._held):
            return None
        return int.from_bytes(self._held[position : position + width], "big") & ((1 << 7 * width) - 1), width

    def _resume_at(self, position: int) -> None:
        super()._resume_at(position)
        self._open = [(kind, end) for kind, end in self._open if kind == _SEGMENT and (end is None or end > position)]

    def _belongs(self, kind: int) -> bool:
        """Whether it may occur here; an element without a size ends where another begins that it cannot hold."""
        while self._open and self._open[-1][1] is None and kind in (_IN_SEGMENT | _TOP):
            if self._open[-1][0] == _SEGMENT and kind in _IN_SEGMENT:
                break
            self._open.pop()
        inside = self._open[-1][0] if self._open else (_SEGMENT if self.problem else None)
        allowed = {None: _TOP, _SEGMENT: _IN_SEGMENT, _CLUSTER: _IN_CLUSTER}.get(inside)
        return allowed is None or kind in allowed | _ANYWHERE

    def _may_last(self, kind: int, size: int | None) -> bool:
        """Whether an element of that kind may have that size here."""
        if kind in _PARENTS or size is None:
            return kind in _PARENTS
        beside_blocks = bool(self._open) and self._open[-1][0] != _SEGMENT
        return kind in _BLOCKS or not beside_blocks or size <= _LARGEST

    def finish(self) -> None:
        super().finish()
        for kind, end in self._open:
            if self.problem is None and end is not None and end > self._position:
                self.problem = f"the {_PARENTS[kind]} declares {end - self._position} bytes more than there are"

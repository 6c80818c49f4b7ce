"""The ZIP, read so that every byte is accounted for (PKWARE's APPNOTE 6.3, stored members only).

A package's ZIP is what follows from its members' names, sizes and contents and from nothing else: headers first, no
compression, no gaps, no comments, no time but ZIP's first day. ``local``, ``directory`` and ``end`` write those parts;
the reader writes them again from what it has read and compares, so that a byte which differs anywhere is found.
"""

import io
import os
import re
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from services.verifier import layout
from services.verifier.invalid import Invalid

MOST_MEMBERS = 20_000
LONGEST_NAME = 120
LARGEST_DIRECTORY = 8 << 20  # bytes of another program's, which is read for its names alone
BLOCK = 1 << 20

_NAME = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._-]*/)?[A-Za-z0-9][A-Za-z0-9._-]*")
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_END_64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_64 = struct.Struct("<4sLQL")
_LARGE = 0xFFFFFFFF  # from here on a length is in the fields of ZIP64
_FIRST_DAY = 0x0021  # 1 January 1980
_PLAIN, _NEEDS_64 = 20, 45
_MADE_BY = 3 << 8 | _NEEDS_64  # Unix
_MODE = 0o100644 << 16


@dataclass(frozen=True)
class Member:
    """``offset`` of its header in the file, ``size`` of its bytes, ``crc`` as the ZIP states it."""

    name: str
    size: int
    crc: int
    offset: int

    @property
    def start(self) -> int:
        """Return the offset of its first byte."""
        return self.offset + len(local(self.name, self.size, self.crc))


def check_name(name: str) -> None:
    """Raise Invalid unless the name is a file in the package or in one folder of it."""
    if len(name) > LONGEST_NAME or not _NAME.fullmatch(name):
        raise Invalid(f"{name[:LONGEST_NAME]!r} is no name of a member")


def local(name: str, size: int, crc: int) -> bytes:
    """Return the local header of a member."""
    large = size >= _LARGE
    extra = struct.pack("<2H2Q", 1, 16, size, size) if large else b""
    size_field = _LARGE if large else size
    needs = _NEEDS_64 if large else _PLAIN
    raw = name.encode("ascii")
    head = _LOCAL.pack(b"PK\x03\x04", needs, 0, 0, 0, _FIRST_DAY, crc, size_field, size_field, len(raw), len(extra))
    return head + raw + extra


def directory(members: Sequence[Member]) -> bytes:
    """Return the central directory."""
    return b"".join(_entry(member) for member in members)


def _entry(member: Member) -> bytes:
    large = [value for value in (member.size, member.size, member.offset) if value >= _LARGE]
    extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
    size, offset = min(member.size, _LARGE), min(member.offset, _LARGE)
    raw = member.name.encode("ascii")
    head = _CENTRAL.pack(
        *(b"PK\x01\x02", _MADE_BY, _NEEDS_64 if large else _PLAIN, 0, 0, 0, _FIRST_DAY, member.crc, size, size),
        *(len(raw), len(extra), 0, 0, 0, _MODE, offset),
    )
    return head + raw + extra


def end(count: int, length: int, offset: int) -> bytes:
    """Return the end of the central directory."""
    large = b""
    if offset >= _LARGE:
        large = _END_64.pack(b"PK\x06\x06", 44, _MADE_BY, _NEEDS_64, 0, 0, count, count, length, offset)
        large += _LOCATOR_64.pack(b"PK\x06\x07", 0, offset + length, 1)
    return large + _END.pack(b"PK\x05\x06", 0, 0, count, count, length, min(offset, _LARGE), 0)


class Archive:
    """The members of a package, in order, never extracted. Use as a context."""

    def __init__(self, path: Path | None, opening: Callable[[], io.RawIOBase] | None = None) -> None:
        """Open the file; raises OSError if it cannot be read, Invalid if its structure is wrong.

        ``opening`` opens what is no file of this machine, with a position of its own each time it is called.
        """
        self._is_file = path is not None
        self._open = _opening(path, opening)
        self._file = self._open()
        self._one_reads = threading.Lock()
        try:
            self.size = self._file.seek(0, os.SEEK_END)
            self.members = self._read_members()
        except BaseException:
            self._file.close()
            raise
        self.by_name = {member.name: member for member in self.members}

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def read(self, name: str, most: int) -> bytes:
        """Return a small member's bytes; raises Invalid if it is missing, or larger than ``most``."""
        member = self.by_name.get(name)
        if member is None:
            raise Invalid("it is not in the package")
        if member.size > most:
            raise Invalid(f"it has {member.size} bytes, and {most} are the most for such a member")
        return self._at(member.start, member.size)

    def blocks(self, member: Member) -> Iterator[memoryview]:
        """Yield a member's bytes in blocks of reused memory; threads may read in parallel."""
        buffer = memoryview(bytearray(BLOCK))
        left = member.size
        # A file position for each reader; not every system can read at an offset.
        with self._open() as file:
            if self._is_file and not os.path.samestat(os.fstat(file.fileno()), os.fstat(self._file.fileno())):
                raise Invalid("the file was exchanged while it was read")
            file.seek(member.start)
            while left:
                count = file.readinto(buffer[: min(BLOCK, left)])
                if not count:
                    raise Invalid("the file ended while it was read")
                yield buffer[:count]
                left -= count

    def _at(self, offset: int, length: int) -> bytes:
        parts, left = [], length
        with self._one_reads:
            self._file.seek(offset)
            while left:
                part = self._file.read(left)
                if not part:
                    raise Invalid("the file ended while it was read")
                parts.append(part)
                left -= len(part)
        return b"".join(parts)

    def _read_members(self) -> list[Member]:
        try:
            return self._read_structure()
        except Invalid as error:
            raise Invalid(self._packed_by_others() or str(error)) from error

    def _packed_by_others(self) -> str | None:
        """Return what was done where another program has packed the file; None where it is a package's, or no ZIP."""
        try:
            _, length, offset = self._read_end()
            return _packed_by_others(self._at(offset, length)) if length <= LARGEST_DIRECTORY else None
        except Invalid:
            return None

    def _read_structure(self) -> list[Member]:
        count, length, offset = self._read_end()
        if not 0 < count <= MOST_MEMBERS or not 0 < length <= count * (_CENTRAL.size + LONGEST_NAME + 28):
            raise Invalid(f"the ZIP's end states {count} members in a directory of {length} bytes, which is impossible")
        tail = end(count, length, offset)
        if offset + length + len(tail) != self.size:
            raise Invalid("the ZIP has bytes before its first member, between its parts, or behind its end")
        if self._at(offset + length, len(tail)) != tail:
            raise Invalid("the ZIP's end is not as a package ends: a byte of it was changed, or it has a comment")
        raw = self._at(offset, length)
        members = _parse(raw, count)
        if directory(members) != raw:
            raise Invalid("the ZIP's directory is not as it follows from its members: a byte of it was changed")
        position = 0
        for member in members:
            head = local(member.name, member.size, member.crc)
            if member.offset != position or position + len(head) + member.size > offset:
                raise Invalid(f"the member {member.name} is not where it has to be: behind the one before it")
            if self._at(position, len(head)) != head:
                raise Invalid(f"the header of the member {member.name} differs from the directory")
            position += len(head) + member.size
        if position != offset:
            raise Invalid("the ZIP has bytes between its last member and its directory")
        return members

    def _read_end(self) -> tuple[int, int, int]:
        """How many members, the directory's length and offset; compared with what the whole has to be afterwards."""
        if self.size < _END.size or self._at(0, 4) != b"PK\x03\x04":
            raise Invalid("this is no package: it does not begin as a ZIP does")
        fields = _END.unpack(self._at(self.size - _END.size, _END.size))
        if fields[0] != b"PK\x05\x06":
            raise Invalid("the ZIP has no end where its end has to be: it was cut off, or something was added")
        count, length, offset = fields[4], fields[5], fields[6]
        if offset == _LARGE:
            start = self.size - _END.size - _LOCATOR_64.size - _END_64.size
            if start < 0:
                raise Invalid("the ZIP's end states an impossible directory")
            offset = _END_64.unpack(self._at(start, _END_64.size))[9]
        if offset + length > self.size:
            raise Invalid("the ZIP's end states a directory behind the file's end")
        return count, length, offset


def _opening(path: Path | None, opening: Callable[[], io.RawIOBase] | None) -> Callable[[], io.RawIOBase]:
    if opening is not None:
        return opening
    if path is None:
        raise ValueError("an archive needs a file, or what opens it")
    return lambda: path.open("rb", buffering=0)


def _packed_by_others(raw: bytes) -> str | None:
    names: list[str] = []
    position = 0
    while raw[position : position + 4] == b"PK\x01\x02" and position + _CENTRAL.size <= len(raw):
        fields = _CENTRAL.unpack_from(raw, position)
        if fields[1] == _MADE_BY and fields[3:7] == (0, 0, 0, _FIRST_DAY):
            return None  # one entry is as in a package, so it was packed as one, and changed
        position += _CENTRAL.size
        names.append(raw[position : position + fields[10]].decode("ascii", "replace").replace("\\", "/"))
        position += sum(fields[10:13])
    files = [name for name in names if not name.endswith("/") and not name.startswith("__MACOSX/")]
    if len(files) == 1 and files[0].lower().endswith(".zip"):
        return "this ZIP holds another ZIP: unpack it once, and choose the one inside"
    if {layout.MANIFEST, layout.SIGNED} & {name.rpartition("/")[2] for name in files}:
        return "it was unpacked and packed again: take the file as you received it"
    return None


def _parse(raw: bytes, count: int) -> list[Member]:
    members: list[Member] = []
    seen: set[str] = set()
    position = 0
    for number in range(1, count + 1):
        if position + _CENTRAL.size > len(raw):
            raise Invalid(f"the ZIP's directory ends before its entry {number} of {count}")
        fields = _CENTRAL.unpack_from(raw, position)
        crc, size, name_length, extra_length, offset = fields[7], fields[9], fields[10], fields[11], fields[16]
        position += _CENTRAL.size
        name = raw[position : position + name_length].decode("ascii", "replace")
        check_name(name)
        if name.lower() in seen:
            raise Invalid(f"the member {name} is there twice")
        seen.add(name.lower())
        position += name_length
        size, offset = _large(raw[position : position + extra_length], size, offset)
        position += extra_length
        members.append(Member(name, size, crc, offset))
    return members


def _large(extra: bytes, size: int, offset: int) -> tuple[int, int]:
    """Lengths from ZIP64's field; whether it is the right one shows when the directory is written again."""
    if len(extra) not in {0, 12, 20, 28}:
        raise Invalid("the ZIP's directory has a field that no package has")
    values = [value for (value,) in struct.iter_unpack("<Q", extra[4:])]
    if size == _LARGE and len(values) >= 2:
        size = values[0]
        values = values[2:]
    if offset == _LARGE and values:
        offset = values[0]
    return size, offset

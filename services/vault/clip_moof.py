"""Fragments of one picture track, put together from where the pictures lie (ISO/IEC 14496-12, moof).

They are byte for byte what the media library's muxer writes, and the pictures are not copied for it.
"""

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from services.vault.clip_sample import Held, Sample

_TRACK = 1  # the number that the library gives the first stream
_KEY, _NO_KEY = 0x02000000, 0x01010000
_TFHD = 0x020038  # offsets count from the moof; duration, size and flags of most pictures are in it
_WORD, _LONG = (1 << 32) - 1, (1 << 64) - 1  # times that no recorder means are cut to what a box holds
_AT, _FIRST_FLAGS, _EACH_DURATION, _EACH_SIZE, _EACH_FLAGS, _EACH_OFFSET = 0x01, 0x04, 0x100, 0x200, 0x400, 0x800


@dataclass(slots=True)
class Entry:
    """A picture of the open fragment; times in the track's ticks."""

    size: int
    dts: int
    offset: int  # from decoding to showing
    key: bool
    duration: int


class Pieces:
    """The pictures of the open fragment; neighbours in one piece of the footage leave in one."""

    def __init__(self) -> None:
        self.size = 0
        self._pieces: list[tuple[memoryview, int, int]] = []

    def add(self, held: Held) -> None:
        """One more."""
        if not isinstance(held, Sample):
            held = Sample(memoryview(bytes(held)), 0, held.size, 0, key=held.is_keyframe)
        self.extend((held,))

    def extend(self, samples: Iterable[Sample]) -> None:
        """More of them."""
        piece, start, end = self._pieces.pop() if self._pieces else (None, 0, 0)
        for sample in samples:
            if piece is not sample.piece or end != sample.start:
                if piece is not None:
                    self._pieces.append((piece, start, end))
                piece, start, end = sample.piece, sample.start, sample.start
            end += sample.size
            self.size += sample.size
        if piece is not None:
            self._pieces.append((piece, start, end))

    def take(self) -> Iterator[memoryview]:
        """All of them, in order; none are left."""
        pieces, self._pieces, self.size = self._pieces, [], 0
        return (piece[start:end] for piece, start, end in pieces)


def moof(number: int, entries: Sequence[Entry], *, offsets: bool) -> bytes:
    """The box before the pictures; ``offsets``: those of this run are not all shown as they are decoded."""
    first = entries[0]
    flags = _AT
    columns: list[list[int]] = []
    if any(entry.duration != first.duration for entry in entries):
        flags |= _EACH_DURATION
        columns.append([entry.duration for entry in entries])
    if any(entry.size != first.size for entry in entries):
        flags |= _EACH_SIZE
        columns.append([entry.size for entry in entries])
    if any(entry.key for entry in entries[1:]):
        flags |= _EACH_FLAGS
        columns.append([_KEY if entry.key else _NO_KEY for entry in entries])
    elif first.key:
        flags |= _FIRST_FLAGS
    if offsets:
        flags |= _EACH_OFFSET
        columns.append([entry.offset for entry in entries])
    numbers = [value for row in zip(*columns, strict=True) for value in row]
    head = struct.pack(">I", _KEY) if flags & _FIRST_FLAGS else b""
    trun_size = 20 + len(head) + 4 * len(numbers)
    size = 8 + 16 + 8 + 28 + 20 + trun_size
    return b"".join(
        (
            struct.pack(">I4sI4sII", size, b"moof", 16, b"mfhd", 0, number),
            struct.pack(">I4s", size - 24, b"traf"),
            struct.pack(">I4s5I", 28, b"tfhd", _TFHD, _TRACK, first.duration & _WORD, first.size, _NO_KEY),
            struct.pack(">I4sIQ", 20, b"tfdt", 1 << 24, first.dts & _LONG),
            struct.pack(">I4sIII", trun_size, b"trun", flags, len(entries), size + 8),
            head,
            struct.pack(f">{len(numbers)}I", *(value & _WORD for value in numbers)),
        )
    )

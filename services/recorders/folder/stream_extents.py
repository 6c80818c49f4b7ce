"""How far the pictures in a Matroska file, a transport or a program stream reach, by its first and last time stamps.

Only a few pieces of the file are read, and nothing of it is decoded; whatever does not fit counts for nothing. As all
times of these containers, lengths count from the first picture (``Segment``).
"""

import re
import struct
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from services.recorders.folder.mp4_extents import LONGEST_HOURS, Extent

HEAD = 1 << 20  # bytes from the beginning in which the first time stamp lies
TAIL = 512 << 10  # bytes before the end; doubled until a time stamp is found
LONGEST_TAIL = 8 << 20
CLOCK = 90_000
_WRAP = 1 << 33
# A packet of video with a time stamp (ISO/IEC 13818-1, 2.4.3.6): its marker bits tell it from the pictures' own bytes.
_STAMPED = re.compile(rb"\x00\x00\x01[\xe0-\xef]..[\x80-\xbf][\x80-\xff][\x05-\xff]([\x21-\x3f]....)", re.DOTALL)
_SEGMENT, _INFO, _CLUSTER = 0x18538067, 0x1549A966, 0x1F43B675
_SCALE, _DURATION, _TIMESTAMP, _GROUP, _BLOCKS = 0x2AD7B1, 0x4489, 0xE7, 0xA0, (0xA1, 0xA3)


def read_stream_extent(path: Path, container: str) -> Extent:
    """The extent of a file that is mkv, ts or ps. Raises OSError only."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = _matroska(file, size) if container == "mkv" else _stamped(file, size)
    if length is None or not 0 < length < LONGEST_HOURS * 3600:
        return Extent((), fragmented=False, fault="it has no time stamps")
    return Extent(((0.0, length),), fragmented=False, fault=None)


def _tails(file: BinaryIO, size: int) -> Iterator[bytes]:
    length = TAIL
    while length <= LONGEST_TAIL:
        file.seek(max(0, size - length))
        yield file.read(length)
        if length >= size:
            return
        length *= 2


def _stamped(file: BinaryIO, size: int) -> float | None:
    first = next(_stamps(file.read(HEAD)), None)
    if first is None:
        return None
    for tail in _tails(file, size):
        # Behind the first, as the clock wraps; what is shown before the first counts for nothing.
        behind = sorted(
            {ahead for stamp in _stamps(tail) if (ahead := (stamp - first) % _WRAP) < LONGEST_HOURS * 3600 * CLOCK}
        )
        if behind:
            picture = min((later - sooner for sooner, later in pairwise(behind)), default=0)
            return (behind[-1] + picture) / CLOCK
    return None


def _stamps(data: bytes) -> Iterator[int]:
    for match in _STAMPED.finditer(data):
        a, b, c, d, e = match[1]
        if a & 1 and c & 1 and e & 1:
            yield (a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1


def _matroska(file: BinaryIO, size: int) -> float | None:
    head = file.read(HEAD)
    scale, duration, first = 1_000_000, None, None
    for kind, begin, end in _elements(head, 0, len(head), into=(_SEGMENT, _INFO)):
        if kind == _SCALE:
            scale = int.from_bytes(head[begin:end][:8], "big")
        elif kind == _DURATION and end - begin in (4, 8):
            duration = float(struct.unpack(">f" if end - begin == 4 else ">d", head[begin:end])[0])
        elif kind == _CLUSTER:
            first = _cluster_time(head, begin)
            break
    if first is None:
        return None
    if duration is not None:
        return (duration - first) * scale / 1e9
    # Still being written, or never closed: up to the last block of the last cluster.
    for tail in _tails(file, size):
        position = tail.rfind(_CLUSTER.to_bytes(4, "big"))
        begin = position + 4 + _width(tail[position + 4 : position + 5])
        last = _cluster_time(tail, begin) if position >= 0 else None
        if last is not None and last >= first:
            return (last - first + _reach(tail, begin)) * scale / 1e9
    return None


def _reach(data: bytes, begin: int) -> int:
    """How far the blocks of a cluster reach, in its steps, counted from its time."""
    times = {0}
    for kind, start, end in _elements(data, begin, len(data), into=(_GROUP,)):
        if kind in _BLOCKS and end - start >= 4:
            position = start + _width(data[start : start + 1])
            times.add(max(0, int.from_bytes(data[position : position + 2], "big", signed=True)))
    steps = sorted(times)
    return steps[-1] + min((later - sooner for sooner, later in pairwise(steps)), default=0)


def _cluster_time(data: bytes, begin: int) -> int | None:
    for kind, start, end in _elements(data, begin, min(len(data), begin + 64), into=()):
        if kind == _TIMESTAMP:
            return int.from_bytes(data[start:end][:8], "big")
    return None


def _elements(data: bytes, position: int, stop: int, *, into: tuple[int, ...]) -> Iterator[tuple[int, int, int]]:
    """Id, beginning and end of each element of EBML (RFC 8794) that begins in the data; ``into`` are descended into."""
    while position < stop:
        width = _width(data[position : position + 1])
        kind = int.from_bytes(data[position : position + width], "big")
        position += width
        length = _width(data[position : position + 1])
        if not width or width > 4 or not length or position + length > stop:
            return
        size = int.from_bytes(data[position : position + length], "big") & ((1 << 7 * length) - 1)
        position += length
        unknown = size == (1 << 7 * length) - 1
        yield kind, position, stop if unknown else position + size
        if kind not in into and not unknown:
            position += size


def _width(first: bytes) -> int:
    """Bytes of a number whose first byte that is; 0 where it is none."""
    return 9 - first[0].bit_length() if first and first[0] else 0

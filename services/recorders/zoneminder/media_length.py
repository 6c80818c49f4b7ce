"""How long the pictures of an MP4 on a recorder last, found by reading a few of its bytes by range."""

import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

from services.runtime.boxes import MAX_INDEX_BYTES, BoxError, Movie, boxes, header, read_fragment, read_movie

SAMPLE = 64 << 10  # bytes of the file's beginning and end
BOX = 4 << 10  # bytes of a box that are read
MOST_BOXES = 16  # before the index
Read = Callable[[int, int], Awaitable[bytes]]  # first byte, how many


@dataclass(frozen=True)
class Lengths:
    """``last`` is when the last picture is shown, ``end`` how long all last, from media time 0."""

    last: timedelta
    end: timedelta
    fragmented: bool


async def measure(read: Read, size: int) -> Lengths | None:
    """None where the file does not say, as one that is cut off or still being written; raises what ``read`` raises."""
    head = await read(0, min(size, SAMPLE))

    async def read_cached(position: int, length: int) -> bytes:
        return head[position : position + length] if position + length <= len(head) else await read(position, length)

    try:
        movie = await _movie(read_cached, size)
        track = movie.first("vide")
        if track is None:
            return None
        if not movie.fragmented:
            end = timedelta(seconds=track.duration / track.timescale)
            return Lengths(end, end, fragmented=False) if end else None
        position = _last_fragment(await _index(read_cached, size), track.number)
        fragment = await _box(read_cached, position, "moof")
        run = next(one for one in read_fragment(fragment, movie) if one.track == track.number)
        end = timedelta(seconds=(run.decode_time + run.duration) / track.timescale)
        return Lengths(end - timedelta(seconds=run.duration / run.samples / track.timescale), end, fragmented=True)
    except (BoxError, StopIteration, struct.error, ZeroDivisionError, OverflowError):
        return None


async def _movie(read: Read, size: int) -> Movie:
    position = 0
    for _ in range(MOST_BOXES):
        kind, _, length = header(await read(position, 16), 0)
        if kind == "moov":
            return read_movie(await _box(read, position, "moov"))
        if not length or position + length >= size:
            break
        position += length
    raise BoxError("there is no index (moov box)")


async def _box(read: Read, position: int, wanted: str) -> bytes:
    content = await read(position, BOX)
    kind, _, length = header(content, 0)
    if kind != wanted or not length or length > MAX_INDEX_BYTES:
        raise BoxError(f"a {wanted} was expected, and {kind} of {length} bytes is there")
    if length > len(content):
        content += await read(position + len(content), length - len(content))
    return content[:length]


async def _index(read: Read, size: int) -> bytes:
    """The box mfra at the end of a fragmented file, whose length is in its last 16 bytes."""
    tail = await read(max(0, size - SAMPLE), min(size, SAMPLE))
    kind, _, _ = header(tail[-16:], 0)
    (length,) = struct.unpack(">I", tail[-4:])
    if kind != "mfro" or not 16 < length <= min(size, MAX_INDEX_BYTES):
        raise BoxError("there is no list of fragments (mfra box) at the end")
    return tail[-length:] if length <= len(tail) else await read(size - length, length)


def _last_fragment(index: bytes, track: int) -> int:
    """Where the last fragment of the track begins, by its tfra box (ISO/IEC 14496-12, 8.8.10)."""
    root = next(boxes(index))
    for box in boxes(index, root.body, root.end):
        if box.kind != "tfra":
            continue
        version, number, sizes, entries = struct.unpack_from(">B3xIII", index, box.body)
        if number != track or not entries:
            continue
        each = (16 if version else 8) + sum((sizes >> shift & 3) + 1 for shift in (4, 2, 0))
        entry = box.body + 16 + (entries - 1) * each
        if entry + each > box.end:
            break
        position: int = struct.unpack_from(">8xQ" if version else ">4xI", index, entry)[0]
        return position
    raise BoxError(f"the list of fragments has none of track {track}")

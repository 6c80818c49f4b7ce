"""Where the pictures of a fragment lie (ISO/IEC 14496-12, moof), for footage that holds one picture track and is laid
out in the plainest way. Whatever is laid out otherwise is left to the media library.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple

from services.runtime.boxes import Box, BoxError, boxes, descend

_BASE_OFFSET, _DESCRIPTION, _DURATION, _SIZE, _FLAGS, _EMPTY = 0x01, 0x02, 0x08, 0x10, 0x20, 0x010000
_AT, _FIRST_FLAGS, _EACH_DURATION, _EACH_SIZE, _EACH_FLAGS, _EACH_OFFSET = 0x01, 0x04, 0x100, 0x200, 0x400, 0x800
_NO_KEY = 0x01010000  # depends on others, is no sync sample
_CODINGS = (["avc1"], ["hvc1"], ["hev1"])
_ONE = bytes(7) + b"\1"  # the only sample description, of version 0
_TABLES = {"stts", "stsc", "stco", "co64", "ctts", "stss"}  # of samples outside of fragments
_LATEST = 1 << 62  # a time that no recorder means


@dataclass(frozen=True)
class Defaults:
    """What ``moov`` says of the pictures' samples where a fragment says nothing."""

    track: int
    duration: int
    size: int
    flags: int


class Row(NamedTuple):
    """One picture; times in the track's ticks. There are hundreds of thousands."""

    size: int
    dts: int
    pts: int
    duration: int
    key: bool


def defaults(moov: bytes) -> Defaults | None:
    """Those of the only track; None where there are others, or an edit list, or samples outside of fragments."""
    try:
        root = next(boxes(moov))
        traks = list(descend(moov, root, "trak"))
        trexes = list(descend(moov, root, "mvex", "trex"))
        if len(traks) != 1 or len(trexes) != 1 or any(box.kind == "edts" for box in descend_all(moov, traks[0])):
            return None
        table = [(box.kind, box) for box in descend_all(moov, _one(moov, traks[0], "mdia", "minf", "stbl"))]
        held = dict(table)
        if len(table) != len(held) or not {"stsd", "stsz"} <= set(held) or _number(moov, held["stsz"], 8):
            return None
        if any(kind in _TABLES and _number(moov, box, 4) for kind, box in table):
            return None
        stsd = held["stsd"]
        entries = list(boxes(moov, stsd.body + 8, stsd.end))
        if moov[stsd.body : stsd.body + 8] != _ONE or [one.kind for one in entries] not in _CODINGS:
            return None
        track, description, duration, size, flags = struct.unpack_from(">5I", moov, trexes[0].body + 4)
    except (BoxError, struct.error, StopIteration):
        return None
    return Defaults(track, duration, size, flags) if description == 1 else None


def table(moof: bytes, known: Defaults) -> list[Row] | None:
    """The pictures of a whole ``moof``, the first right behind the head of the ``mdat`` that follows it.

    None where it is laid out otherwise.
    """
    try:
        inside = list(descend_all(moof, next(boxes(moof))))
        if [box.kind for box in inside] != ["mfhd", "traf"]:
            return None
        parts = {box.kind: box for box in descend_all(moof, inside[1])}
        if list(parts) != ["tfhd", "tfdt", "trun"] or sum(1 for _ in descend_all(moof, inside[1])) != len(parts):
            return None
        told = _told(moof, parts["tfhd"], known)
        return None if told is None else _rows(moof, parts["tfdt"], parts["trun"], told)
    except (BoxError, struct.error, StopIteration):
        return None


def descend_all(data: bytes, parent: Box) -> Iterator[Box]:
    """The boxes right inside another one."""
    return boxes(data, parent.body, parent.end)


def _one(data: bytes, parent: Box, *path: str) -> Box:
    return next(descend(data, parent, *path))


def _number(data: bytes, box: Box, place: int) -> int:
    return int.from_bytes(data[box.body + place : box.body + place + 4], "big")


def _told(moof: bytes, tfhd: Box, known: Defaults) -> Defaults | None:
    flags, track = struct.unpack_from(">II", moof, tfhd.body)
    if flags & (_BASE_OFFSET | _EMPTY) or track != known.track:
        return None
    fields = [flag for flag in (_DESCRIPTION, _DURATION, _SIZE, _FLAGS) if flags & flag]
    said = dict(zip(fields, struct.unpack_from(f">{len(fields)}I", moof, tfhd.body + 8), strict=True))
    if said.get(_DESCRIPTION, 1) != 1 or tfhd.body + 8 + 4 * len(fields) != tfhd.end:
        return None
    duration, size = said.get(_DURATION, known.duration), said.get(_SIZE, known.size)
    return Defaults(track, duration, size, said.get(_FLAGS, known.flags))


def _rows(moof: bytes, tfdt: Box, trun: Box, told: Defaults) -> list[Row] | None:
    wide = moof[tfdt.body]
    (dts,) = struct.unpack_from(">Q" if wide else ">I", moof, tfdt.body + 4)
    flags, count = struct.unpack_from(">II", moof, trun.body)
    signed, flags = flags >> 24, flags & 0xFFFFFF
    place = trun.body + 8
    if not flags & _AT or struct.unpack_from(">i", moof, place)[0] != len(moof) + 8:
        return None
    place += 4
    first = told.flags
    if flags & _FIRST_FLAGS:
        (first,) = struct.unpack_from(">I", moof, place)
        place += 4
    columns = [one for one in (_EACH_DURATION, _EACH_SIZE, _EACH_FLAGS, _EACH_OFFSET) if flags & one]
    width = 4 * len(columns)
    if not count or place + width * count != trun.end or dts >= _LATEST:
        return None
    numbers = struct.unpack_from(f">{count * len(columns)}I", moof, place)
    step = len(columns)

    def column(which: int, otherwise: int) -> tuple[int, ...]:
        return numbers[columns.index(which) :: step] if which in columns else (otherwise,) * count

    durations, sizes = column(_EACH_DURATION, told.duration), column(_EACH_SIZE, told.size)
    marks, offsets = column(_EACH_FLAGS, told.flags), column(_EACH_OFFSET, 0)
    if not flags & _EACH_FLAGS:
        marks = (first, *marks[1:])
    # What the library makes of offsets below zero, and of pictures without bytes or time, is left to it.
    if not all(durations) or not all(sizes) or max(durations) >> 31 or max(offsets) >> 31 or signed > 1:
        return None
    times = accumulate(durations[:-1], initial=dts)
    return [
        Row(size, at, at + offset, duration, not mark & _NO_KEY)
        for size, at, offset, duration, mark in zip(sizes, times, offsets, durations, marks, strict=True)
    ]

"""Pictures as they lie in a stream and in MP4: H.264 and H.265 units, parameter sets, and JPEG.

MPEG-TS and MPEG-PS put a start code before each unit (Annex B), MP4 and Matroska its length (ISO/IEC 14496-15). The
unit's own bytes are the same in both; only what lies between them is exchanged, and no unit is left out or added.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av

START = b"\0\0\1"
# No unit holds three zeros in a row (ISO/IEC 14496-10, 7.4.1; the escape byte 3 prevents them): a sector of a disk that
# was not written, or was lost, does.
ZEROS = b"\0\0\0"
# What may lie behind a unit in a stream, to fill up; longer, it lies where something else should be.
MOST_FILLING = 64
# Without these a picture cannot be decoded: SPS and PPS of H.264; VPS, SPS and PPS of H.265.
_SETS = {"h264": frozenset({7, 8}), "hevc": frozenset({32, 33, 34})}
_H264_PICTURES, _NO_H264 = {1, 5}, {0, 2, 3, 4}  # partitions (2 to 4) are of a profile that no camera has
_HEVC_PICTURES = {*range(10), *range(16, 22)}
HEAD_BYTES = 32  # of a unit, in which its first fields lie
_SIZES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # JPEG: the headers of a frame, which hold its size


@dataclass(frozen=True)
class Description:
    """What MP4 says of a picture track: its configuration record (avcC, hvcC; empty for JPEG) and the size."""

    record: bytes
    width: int
    height: int


def split(stream: bytes) -> list[bytes]:
    """The units between start codes; zeros behind a unit belong to none (ISO/IEC 14496-10, annex B)."""
    units = []
    place = stream.find(b"\0\0\1")
    while place >= 0:
        following = stream.find(b"\0\0\1", place + 3)
        unit = stream[place + 3 : following if following >= 0 else len(stream)].rstrip(b"\0")
        if unit:
            units.append(unit)
        place = following
    return units


def with_lengths(units: Sequence[bytes]) -> bytes:
    """The units with four bytes of length before each."""
    return b"".join(part for unit in units for part in (len(unit).to_bytes(4, "big"), unit))


def without_lengths(picture: memoryview, width: int) -> Iterator[bytes]:
    """The units of a picture whose lengths have ``width`` bytes; one that does not fit ends it."""
    offset = 0
    while offset + width < len(picture):
        length = int.from_bytes(picture[offset : offset + width], "big")
        offset += width
        yield bytes(picture[offset : offset + length])
        offset += length


def parameter_sets(codec: str, units: Sequence[bytes]) -> list[bytes]:
    """Those of the units that are parameter sets, in order."""
    wanted = _SETS.get(codec, frozenset())
    return [unit for unit in units if unit and _kind(codec, unit) in wanted]


def is_sound(codec: str, unit: bytes) -> bool:
    """Whether a unit may be one of this codec: its header is, and it holds no zeros that cannot be in it."""
    return unit.find(ZEROS) < 0 and may_be(codec, unit[:2])


def may_be(codec: str, head: bytes) -> bool:
    """Whether a unit of this codec may begin so (ISO/IEC 14496-10, table 7-1; ISO/IEC 23008-2, table 7-1)."""
    if not head or head[0] & 0x80:
        return False
    if codec == "h264":
        return head[0] & 0x1F not in _NO_H264
    kind = head[0] >> 1 & 0x3F
    return len(head) > 1 and head[1] & 7 != 0 and (kind >= 32 or (kind in _HEVC_PICTURES and not _layer(head)))


def is_picture(codec: str, head: bytes) -> bool:
    """Whether a unit that begins so is of a picture's own bytes."""
    return head[0] & 0x1F in _H264_PICTURES if codec == "h264" else head[0] >> 1 & 0x3F in _HEVC_PICTURES


def _layer(head: bytes) -> int:
    return (head[0] & 1) << 5 | head[1] >> 3


def first_slice(codec: str, picture: bytes, width: int) -> bytes:
    """The beginning of the first unit of the picture's own, in a picture whose lengths have ``width`` bytes."""
    offset = 0
    while codec in _SETS and offset + width < len(picture):
        length = int.from_bytes(picture[offset : offset + width], "big")
        offset += width
        if is_picture(codec, picture[offset : offset + 1]):
            return picture[offset : offset + min(length, HEAD_BYTES)]
        offset += length
    return b""


def _kind(codec: str, unit: bytes) -> int:
    return unit[0] & 0x1F if codec == "h264" else unit[0] >> 1 & 0x3F


def recorded_sets(codec: str, record: bytes) -> list[bytes]:
    """The parameter sets inside a configuration record; what does not fit ends the list."""
    sets: list[bytes] = []
    if codec == "h264" and len(record) > 5:
        place = _read_sets(record, 6, record[5] & 0x1F, sets)
        if place < len(record):
            _read_sets(record, place + 1, record[place], sets)
    elif codec == "hevc" and len(record) > 22:
        place = 23
        for _ in range(record[22]):
            place = _read_sets(record, place + 3, int.from_bytes(record[place + 1 : place + 3], "big"), sets)
    return parameter_sets(codec, sets)


def _read_sets(record: bytes, place: int, count: int, sets: list[bytes]) -> int:
    for _ in range(count):
        length = int.from_bytes(record[place : place + 2], "big")
        if not length:
            return len(record)
        sets.append(record[place + 2 : place + 2 + length].rstrip(b"\0"))
        place += 2 + length
    return place


def describe(codec: str, sets: Sequence[bytes], key: Sequence[bytes]) -> Description | None:
    """Return what MP4 says of pictures from this key frame on; None where it is not readable.

    The library's muxer writes the record, from a stream of that one picture.
    """
    # One zero more before the first unit only: elsewhere the library would read it as the end of a parameter set.
    raw = b"\0" + b"".join(START + unit for unit in dict.fromkeys([*sets, *key]))
    out = io.BytesIO()
    try:
        with av.open(io.BytesIO(raw), "r", format=codec) as stream:
            video = stream.streams.video[0]
            with av.open(out, "w", format="mp4", options={"movflags": "empty_moov"}) as movie:
                movie.add_stream_from_template(video, opaque=True)
                movie.start_encoding()
        with av.open(io.BytesIO(out.getvalue()), "r", format="mov") as written:
            context = written.streams.video[0].codec_context
            record = context.extradata
            return Description(record, context.width, context.height) if record else None
    except (av.FFmpegError, ValueError, IndexError):
        return None


def jpeg_size(picture: memoryview) -> tuple[int, int] | None:
    """Width and height of a whole JPEG; None where its markers do not lead from beginning to end (ITU T.81)."""
    if bytes(picture[:2]) != b"\xff\xd8" or b"\xff\xd9" not in bytes(picture[-64:]):
        return None
    place = 2
    while place + 9 <= len(picture) and picture[place] == 0xFF:
        kind = picture[place + 1]
        if kind in _SIZES:
            height, width = (int.from_bytes(picture[place + at : place + at + 2], "big") for at in (5, 7))
            return width, height
        place += 1 if kind == 0xFF else 2 + int.from_bytes(picture[place + 2 : place + 4], "big")
    return None

"""Pictures as they lie in a stream and in MP4: H.264 and H.265 units, parameter sets, and JPEG.

MPEG-TS and MPEG-PS put a start code before each unit (Annex B), MP4 and Matroska its length (ISO/IEC 14496-15). The
unit's own bytes are the same in both; only what lies between them is exchanged, and no unit is left out or added.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import av

START = b"\0\0\1"
# Without these a picture cannot be decoded: SPS and PPS of H.264; VPS, SPS and PPS of H.265.
_SETS = {"h264": frozenset({7, 8}), "hevc": frozenset({32, 33, 34})}
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

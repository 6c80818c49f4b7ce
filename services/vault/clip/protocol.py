"""The protocol on the pipes between the vault and its clip process (``client.py`` and ``process.py``).

Into the process, on standard input, frames of one letter, a length (32 bit, big-endian) and that many bytes:
``J`` the job, once; then for each segment ``S`` its heading, any number of ``D`` with its bytes, and ``E``.

Out of it, the clip as it is on standard output, and one JSON object a line on the pipe whose number it was given.
All moments are integer nanoseconds since 1970 in UTC.
"""

import fcntl
import json
import struct
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import BinaryIO, TypeAlias

Frame: TypeAlias = tuple[bytes, bytes]
"""A letter and a body."""

_HEAD = struct.Struct(">cI")
LARGEST_FRAME = 1 << 20
# Of a segment's bytes. The media library reads as much at once, so that a frame is handed to it without another copy.
# Each frame costs its threads some ten waits for each other; larger ones no longer fit a processor's own cache.
FOOTAGE_FRAME = 1 << 19
# The most that Linux allows an ordinary user. With its usual 64 KiB the processes had seven times as many turns, and a
# GiB took 0.7 seconds more of the processor.
_PIPE_BYTES = 1 << 20
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Job:
    """The asked span, and how far apart two segments may lie and still follow one another.

    ``whole``: all that the segments hold is asked for, and the span is one that no true time leaves.
    """

    start_ns: int
    end_ns: int
    join_ns: int
    window: int  # bytes of one segment that are held in memory when its container needs seeking
    whole: bool = False


@dataclass(frozen=True)
class Heading:
    """A segment: its name, the wall-clock time that it begins at, its container, and its size where one is promised.

    It begins at media time 0; in Matroska, MPEG-TS and MPEG-PS, whose times begin anywhere, with its first picture.
    ``step_ns`` is how coarse its recorder's times are.
    """

    name: str
    zero_ns: int
    container: str = "fmp4"
    size: int | None = None
    step_ns: int = 0


def nanoseconds(moment: datetime) -> int:
    """Return an aware moment as nanoseconds since 1970."""
    return in_nanoseconds(moment - _EPOCH)


def in_nanoseconds(length: timedelta) -> int:
    """Return a length of time in nanoseconds, to the microsecond."""
    return length // timedelta(microseconds=1) * 1000


def moment(ns: int) -> datetime:
    """Return the moment in UTC, to the microsecond."""
    return _EPOCH + timedelta(microseconds=ns // 1000)


def head(letter: bytes, length: int) -> bytes:
    """Return the header of a body of that length, at most LARGEST_FRAME."""
    return _HEAD.pack(letter, length)


def frame(letter: bytes, body: bytes = b"") -> bytes:
    """Return one frame; ``body`` has at most LARGEST_FRAME bytes."""
    return head(letter, len(body)) + body


def pack(letter: bytes, content: Job | Heading) -> bytes:
    """Return a job or a heading as a frame."""
    return frame(letter, json.dumps(asdict(content)).encode())


def read_frames(pipe: BinaryIO) -> Iterator[Frame]:
    """Yield the frames up to the end of the pipe; raises EOFError where it ends inside one."""
    while head := pipe.read(_HEAD.size):
        if len(head) < _HEAD.size:
            raise EOFError("the pipe ended inside a frame")
        letter, length = _HEAD.unpack(head)
        if length > LARGEST_FRAME:
            raise EOFError(f"a frame of {length} bytes is longer than {LARGEST_FRAME}")
        body = pipe.read(length)
        if len(body) < length:
            raise EOFError("the pipe ended inside a frame")
        yield letter, body


def widen(descriptor: int) -> None:
    """Enlarge a pipe's buffer, where the system allows it."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)

"""Proof that a copy is a copy: the hash of every packet, to be compared with the source's (docs/sealing.md)."""

import hashlib
from typing import Protocol

import av

from services.vault.coverage import Part


class Seekable(Protocol):
    """As much of a binary file as this needs."""

    def read(self, size: int = -1, /) -> bytes | None: ...
    def seek(self, offset: int, whence: int = 0, /) -> int: ...
    def tell(self) -> int: ...


def packet_hashes(file: "Seekable | str", kind: str = "video") -> list[str]:
    """SHA-256 of each packet of the first ``video`` or ``audio`` stream, in decoding order.

    ``file`` is a path or a seekable binary stream that holds one MP4. Trusted footage only: nothing confines it.
    Raises av.FFmpegError and IndexError where it holds no such stream.
    """
    with av.open(file, "r", format="mov", options={"advanced_editlist": "0"}) as container:
        stream = container.streams.get({kind: 0})[0]
        return [hashlib.sha256(bytes(packet)).hexdigest() for packet in container.demux(stream) if packet.size]


def part_of(file: "Seekable", part: Part) -> "Slice":
    """One part of a sealed object's plaintext as a file of its own."""
    return Slice(file, part.offset, part.length)


class Slice:
    """A window on a seekable binary stream."""

    def __init__(self, file: "Seekable", offset: int, length: int) -> None:
        self._file = file
        self._offset = offset
        self._length = length
        self._place = 0

    def read(self, size: int = -1) -> bytes:
        left = max(0, self._length - self._place)
        self._file.seek(self._offset + self._place)
        got = self._file.read(left if size < 0 else min(size, left)) or b""
        self._place += len(got)
        return got

    def seek(self, offset: int, whence: int = 0) -> int:
        self._place = offset + {0: 0, 1: self._place, 2: self._length}[whence]
        return self._place

    def tell(self) -> int:
        return self._place

    def seekable(self) -> bool:
        return True

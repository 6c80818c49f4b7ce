"""A download as one ZIP, made while it is sent: nothing is held, nothing is written, its length is known before.

The small files come first and the footage last. A sending that ends before its end, because the grant ended or the
copy is damaged, leaves a ZIP without its directory, which no program opens as whole.
"""

import hashlib
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from stream_zip import ZIP_32, ZIP_64, MemberFile, stream_zip

from services.domain.custody import footage_reader
from services.domain.custody.footage_reader import Check, SendingStopped
from services.runtime.threads import run_in_thread
from services.vault.age import AgeError, Encryptor, Reader

MEDIA_TYPE = "application/zip"
MODE = 0o100600
BLOCK = 0xFFFF  # what deflate stores in one block at most
BLOCK_HEAD = 5
LARGEST = 0xFFFF_FFFF - (64 << 20)  # of footage in a ZIP without the fields of ZIP64, with room for all the rest


@dataclass(frozen=True)
class Archive:
    """What goes into the ZIP: a folder with ``papers``, small files by their names, and the footage.

    ``password`` encrypts each file (WinZip AE-2, AES-256); None where the footage comes encrypted,
    and where everything is meant to be in clear.
    """

    folder: str
    papers: Mapping[str, bytes]
    footage: str
    modified: datetime
    password: str | None


class Source:
    """The footage on its way into an archive, as far as the grant was checked; plain, or as an age file."""

    def __init__(self, reader: Reader, sha256: str, encryptor: Encryptor | None = None) -> None:
        """Raise SendingStopped while reading what does not have this SHA-256 in hexadecimal, or is damaged."""
        self._reader = reader
        self._sha256 = sha256
        self._encryptor = encryptor
        self._position = self._allowed = 0

    @property
    def size(self) -> int:
        """The number of bytes that go into the archive."""
        return self._encryptor.size_of(self._reader.size) if self._encryptor else self._reader.size

    def pieces(self) -> Iterator[bytes]:
        """Return the bytes. Blocks."""
        if self._encryptor is None:
            yield from self._plain()
            return
        yield self._encryptor.header
        for piece in self._plain():
            yield self._encryptor.update(piece)
        yield self._encryptor.finish()

    async def allow(self, check: Check) -> None:
        """Check the grant for what the archive may read next: ``Archive`` is never more than two pieces ahead."""
        whole = self._reader.size
        while self._allowed < whole and self._allowed - self._position < 2 * footage_reader.PIECE:
            stretch = min(footage_reader.CHECKED_EVERY, whole - self._allowed)
            await footage_reader.allow(check, self._allowed, stretch)
            self._allowed += stretch

    def _plain(self) -> Iterator[bytes]:
        digest = hashlib.sha256()
        self._reader.seek(0)
        while self._position < self._reader.size:
            try:
                piece = self._reader.read(min(footage_reader.PIECE, self._allowed - self._position))
            except AgeError as error:
                raise footage_reader.damaged_at(self._position) from error
            if not piece:
                raise SendingStopped(f"the footage was not read on beyond byte {self._position}")
            digest.update(piece)
            self._position += len(piece)
            yield piece
        if digest.hexdigest() != self._sha256:
            raise SendingStopped("the footage is not what was sealed")


def length(archive: Archive, footage: int) -> int:
    """Return the length of the ZIP in bytes, with ``footage`` bytes as its last file."""
    rest = sum(map(len, _zip(archive, footage, iter(()))))
    return rest - _stored_size(0) + _stored_size(footage)


async def send(archive: Archive, source: Source, check: Check) -> AsyncIterator[bytes]:
    """Return the ZIP. ``check(offset, length)`` runs before each stretch of the footage, and may refuse.

    Raises SendingStopped: then, and where the copy is damaged.
    """
    blocks = _zip(archive, source.size, source.pieces())
    while True:
        await source.allow(check)
        block = await run_in_thread(next, blocks, b"")
        if not block:
            return
        yield block


def _zip(archive: Archive, size: int, footage: Iterator[bytes]) -> Iterator[bytes]:
    method = ZIP_64 if size > LARGEST else ZIP_32

    def member(name: str, content: Iterator[bytes]) -> MemberFile:
        return (f"{archive.folder}/{name}", archive.modified, MODE, method, content)

    def members() -> Iterator[MemberFile]:
        for name, content in archive.papers.items():
            yield member(name, iter((content,)))
        yield member(archive.footage, footage)

    stored = cast("type[zlib._Compress]", _Stored)
    return iter(
        stream_zip(members(), chunk_size=footage_reader.PIECE, get_compressobj=stored, password=archive.password)
    )


class _Stored:
    """Deflate's stored blocks, each as long as can be, in the place of zlib's compressor.

    Footage is compressed already. zlib at level 0 ends its blocks where its buffers happen to be full, so that the
    length of the whole would not be known before.
    """

    def __init__(self) -> None:
        self._held = bytearray()

    def compress(self, data: bytes, /) -> bytes:
        """Return the blocks that are full; the last is held back, for it says that it is the last."""
        self._held += data
        full = max(0, len(self._held) - 1) // BLOCK * BLOCK
        blocks = b"".join(_block(self._held[start : start + BLOCK], last=False) for start in range(0, full, BLOCK))
        del self._held[:full]
        return blocks

    def flush(self) -> bytes:
        return _block(self._held, last=True)


def _block(data: bytes | bytearray, *, last: bool) -> bytes:
    size = len(data)
    return bytes((last,)) + size.to_bytes(2, "little") + (size ^ BLOCK).to_bytes(2, "little") + data


def _stored_size(size: int) -> int:
    return size + BLOCK_HEAD * max(1, -(-size // BLOCK))

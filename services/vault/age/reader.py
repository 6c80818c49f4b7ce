"""A seekable reader of age v1 files: any byte of a sealed object without reading what lies before it."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from services.vault.age.errors import Corrupt, HeaderInvalid, Truncated
from services.vault.age.header import derive, read_header
from services.vault.age.identities import Unwrapper
from services.vault.age.stream import CHUNK, PAYLOAD_NONCE, SEALED_CHUNK, TAG, ChunkCipher

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc has it from Python 3.12 on

EXPORT_INFO = b"footage-desk/export"  # beside age's own "header" and "payload"
READ_AHEAD = 64  # chunks: reading on from where the last read ended fetches up to 4 MiB at once


class Reader(io.RawIOBase):
    """The plaintext of an age file, seekable; not for use by two threads at once.

    The header and the last chunk are authenticated when the reader is made, so a file that was cut short is found
    before any of it is used; each other chunk is authenticated before a byte of it is given out.
    """

    def __init__(self, read_at: Callable[[int, int], bytes], size: int, unwrapper: Unwrapper) -> None:
        """Open a file of ``size`` bytes; ``read_at(offset, length)`` returns any part of it.

        Raises NotARecipient, HeaderInvalid, MacMismatch, Truncated or Corrupt.
        """
        super().__init__()
        self._read_at = read_at
        header = read_header(read_at, size)
        file_key = unwrapper.unwrap(header.stanzas)
        header.check(file_key)
        self._start = header.length + PAYLOAD_NONCE
        payload = size - self._start
        if payload < 0:
            raise HeaderInvalid("the age file ends before its payload's nonce: take another copy.")
        if payload < TAG:
            raise Truncated("the age file ends before its first chunk: take another copy.")
        nonce = self._fetch(header.length, PAYLOAD_NONCE)
        self._cipher = ChunkCipher(file_key, nonce)
        self._export = derive(file_key, None, EXPORT_INFO)
        self._chunks = -(-payload // SEALED_CHUNK)
        self._size = payload - self._chunks * TAG
        self._position = 0
        self._fetched = b""
        self._fetched_first = 0
        self._ahead = 1
        self._number = -1
        self._chunk = b""
        self._open_last(payload)

    @property
    def size(self) -> int:
        """The plaintext's length in bytes."""
        return self._size

    def export_secret(self, purpose: bytes) -> bytes:
        """Return 32 bytes that only who can open this file can compute, others for each purpose."""
        return derive(self._export, None, purpose)

    def clone(self) -> "Reader":
        """Return another reader of the same file with its own position, without reading."""
        other = Reader.__new__(Reader)
        vars(other).update(vars(self))
        other._position, other._fetched, other._fetched_first, other._ahead = 0, b"", 0, 1
        return other

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError("a file has no bytes before its start.")
        self._position = base + offset
        return self._position

    def readinto(self, buffer: "Buffer", /) -> int:
        """Fill ``buffer`` from the current place, wholly unless the file ends; raises Corrupt."""
        target = memoryview(buffer).cast("B")
        wanted = max(0, min(len(target), self._size - self._position))
        done = 0
        while done < wanted:
            number, start = divmod(self._position, CHUNK)
            piece = self._open_chunk(number)[start : start + wanted - done]
            target[done : done + len(piece)] = piece
            done += len(piece)
            self._position += len(piece)
        return done

    def _open_last(self, payload: int) -> None:
        number = self._chunks - 1
        sealed = self._fetch(self._start + number * SEALED_CHUNK, payload - number * SEALED_CHUNK)
        chunk = self._cipher.open(number, sealed, last=True)
        if chunk is None:
            if self._cipher.open(number, sealed, last=False) is not None:
                raise Truncated(f"the age file ends after chunk {number}, the rest is missing: take another copy.")
            raise Corrupt("the age file's last chunk is not authentic, it was cut short or changed: take another copy.")
        if not chunk and number > 0:
            raise Corrupt("the age file ends with an empty chunk, which no writer makes: take another copy.")
        self._number, self._chunk = number, chunk

    def _open_chunk(self, number: int) -> bytes:
        if number != self._number:
            chunk = self._cipher.open(number, self._sealed(number), last=number == self._chunks - 1)
            if chunk is None:
                raise Corrupt(f"chunk {number} of the age file is not authentic, it was changed: take another copy.")
            self._number, self._chunk = number, chunk
        return self._chunk

    def _sealed(self, number: int) -> memoryview:
        """One sealed chunk; what is read in order is fetched in ever larger pieces, a jump starts small again."""
        held = -(-len(self._fetched) // SEALED_CHUNK)
        if not self._fetched_first <= number < self._fetched_first + held:
            in_order = number == self._fetched_first + held
            self._ahead = min(self._ahead * 2, READ_AHEAD) if in_order else 1
            offset = number * SEALED_CHUNK
            whole = self._size + self._chunks * TAG
            self._fetched = self._fetch(self._start + offset, min(self._ahead * SEALED_CHUNK, whole - offset))
            self._fetched_first = number
        start = (number - self._fetched_first) * SEALED_CHUNK
        return memoryview(self._fetched)[start : start + SEALED_CHUNK]

    def _fetch(self, offset: int, length: int) -> bytes:
        data = self._read_at(offset, length)
        if len(data) != length:
            raise Truncated(f"the age file gave {len(data)} of {length} bytes at {offset}: take another copy.")
        return data

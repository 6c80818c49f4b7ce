"""The payload of an age v1 file: 64 KiB chunks of ChaCha20-Poly1305, each bound to its place, the last to the end."""

import os
from collections.abc import Sequence
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from services.vault.age.header import Header, Stanza, derive
from services.vault.age.identities import new_file_key, wrap, wrap_for_passphrase

CHUNK = 64 * 1024
TAG = 16
SEALED_CHUNK = CHUNK + TAG
PAYLOAD_NONCE = 16

Bytes = bytes | bytearray | memoryview


class ChunkCipher:
    """Seals and opens chunks by their number (the STREAM construction: 11 bytes of counter, one byte of "last")."""

    def __init__(self, file_key: bytes, nonce: bytes) -> None:
        self._cipher = ChaCha20Poly1305(derive(file_key, nonce, b"payload"))

    def seal(self, number: int, chunk: Bytes, *, last: bool) -> bytes:
        return self._cipher.encrypt(_nonce(number, last=last), chunk, None)

    def seal_into(self, number: int, chunk: Bytes, buffer: memoryview) -> None:
        """Seal a chunk that is not the last into a buffer of exactly its sealed size."""
        self._cipher.encrypt_into(_nonce(number, last=False), chunk, None, buffer)

    def open(self, number: int, sealed: Bytes, *, last: bool) -> bytes | None:
        """Open a chunk; return None where it is not authentic at this number."""
        try:
            return self._cipher.decrypt(_nonce(number, last=last), sealed, None)
        except InvalidTag:
            return None


class Encryptor:
    """Encrypts a stream as it is pushed in; memory is two chunks whatever the length.

    Write ``header``, then what each ``update`` returns, then what ``finish`` returns. A stream that is not finished
    is recognised as truncated by every reader.
    """

    def __init__(self, recipients: Sequence[str]) -> None:
        """Encrypt to each of ``recipients`` (``age1…``); raises KeyInvalid, and ValueError when there is none."""
        if not recipients:
            raise ValueError("an age file needs at least one recipient.")
        file_key = new_file_key()
        self._begin(file_key, [wrap(file_key, recipient) for recipient in recipients])

    @classmethod
    def for_passphrase(cls, passphrase: str) -> Self:
        """Encrypt to who knows the passphrase; takes 32 MiB and 0.1 s, once."""
        encryptor, file_key = cls.__new__(cls), new_file_key()
        encryptor._begin(file_key, [wrap_for_passphrase(file_key, passphrase)])
        return encryptor

    def _begin(self, file_key: bytes, stanzas: Sequence[Stanza]) -> None:
        nonce = os.urandom(PAYLOAD_NONCE)
        header = Header.make(stanzas, file_key)
        self._header = header.encode() + nonce
        self._cipher = ChunkCipher(file_key, nonce)
        self._number = 0
        self._held = bytearray()
        self._finished = False

    def size_of(self, size: int) -> int:
        """Return how many bytes the file of ``size`` bytes of plaintext has."""
        return len(self._header) + size + TAG * max(1, -(-size // CHUNK))

    @property
    def header(self) -> bytes:
        """Everything before the first chunk: the header and the payload's nonce."""
        return self._header

    def update(self, data: Bytes) -> bytes:
        """The sealed chunks that ``data`` completes; may be empty. A full chunk is held back until more follows."""
        buffer = memoryview(bytearray((len(self._held) + len(data)) // CHUNK * SEALED_CHUNK))
        return bytes(buffer[: self.update_into(data, buffer)[1]])

    def update_into(self, data: Bytes, buffer: memoryview) -> tuple[int, int]:
        """Encrypt into ``buffer``; return the bytes consumed of ``data`` and the bytes written.

        All is consumed where the buffer holds what it completes; pass the rest again. Allocating a buffer for each
        piece of footage costs more than encrypting it.
        """
        self._must_be_open()
        whole = memoryview(data).cast("B")
        consumed = written = 0
        if self._held:
            consumed = min(CHUNK - len(self._held), len(whole))
            self._held += whole[:consumed]
            if consumed == len(whole) or len(buffer) < SEALED_CHUNK:
                return consumed, 0
            written = self._seal_into(self._held, buffer, 0)
            self._held = bytearray()
        while len(whole) - consumed > CHUNK:
            if len(buffer) - written < SEALED_CHUNK:
                return consumed, written
            written = self._seal_into(whole[consumed : consumed + CHUNK], buffer, written)
            consumed += CHUNK
        self._held += whole[consumed:]
        return len(whole), written

    def finish(self) -> bytes:
        """The last chunk; nothing can be added afterwards."""
        self._must_be_open()
        self._finished = True
        return self._cipher.seal(self._number, self._held, last=True)

    def _seal_into(self, chunk: Bytes, buffer: memoryview, at: int) -> int:
        end = at + SEALED_CHUNK
        self._cipher.seal_into(self._number, chunk, buffer[at:end])
        self._number += 1
        return end

    def _must_be_open(self) -> None:
        if self._finished:
            raise ValueError("the age file is finished: start another for more footage.")


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")

"""The payload of an age v1 file: 64 KiB chunks of ChaCha20-Poly1305, each bound to its place, the last to the end."""

import os
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from services.vault.age.header import Header, derive
from services.vault.age.identities import new_file_key, wrap

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

    def seal_into(self, number: int, chunk: Bytes, room: memoryview) -> None:
        """As ``seal``, of one that is not the last, into as many bytes as it takes."""
        self._cipher.encrypt_into(_nonce(number, last=False), chunk, None, room)

    def open(self, number: int, sealed: Bytes, *, last: bool) -> bytes | None:
        """The chunk, or None when it is not authentic at this place."""
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
        file_key, nonce = new_file_key(), os.urandom(PAYLOAD_NONCE)
        header = Header.make([wrap(file_key, recipient) for recipient in recipients], file_key)
        self._header = header.encode() + nonce
        self._cipher = ChunkCipher(file_key, nonce)
        self._number = 0
        self._held = bytearray()
        self._finished = False

    @property
    def header(self) -> bytes:
        """Everything before the first chunk: the header and the payload's nonce."""
        return self._header

    def update(self, data: Bytes) -> bytes:
        """The sealed chunks that ``data`` completes; may be empty. A full chunk is held back until more follows."""
        room = memoryview(bytearray((len(self._held) + len(data)) // CHUNK * SEALED_CHUNK))
        return bytes(room[: self.update_into(data, room)[1]])

    def update_into(self, data: Bytes, room: memoryview) -> tuple[int, int]:
        """As ``update``, into ``room``; how many bytes of ``data`` it took, and how many of ``room``.

        It takes all where there is room for what that completes; the rest is for the next call. To have room made anew
        for each piece of footage takes longer than to encrypt it.
        """
        self._must_be_open()
        whole = memoryview(data).cast("B")
        taken = filled = 0
        if self._held:
            taken = min(CHUNK - len(self._held), len(whole))
            self._held += whole[:taken]
            if taken == len(whole) or len(room) < SEALED_CHUNK:
                return taken, 0
            filled = self._seal_into(self._held, room, 0)
            self._held = bytearray()
        while len(whole) - taken > CHUNK:
            if len(room) - filled < SEALED_CHUNK:
                return taken, filled
            filled = self._seal_into(whole[taken : taken + CHUNK], room, filled)
            taken += CHUNK
        self._held += whole[taken:]
        return len(whole), filled

    def finish(self) -> bytes:
        """The last chunk; nothing can be added afterwards."""
        self._must_be_open()
        self._finished = True
        return self._cipher.seal(self._number, self._held, last=True)

    def _seal_into(self, chunk: Bytes, room: memoryview, at: int) -> int:
        end = at + SEALED_CHUNK
        self._cipher.seal_into(self._number, chunk, room[at:end])
        self._number += 1
        return end

    def _must_be_open(self) -> None:
        if self._finished:
            raise ValueError("the age file is finished: start another for more footage.")


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(11, "big") + (b"\x01" if last else b"\x00")

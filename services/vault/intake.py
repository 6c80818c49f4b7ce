"""Out of the clip process: its clip, most of which lies in the slots, and is told by its place there."""

import os

from services.runtime.errors import Retryable
from services.vault.framing import MESSAGE
from services.vault.slots import SLOT, SLOTS, Slots

READ = 1 << 20


class ClipFailed(Retryable):
    """The clip process ended without a report, or sent what it may not."""

    runbook = "incidents-pending#footage"


class Intake:
    """Reads ``descriptor``, which stays the caller's to close. ``take`` blocks."""

    def __init__(self, descriptor: int, slots: Slots | None) -> None:
        self._descriptor = descriptor
        self._slots = slots
        self._room = memoryview(bytearray(READ))
        self._begun = b""  # of a message
        self._left = 0  # bytes of the clip that follow in the pipe
        self._freed: list[int] = []

    def take(self) -> list[memoryview]:
        """The clip's next bytes, in pieces, none at its end; they are there until the next call. Raises ClipFailed."""
        pieces: list[memoryview] = []
        while not pieces:
            self._free()
            begun = len(self._begun)
            self._room[:begun] = self._begun
            came = os.readv(self._descriptor, [self._room[begun:]])
            if not came:
                if self._slots is not None:
                    self._slots.lose()
                break
            pieces = self._pieces(self._room[: begun + came])
        return pieces

    def _pieces(self, came: memoryview) -> list[memoryview]:
        pieces, quoted = [], 0
        while self._left or len(came) >= MESSAGE.size:
            if self._left:
                piece, came = came[: self._left], came[self._left :]
                if not piece:
                    break
                self._left -= len(piece)
                pieces.append(piece)
                continue
            letter, slot, start, length = MESSAGE.unpack_from(came)
            came = came[MESSAGE.size :]
            if letter == b"B":
                self._left = length
            elif letter == b"F":
                self._freed.append(slot)
            else:
                quoted += length
                pieces.append(self._quoted(slot, start, length, quoted))
        self._begun = bytes(came)
        return pieces

    def _quoted(self, slot: int, start: int, length: int, quoted: int) -> memoryview:
        piece = None if self._slots is None else self._slots.quoted(slot, start, length)
        # Nothing is quoted twice, and a few bytes of messages may not become gibibytes.
        if piece is None or quoted > SLOTS * SLOT:
            raise ClipFailed("The clip process quoted what it was not given; nothing was kept, it is tried again.")
        return piece

    def _free(self) -> None:
        for slot in self._freed:
            if self._slots is not None:
                self._slots.given_back(slot)
        self._freed.clear()

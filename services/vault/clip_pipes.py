"""The clip process's ends of its pipes (``framing.py``)."""

from collections.abc import Iterable
from typing import BinaryIO

from services.vault.framing import PLACE, message, read_frame
from services.vault.pipes import Outlet
from services.vault.slots import Window, place_of


class Outgoing:
    """Where the clip goes: what lies in the shared memory is quoted, the rest is written."""

    def __init__(self, descriptor: int, window: Window | None) -> None:
        self._outlet = Outlet(descriptor)
        self._window = window

    def writelines(self, parts: Iterable[bytes | memoryview], /) -> None:
        said: list[bytes | memoryview] = []
        for part in parts:
            place = place_of(part) if isinstance(part, memoryview) else None
            if place is not None:
                said.append(message(b"Q", *place, len(part)))
            elif len(part):
                said += (message(b"B", 0, 0, len(part)), part)
        self._outlet.writelines(said)
        self.let_go()

    def let_go(self) -> None:
        """Tell which slots are free, after all that was quoted of them."""
        if self._window is not None and self._window.freed:
            freed, self._window.freed = self._window.freed, []
            self._outlet.writelines([b"".join(message(b"F", slot, 0, 0) for slot in freed)])


class Inlet:
    """Where the footage comes from."""

    def __init__(self, pipe: BinaryIO, window: Window | None = None, out: Outgoing | None = None) -> None:
        self._pipe = pipe
        self._window = window
        self._out = out

    def frame(self) -> tuple[bytes, bytes | memoryview] | None:
        """The next frame, ``P`` turned into ``D``; None and EOFError as with ``read_frame``."""
        if self._out is not None:
            self._out.let_go()  # before it is waited for what needs them
        got = read_frame(self._pipe)
        if got is None or got[0] != b"P" or self._window is None:
            return got
        return b"D", self._window.piece(*PLACE.unpack(got[1]))

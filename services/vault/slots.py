"""Memory that the vault and its clip process share (memfd, Linux): footage lies in it and goes through no pipe.

The vault alone writes there, which a seal of the kernel's sees to; the process tells which of it belongs in the clip.
"""

import ctypes
import fcntl
import mmap
import os
import sys
import threading
from collections.abc import Callable

from services.vault.pipes import address_of

SLOT = 1 << 20  # bytes
SLOTS = 8  # with fewer, the processes wait for one another
KEPT = SLOTS // 2  # that the process may hold on to; what comes to it beyond is copied
Told = Callable[[], None]
_FUTURE_WRITE = 0x10  # F_SEAL_FUTURE_WRITE: who maps it from now on may only read


class Slots:
    """The vault's side: pieces are laid into slots that are free. ``descriptor`` is for the process.

    A slot has two users, the process and who hashes what lies there; it is free once both have let go of it.
    """

    def __init__(self, descriptor: int, memory: mmap.mmap) -> None:
        self.descriptor = descriptor
        self._memory = memoryview(memory)
        self._address = address_of(self._memory)
        self._lock = threading.Lock()  # over all that follow
        self._free = list(range(SLOTS))
        self._lent: set[int] = set()  # to the process
        self._hashed: set[int] = set()  # and will be
        self._lost = False
        self._told: Told | None = None

    @classmethod
    def made(cls) -> "Slots | None":
        """None where the system has no such memory."""
        if sys.platform != "linux":
            return None
        try:
            descriptor = os.memfd_create("footage", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        except OSError:
            return None
        try:
            os.ftruncate(descriptor, SLOT * SLOTS)
            memory = mmap.mmap(descriptor, SLOT * SLOTS)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | _FUTURE_WRITE | fcntl.F_SEAL_SEAL
            fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, seals)
        except OSError:
            os.close(descriptor)
            return None
        return cls(descriptor, memory)

    def lay(self, piece: bytes | memoryview) -> tuple[int, memoryview] | None:
        """Copy a piece of at most SLOT bytes into a slot: which, and what lies there; None where no slot is free.

        Raises BrokenPipeError where the process has ended.
        """
        with self._lock:
            if self._lost:
                raise BrokenPipeError
            if not self._free:
                return None
            slot = self._free.pop()
            self._hashed.add(slot)
        # Not by a slice of the view: that would keep the other threads from the interpreter.
        ctypes.memmove(self._address + slot * SLOT, address_of(memoryview(piece)), len(piece))
        with self._lock:
            self._lent.add(slot)  # no sooner: a process could quote what changes
        return slot, self._memory[slot * SLOT : slot * SLOT + len(piece)]

    def when_free(self, told: Told) -> None:
        """Call ``told``, from any thread, as soon as a slot is free, or none will be."""
        with self._lock:
            if not (self._free or self._lost):
                self._told = told
                return
        told()

    def quoted(self, slot: int, start: int, length: int) -> memoryview | None:
        """What lies there; None where nothing does that was lent."""
        if slot not in self._lent or start + length > SLOT:
            return None
        return self._memory[slot * SLOT + start : slot * SLOT + start + length]

    def given_back(self, slot: int) -> None:
        """The process has let go of it, and nothing that was quoted of it is used any more."""
        self._let_go(slot, self._lent)

    def hashed(self, slot: int) -> None:
        """What lies there was hashed."""
        self._let_go(slot, self._hashed)

    def lose(self) -> None:
        """The process has ended: no slot becomes free."""
        with self._lock:
            self._lost = True
            told, self._told = self._told, None
        if told is not None:
            told()

    def close(self) -> None:
        """Give the memory back, once nobody looks at a part of it: an error on its way holds on to much."""
        self.lose()
        self._memory = memoryview(b"")

    def _let_go(self, slot: int, users: set[int]) -> None:
        told = None
        with self._lock:
            if slot not in users:
                return
            users.discard(slot)
            if slot not in self._lent and slot not in self._hashed:
                self._free.append(slot)
                told, self._told = self._told, None
        if told is not None:
            told()


class _Lent(ctypes.c_ubyte * SLOT):  # type: ignore[misc]  # a type that is made as the program runs
    """A slot, for as long as any view of it is there."""

    slot: int
    gone: Callable[[int], None]

    def __del__(self) -> None:
        self.gone(self.slot)


class Window:
    """The process's side. ``freed`` lists the slots of which nothing is held any more, for who tells the vault."""

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, 0, prot=mmap.PROT_READ)
        os.close(descriptor)
        self._address = address_of(memoryview(self._memory))
        self._held = 0
        self.freed: list[int] = []

    def piece(self, slot: int, length: int) -> bytes | memoryview:
        """What lies in a slot; a view of it may be written to as little as the slot may."""
        if self._held >= KEPT:
            self.freed.append(slot)
            return self._memory[slot * SLOT : slot * SLOT + length]
        lent = _Lent.from_address(self._address + slot * SLOT)
        lent.slot, lent.gone = slot, self._let_go
        self._held += 1
        return memoryview(lent).cast("B")[:length]

    def _let_go(self, slot: int) -> None:
        self._held -= 1
        self.freed.append(slot)


def place_of(view: memoryview) -> tuple[int, int] | None:
    """The slot that a view shows a part of, and where in it that begins; None for other memory."""
    lent = view.obj
    return (lent.slot, address_of(view) - ctypes.addressof(lent)) if isinstance(lent, _Lent) else None

"""Buffers that a store fills from its source: one while another is sent or written, and no more are held."""

import mmap
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from services.vault.store.protocol import Source

_READ = 2 << 20


def buffer(size: int) -> memoryview:
    """Of the system: what a small object does not fill is never taken, all of it is given back, and it begins where a
    disk can read it from."""
    return memoryview(mmap.mmap(-1, size))


def failed(sending: "Future[Any]") -> Callable[[], bool]:
    """To be asked while the other buffer is filled."""
    return lambda: sending.done() and sending.exception() is not None


def fill(room: memoryview, source: Source, *, until: Callable[[], bool] = lambda: False) -> int:
    """How many bytes the source had for it; fewer than fit only at its end, or where ``until`` says so."""
    filled = 0
    while filled < len(room) and not until() and (more := source.readinto(room[filled : filled + _READ])):
        filled += more
    return filled

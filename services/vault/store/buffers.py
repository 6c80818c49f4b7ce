"""Buffers that a store fills from its source: one is filled while another is sent or written."""

import mmap
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from services.vault.store.protocol import Source

_READ = 2 << 20


def new_buffer(size: int) -> memoryview:
    """Map a buffer from the system: unused pages cost nothing, all are returned, and it is aligned for direct I/O."""
    return memoryview(mmap.mmap(-1, size))


def failed(sending: "Future[Any]") -> Callable[[], bool]:
    """Return a check, for use while the other buffer is filled, whether the sending has failed."""
    return lambda: sending.done() and sending.exception() is not None


def fill(buffer: memoryview, source: Source, *, until: Callable[[], bool] = lambda: False) -> int:
    """Fill the buffer; return the bytes read, fewer than fit only at the source's end or where ``until`` says so."""
    filled = 0
    while filled < len(buffer) and not until() and (more := source.readinto(buffer[filled : filled + _READ])):
        filled += more
    return filled

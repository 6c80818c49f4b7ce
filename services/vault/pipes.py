"""Writing to a pipe without copying: its reader takes the bytes from where the writer holds them (vmsplice, Linux).

A gibibyte that is copied into a pipe costs a fifth of a second of a processor, and more for the pages in between.
"""

import ctypes
import errno
import fcntl
import os
import sys
from collections import deque
from collections.abc import Iterable, Sequence
from contextlib import suppress

WIDTH = 1 << 20  # of a pipe, where the system lets it be so wide: it saves turns between the processes
_WORTH_IT = 1 << 14  # bytes; fewer are copied as fast as they are lent
_AT_ONCE = 512  # pieces; systems take 1024
_OTHERWISE = {errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EBADF}  # no pipe, or a system that does not lend


class _Buffer(ctypes.Structure):
    """``Py_buffer`` of Python's stable interface."""

    _fields_ = (
        ("address", ctypes.c_void_p),
        ("owner", ctypes.py_object),
        ("length", ctypes.c_ssize_t),
        ("item", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("dimensions", ctypes.c_int),
        ("rest", ctypes.c_void_p * 5),
    )


class _Piece(ctypes.Structure):
    """``struct iovec``."""

    _fields_ = (("address", ctypes.c_void_p), ("length", ctypes.c_size_t))


class Outlet:
    """The writing end of a pipe, ``descriptor``, which stays the caller's to close.

    What cannot change is lent to the reader, and held until it must have been read: by then as many bytes have been
    written behind it as the pipe holds. The rest is copied. The last pieces are held as long as the outlet is.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._lent: deque[memoryview] = deque()
        self._held = 0  # bytes of these
        self._libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
        self._capacity = _widened(descriptor)

    def writelines(self, parts: Iterable[bytes | memoryview], /) -> None:
        """Write all of them; blocks. Raises OSError."""
        left = [memoryview(part) for part in parts if len(part)]
        worth_it = self._libc is not None and sum(map(len, left)) >= _WORTH_IT
        if worth_it and all(type(view.obj) is bytes for view in left):
            left = self._lend(left)
        while left:
            left = _behind(left, os.writev(self._descriptor, left[:_AT_ONCE]))

    def _lend(self, left: list[memoryview]) -> list[memoryview]:
        """What is left to be copied, where the system does not lend."""
        while left:
            try:
                lent = self._splice(left[:_AT_ONCE])
            except InterruptedError:
                continue
            except OSError as error:
                if error.errno not in _OTHERWISE:
                    raise
                self._libc = None
                return left
            self._hold(left, lent)
            left = _behind(left, lent)
        return left

    def _splice(self, views: Sequence[memoryview]) -> int:
        pieces = (_Piece * len(views))(*(_Piece(address_of(view), len(view)) for view in views))
        lent = int(self._libc.vmsplice(self._descriptor, pieces, ctypes.c_size_t(len(views)), 0)) if self._libc else -1
        if lent < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return lent

    def _hold(self, views: list[memoryview], lent: int) -> None:
        for view in views:
            if lent <= 0:
                break
            self._lent.append(view[:lent])
            lent -= len(view)
            self._held += len(self._lent[-1])
        while self._held - len(self._lent[0]) >= self._capacity:
            self._held -= len(self._lent.popleft())


def _behind(views: list[memoryview], written: int) -> list[memoryview]:
    """What of them is behind so many bytes."""
    for number, view in enumerate(views):
        if written < len(view):
            return [view[written:], *views[number + 1 :]]
        written -= len(view)
    return []


def address_of(view: memoryview) -> int:
    """Where its first byte lies; right for as long as the view is held."""
    buffer = _Buffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), ctypes.byref(buffer), 0)
    address = int(buffer.address)
    ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))
    return address


def _widened(descriptor: int) -> int:
    """Bytes that the pipe holds at most, once it is as wide as the system lets it be."""
    if hasattr(fcntl, "F_SETPIPE_SZ"):
        with suppress(OSError):  # a system may forbid it
            fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, WIDTH)
        with suppress(OSError):  # what is no pipe
            return max(WIDTH, fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ))
    return WIDTH

"""The C library's heap, where pieces of a mebibyte come and go with the footage (mallopt, glibc)."""

import ctypes
import sys
from functools import cache

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENAS = -1, -3, -8
_LARGEST = 4 << 20  # what is larger is the system's again at once
_FREE = 8 << 20  # bytes at the heap's end that are kept


@cache
def keep_freed() -> None:
    """Keep what is freed for what is needed next.

    Otherwise the system takes a piece's pages back as it is freed, and clears others for the next piece: that took up
    to a second of a processor for each gibibyte of footage. A system without this C library does as it does.
    """
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        libc.mallopt(_MMAP_THRESHOLD, _LARGEST)
        libc.mallopt(_TRIM_THRESHOLD, _FREE)
        libc.mallopt(_ARENAS, 1)  # or each thread's heap would keep as much

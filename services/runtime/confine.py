"""Confine a process that parses footage: it reads and writes its pipes, and nothing else.

Called by the process itself, before it touches a byte. Limits are hard; taking the network away is tried and depends
on the kernel's settings (unprivileged user namespaces).
"""

import ctypes
import os
import resource
import signal
import sys
from dataclasses import dataclass

_NEW_USER, _NEW_NETWORK = 0x10000000, 0x40000000
_PARENT_DEATH_SIGNAL, _DUMPABLE, _NO_NEW_PRIVILEGES = 1, 4, 38


@dataclass(frozen=True)
class Limits:
    """Bytes of address space, seconds of processor time, open files."""

    memory: int = 1 << 30
    cpu_seconds: int = 3600
    files: int = 32


def confine(limits: Limits) -> None:
    """Drop what this process does not need: it writes no file (not even a core), and ends with its parent."""
    if sys.platform == "linux":
        _leave_the_network()
    for what, most in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_AS, limits.memory),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_NOFILE, limits.files),
    ):
        hard = resource.getrlimit(what)[1]
        bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (bound, bound))


def _leave_the_network() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    # Refusals are no error: a container may forbid namespaces, and the process talks to its pipes only anyway.
    if libc.unshare(_NEW_NETWORK) != 0:
        libc.unshare(_NEW_USER | _NEW_NETWORK)
    libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    libc.prctl(_PARENT_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
    libc.prctl(_DUMPABLE, 0, 0, 0, 0)


def clean_environment() -> dict[str, str]:
    """Return the environment for such a process: no setting and no credential."""
    allowed = ("LD_LIBRARY_PATH", "SYSTEMROOT", "TZDIR")
    return {name: os.environ[name] for name in allowed if name in os.environ} | {
        "PYTHONDONTWRITEBYTECODE": "1",
        "MALLOC_ARENA_MAX": "1",
    }

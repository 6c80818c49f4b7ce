"""What an attacker inside a media process would try; run with one argument, the world to try it in, as JSON.

Each attempt runs in a child of its own: free, confined, and behind each of the two walls alone. A line of JSON for each
says whether it succeeded, and which signal ended it.
"""

import ctypes
import fcntl
import json
import os
import resource
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import py_landlock  # noqa: F401 - with pyseccomp read once, before the children
import pyseccomp

from services.runtime import confine

LIBC = ctypes.CDLL(None, use_errno=True)
WORLD: dict[str, Any] = json.loads(sys.argv[1])
FOLDER = Path(WORLD["folder"])
LIMITS = confine.Limits(memory=1 << 30, files=64)


def call(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def filter_itself() -> None:
    """Ask whether there is an action, which changes nothing (SECCOMP_GET_ACTION_AVAIL)."""
    number = pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, "seccomp")
    call(LIBC.syscall(number, 2, 0, ctypes.byref(ctypes.c_uint32(pyseccomp.ALLOW))))


def read_database() -> None:
    with sqlite3.connect(WORLD["database"]) as database:
        assert database.execute("select * from person").fetchall()


def connect(family: int, kind: int, address: object) -> None:
    with socket.socket(family, kind) as one:
        one.settimeout(5)
        one.connect(address)


def send_datagram() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        assert one.sendto(b"footage", ("127.0.0.1", WORLD["udp"]))


def listen() -> None:
    with socket.create_server(("127.0.0.1", 0)):
        pass


def fork() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def read_other_memory() -> None:
    """Of this process itself, which every kernel's settings allow."""
    source, target = ctypes.create_string_buffer(b"secret"), ctypes.create_string_buffer(8)

    class Vector(ctypes.Structure):
        _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))

    here, there = (Vector(ctypes.addressof(one), 6) for one in (target, source))
    call(LIBC.process_vm_readv(os.getpid(), ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
    assert target.value == b"secret"


def limit_the_parent() -> None:
    """A limit of zero would end it; this one changes nothing."""
    resource.prlimit(WORLD["victim"], resource.RLIMIT_CORE, resource.prlimit(WORLD["victim"], resource.RLIMIT_CORE))


ATTEMPTS: dict[str, Callable[[], object]] = {
    "read a key": (FOLDER / "key").read_bytes,
    "see a file's size": (FOLDER / "key").stat,
    "list a folder": lambda: list(FOLDER.iterdir()),
    "read the database": read_database,
    "read its own environment": lambda: Path("/proc/self/environ").read_bytes(),
    "open its own memory": lambda: Path("/proc/self/mem").open("rb").close(),
    "read another process's environment": lambda: Path(f"/proc/{WORLD['victim']}/environ").read_bytes(),
    "load a library": lambda: ctypes.CDLL("libanl.so.1"),
    "make a file": (FOLDER / "made").touch,
    "make a folder": (FOLDER / "folder").mkdir,
    "make a link": lambda: (FOLDER / "link").symlink_to("key"),
    "delete a file": (FOLDER / "footage").unlink,
    "delete a tree": lambda: shutil.rmtree(FOLDER / "tree"),
    "rename a file": lambda: (FOLDER / "footage").rename(FOLDER / "other"),
    "empty a file": lambda: os.truncate(FOLDER / "footage", 0),
    "change a file's mode": lambda: (FOLDER / "footage").chmod(0o644),
    "make a file in memory": lambda: os.memfd_create("footage"),
    "connect to the engine": lambda: connect(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", WORLD["tcp"])),
    "connect to a Unix socket": lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, str(FOLDER / "socket")),
    "connect to an abstract socket": lambda: connect(socket.AF_UNIX, socket.SOCK_STREAM, WORLD["abstract"]),
    "send a datagram": send_datagram,
    "listen": listen,
    "become another program": lambda: os.execv("/bin/true", ["true"]),  # noqa: S606 - the attempt
    "start a program": lambda: subprocess.run(["/bin/true"], check=True),
    "fork": fork,
    "signal another process": lambda: os.kill(WORLD["victim"], signal.SIGCONT),
    "have the kernel signal another process": lambda: fcntl.fcntl(1, fcntl.F_SETOWN, WORLD["victim"]),
    "limit another process": limit_the_parent,
    "trace": lambda: call(LIBC.ptrace(0, 0, 0, 0)),  # PTRACE_TRACEME
    "read another process's memory": read_other_memory,
    "be readable for others again": lambda: call(LIBC.prctl(4, 1, 0, 0, 0)),  # PR_SET_DUMPABLE
    "ask for a filter of its own": filter_itself,
}


def prepare() -> None:
    """Make anew what an attempt before may have deleted."""
    shutil.rmtree(FOLDER / "tree", ignore_errors=True)
    for name in ("made", "link", "other"):
        (FOLDER / name).unlink(missing_ok=True)
    shutil.rmtree(FOLDER / "folder", ignore_errors=True)
    (FOLDER / "tree" / "branch").mkdir(parents=True)
    (FOLDER / "footage").write_bytes(b"footage")
    (FOLDER / "footage").chmod(0o600)


@contextmanager
def only(wall: str) -> Iterator[None]:
    """Have the other wall missing."""
    other = "_landlock" if wall == "seccomp" else "_seccomp"

    def missing() -> Callable[[], None]:
        raise confine.WallMissing("left out by the test")

    whole = getattr(confine, other)
    setattr(confine, other, missing)
    try:
        yield
    finally:
        setattr(confine, other, whole)


def attempt(name: str, behind: str) -> dict[str, object]:
    """Run one attempt in a child."""
    prepare()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if behind in ("seccomp", "Landlock"):
                with only(behind):
                    confine.confine(LIMITS)
            elif behind == "both":
                confine.confine(LIMITS)
            ATTEMPTS[name]()
            status = 0
        finally:
            os._exit(status)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    whole = (FOLDER / "footage").exists() and (FOLDER / "footage").read_bytes() == b"footage"
    return {"attempt": name, "behind": behind, "succeeded": ended == 0, "signal": -ended, "footage": whole}


if __name__ == "__main__":
    for one in ATTEMPTS:
        for walls in ("none", "both", "seccomp", "Landlock"):
            sys.stdout.write(json.dumps(attempt(one, walls)) + "\n")
            sys.stdout.flush()

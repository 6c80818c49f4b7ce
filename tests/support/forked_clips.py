"""Clip processes forked from one that has imported what they need: a start costs 10 ms of the processor, not 140.

Fourteen hundred tests' clips start one. Each is the product's own from its first line on, with its pipes, limits and
walls. What starts it as the product does are the tests that have another interpreter, and every server.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from typing import IO, Any

from services.vault.clip.client import PROCESS

COMMAND = (sys.executable, "-I", "-m", PROCESS)
_LARGEST = 1 << 16  # bytes of a request
_MOST_FILES = 8
# A child of whoever started this process, which alone can wait for it: os.fork() would make it a child of this one.
_SERVE = """
import ctypes, fcntl, json, os, platform, signal, socket, sys
from services.vault.clip import process
CLONE_PARENT, CLONE = 0x8000, {"x86_64": 56, "aarch64": 220}[platform.machine()]
asked = socket.socket(fileno=int(sys.argv[1]))
while True:
    request, files, _, _ = socket.recv_fds(asked, %d, %d)
    if not request:
        os._exit(0)
    pid = ctypes.pythonapi.syscall(CLONE, CLONE_PARENT | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        break
    for file in files:
        os.close(file)
    asked.send(str(pid).encode())
ctypes.pythonapi.PyOS_AfterFork_Child()
asked.close()
told = json.loads(request)
above = max(told["files"]) + 1
high = [fcntl.fcntl(file, fcntl.F_DUPFD_CLOEXEC, above) for file in files]  # none stands where another belongs
for file, number in zip(high, told["files"]):
    os.dup2(file, number, inheritable=False)
last = 2
for number in sorted(told["files"])[3:] + [max(high) + 1]:
    os.closerange(last + 1, number)
    last = number
os.environ.clear()
os.environ.update(told["environment"])
sys.argv[1:] = told["arguments"]
process.main()
"""


class _Forked:
    """What asyncio needs of a ``subprocess.Popen``."""

    stdin = stdout = None

    def __init__(self, pid: int, stderr: IO[bytes] | None) -> None:
        self.pid, self.stderr, self.returncode = pid, stderr, None

    def poll(self) -> int | None:
        """The status once asyncio, which waits for it, has set it."""
        return self.returncode

    def send_signal(self, number: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    terminate = kill


class _Forks:
    """The process that is forked; start it in the main thread: what it forks ends with the thread that started it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        serve = _SERVE % (_LARGEST, _MOST_FILES)
        subprocess.Popen(
            [*COMMAND[:2], "-c", serve, str(other.fileno())], pass_fds=[other.fileno()], stdin=subprocess.DEVNULL
        )
        other.close()

    def start(self, arguments: list[str], options: dict[str, Any]) -> _Forked:
        errors, written = os.pipe()
        files = [options["stdin"], options["stdout"], written, *options["pass_fds"]]
        told = {"files": [0, 1, 2, *options["pass_fds"]], "environment": options["env"], "arguments": arguments}
        with self._lock:
            socket.send_fds(self._asking, [json.dumps(told).encode()], files)
            pid = int(self._asking.recv(_LARGEST))
        os.close(written)
        return _Forked(pid, os.fdopen(errors, "rb", buffering=0))


class _Subprocess:
    """The module ``subprocess`` for asyncio, but for clip processes."""

    def __init__(self) -> None:
        self._forks = _Forks()

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, args: Any, **options: Any) -> Any:
        if tuple(args[:4]) == COMMAND:
            return self._forks.start(list(args[4:]), options)
        return subprocess.Popen(args, **options)


def use_forked_clips() -> None:
    """Have asyncio fork clip processes in this process from now on."""
    asyncio.unix_events.subprocess = _Subprocess()

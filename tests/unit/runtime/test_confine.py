"""A process that parses what others send can reach its pipes and nothing else."""

import json
import os
import platform
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.runtime.confine import ALLOWED, DENIED, HOSTILE, INSIST, NOT_CONFINED, clean_environment
from services.runtime.places import ROOT

PRELUDE = "from services.runtime.confine import Limits, confine; confine(Limits(memory=1 << 28, files=16));"
ATTEMPTS = ROOT / "tests" / "support" / "confined_attempts.py"
FILES = (
    "read a key",
    "list a folder",
    "read the database",
    "read its own environment",
    "open its own memory",
    "read another process's environment",
    "load a library",
    "make a file",
    "make a folder",
    "make a link",
    "delete a file",
    "delete a tree",
    "rename a file",
)
OTHERS = (
    "see a file's size",
    "empty a file",
    "change a file's mode",
    "make a file in memory",
    "connect to the engine",
    "connect to a Unix socket",
    "connect to an abstract socket",
    "send a datagram",
    "listen",
    "become another program",
    "start a program",
    "fork",
    "signal another process",
    "have the kernel signal another process",
    "limit another process",
    "trace",
    "read another process's memory",
    "be readable for others again",
    "ask for a filter of its own",
)
# What nobody does by mistake ends the process, and is reported.
DEADLY = (
    "connect to the engine",
    "send a datagram",
    "become another program",
    "fork",
    "signal another process",
    "trace",
    "read another process's memory",
    "delete a file",
)

pytestmark = pytest.mark.tool("libseccomp")


def run(code: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-I", "-c", PRELUDE + code],
        capture_output=True,
        env=clean_environment() | environment,
        check=False,
    )


@pytest.fixture(scope="module")
def outcomes() -> Iterator[dict[tuple[str, str], dict[str, object]]]:
    """Every attempt in a world of its own: free, confined, and behind each wall alone."""
    with (
        tempfile.TemporaryDirectory(prefix="fd-") as name,
        socket.create_server(("127.0.0.1", 0)) as tcp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.socket(socket.AF_UNIX) as unix,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        folder = Path(name)
        (folder / "key").write_text("AGE-SECRET-KEY")
        database = sqlite3.connect(folder / "register.sqlite3")
        database.execute("create table person (login text)")
        database.execute("insert into person values ('luo.xin')")
        database.commit()
        database.close()
        udp.bind(("127.0.0.1", 0))
        unix.bind(str(folder / "socket"))
        unix.listen(16)
        abstract.bind(f"\0footage-desk-{os.getpid()}")
        abstract.listen(16)
        world = {
            "folder": name,
            "database": str(folder / "register.sqlite3"),
            "tcp": tcp.getsockname()[1],
            "udp": udp.getsockname()[1],
            "abstract": f"\0footage-desk-{os.getpid()}",
            "victim": os.getpid(),
        }
        ended = subprocess.run(
            [sys.executable, ATTEMPTS, json.dumps(world)], capture_output=True, text=True, timeout=120, check=True
        )
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        yield {(line["attempt"], line["behind"]): line for line in lines}


def test_every_attempt_is_looked_at(outcomes: dict[tuple[str, str], dict[str, object]]) -> None:
    assert {name for name, _ in outcomes} == {*FILES, *OTHERS}
    assert set(DEADLY) <= {*FILES, *OTHERS}


@pytest.mark.parametrize("name", [*FILES, *OTHERS])
def test_what_succeeds_in_another_process_is_refused_in_a_confined_one(
    outcomes: dict[tuple[str, str], dict[str, object]], name: str
) -> None:
    free, confined = outcomes[name, "none"], outcomes[name, "both"]
    assert free["succeeded"]
    assert not confined["succeeded"]
    assert confined["footage"]
    assert confined["signal"] == signal.SIGSYS or name not in DEADLY


@pytest.mark.parametrize("name", [*FILES, *OTHERS])
def test_the_filter_of_system_calls_refuses_all_of_it_alone(
    outcomes: dict[tuple[str, str], dict[str, object]], name: str
) -> None:
    assert not outcomes[name, "seccomp"]["succeeded"]


@pytest.mark.parametrize("name", FILES)
def test_landlock_alone_closes_the_files(outcomes: dict[tuple[str, str], dict[str, object]], name: str) -> None:
    assert not outcomes[name, "Landlock"]["succeeded"]


@pytest.mark.parametrize("number", [425, 0x40000000 | 257], ids=["io_uring_setup", "openat as x32 counts"])
def test_the_ways_around_a_filter_end_the_process(number: int) -> None:
    """A ring does what is written into it, unseen; the other numbering of x86-64 is a machine that the filter lacks."""
    if number > 425 and platform.machine() != "x86_64":
        pytest.skip("only x86-64 counts so")
    ended = run(f"import ctypes; ctypes.CDLL(None).syscall({number}, 0, 0, 0, 0, 0, 0)")
    assert ended.returncode == -signal.SIGSYS


def test_every_call_is_known_on_both_kinds_of_machine() -> None:
    import pyseccomp  # noqa: PLC0415 - raises where the system's library is missing

    names = " ".join((ALLOWED, HOSTILE, *DENIED.values(), "clone prlimit64 tgkill")).split()
    numbers = {
        machine: {name: pyseccomp.resolve_syscall(machine, name) for name in names}
        for machine in (pyseccomp.Arch.X86_64, pyseccomp.Arch.AARCH64)
    }
    assert len(names) == len(set(names))
    assert [name for name, number in numbers[pyseccomp.Arch.X86_64].items() if number < 0] == []
    lacking = {name for name, number in numbers[pyseccomp.Arch.AARCH64].items() if number < 0}
    assert lacking & set(ALLOWED.split()) == {"poll"}


def test_it_still_answers_over_its_pipe() -> None:
    assert run("print('here')").stdout == b"here\n"


def test_it_starts_threads() -> None:
    code = "import threading; one = threading.Thread(target=print, args=('there',)); one.start(); one.join()"
    assert run(code).stdout == b"there\n"


def test_it_writes_no_file(tmp_path: Path) -> None:
    target = tmp_path / "footage"
    ended = run(f"import pathlib; pathlib.Path({str(target)!r}).write_text('x')")
    assert ended.returncode != 0
    assert not target.exists()


def test_memory_is_bounded() -> None:
    assert b"MemoryError" in run("bytearray(1 << 29)").stderr


def test_open_files_are_bounded() -> None:
    ended = run("import resource; print(*resource.getrlimit(resource.RLIMIT_NOFILE))")
    assert ended.stdout == b"16 16\n"


def test_it_inherits_no_setting_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_SECRET", "hidden")
    assert "FOOTAGE_DESK_SECRET" not in clean_environment()
    assert run("import os; print([name for name in os.environ if 'DESK' in name])").stdout == b"[]\n"


def test_it_refuses_to_start_behind_one_wall_where_its_parent_insists() -> None:
    code = (
        "from services.runtime import confine as own\n"
        "def missing(): raise own.WallMissing('no such kernel')\n"
        "own._landlock = missing\n"
        "own.confine(own.Limits())\n"
        "print('here')"
    )
    command = [sys.executable, "-I", "-c", code]
    ended = [
        subprocess.run(command, capture_output=True, env=environment, check=False)
        for environment in (clean_environment(), clean_environment(insist=True))
    ]
    assert INSIST in clean_environment(insist=True)
    assert [(one.returncode, one.stdout) for one in ended] == [(0, b"here\n"), (NOT_CONFINED, b"")]

"""``footage-desk …`` as processes of their own, as operators start it."""

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from services.cli import main as cli_main

PROGRAM = Path(sys.executable).with_name("footage-desk")
READY_SECONDS = 90.0
END_SECONDS = 40.0
# As compose and the chart have it, who drop all capabilities: root without them is bound by the modes of files too.
CONFINED = ("setpriv", "--inh-caps=-all", "--bounding-set=-all", "--no-new-privs") if os.geteuid() == 0 else ()
FREE_PORTS = {f"FOOTAGE_DESK_{part}__PORT": "0" for part in ("PORTAL", "HEALTH")}


def environment(**settings: object) -> dict[str, str]:
    """This machine's environment without any setting of the installation, and ``settings`` (by their paths) in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTAGE_DESK_", "ZEEBE_"))}
    given = {
        name.upper() if name.startswith("zeebe_") else f"FOOTAGE_DESK_{name.upper().replace('.', '__')}": str(value)
        for name, value in settings.items()
    }
    return {**kept, **FREE_PORTS, "COLUMNS": "80", **given}


def once(*arguments: str, env: Mapping[str, str], cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [PROGRAM, *arguments], env=env, cwd=cwd, capture_output=True, text=True, timeout=READY_SECONDS, check=False
    )


def refused(*arguments: str, env: Mapping[str, str]) -> Result:
    """Run a command in this process: one that ends before it serves anything needs no start of its own."""
    with pytest.MonkeyPatch.context() as patched:
        for name in os.environ.keys() - env.keys():
            patched.delenv(name)
        ended = CliRunner().invoke(cli_main.app, arguments, env=dict(env))
    assert isinstance(ended.exception, SystemExit), ended.exception
    return ended


class Running:
    """A process that runs; what it prints is read as it comes."""

    def __init__(self, *arguments: str, env: Mapping[str, str], cwd: Path, before: Sequence[str] = ()) -> None:
        self.arguments = arguments
        self._told = threading.Condition()
        self._text = ""
        self._ended = False
        self.log = cwd / f"{'-'.join(arguments[:2])}.log"
        self._file = self.log.open("ab")
        self.process = subprocess.Popen(
            [*before, PROGRAM, *arguments], env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=self._file, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def printed(self, pattern: str, seconds: float = READY_SECONDS) -> str:
        """Wait until it has printed ``pattern``; the pattern's group."""
        with self._told:
            self._told.wait_for(lambda: re.search(pattern, self._text) or self._ended, seconds)
            found = re.search(pattern, self._text)
        assert found, f"{self.arguments} never printed {pattern!r}: {self._text}\n{self.errors[-3000:]}"
        return found.group(1)

    @property
    def text(self) -> str:
        with self._told:
            return self._text

    @property
    def errors(self) -> str:
        return self.log.read_text(errors="replace")

    def end(self) -> int:
        """SIGTERM; its exit code."""
        self.process.terminate()
        return self.gone()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.gone()

    def gone(self) -> int:
        code = self.process.wait(END_SECONDS)
        self._reader.join(END_SECONDS)
        self._file.close()
        return code

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as out:
            for line in out:
                with self._told:
                    self._text += line
                    self._told.notify_all()
        with self._told:
            self._ended = True
            self._told.notify_all()


@contextmanager
def running(*arguments: str, env: Mapping[str, str], cwd: Path, before: Sequence[str] = ()) -> Iterator[Running]:
    """The process, killed at the end of the block where it still runs; ``before`` is a command that starts it."""
    one = Running(*arguments, env=env, cwd=cwd, before=before)
    try:
        yield one
    finally:
        if one.process.poll() is None:
            one.kill()

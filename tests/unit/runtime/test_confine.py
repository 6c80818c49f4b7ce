"""A process that parses footage can reach its pipes and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from services.runtime.confine import clean_environment

PRELUDE = "from services.runtime.confine import Limits, confine; confine(Limits(memory=1 << 28, files=16));"


def run(code: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-I", "-c", PRELUDE + code], capture_output=True, env=clean_environment(), check=False
    )


def test_it_still_answers_over_its_pipe() -> None:
    assert run("print('here')").stdout == b"here\n"


def test_it_writes_no_file(tmp_path: Path) -> None:
    target = tmp_path / "footage"
    ended = run(f"import pathlib; pathlib.Path({str(target)!r}).write_text('x')")
    assert ended.returncode != 0
    assert not target.exists() or target.stat().st_size == 0


@pytest.mark.parametrize(
    "code",
    [
        "bytearray(1 << 29)",
        "files = [open('/dev/null') for _ in range(40)]",
    ],
)
def test_memory_and_open_files_are_bounded(code: str) -> None:
    assert run(code).returncode != 0


def test_it_inherits_no_setting_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FOOTAGE_DESK_SECRET", "hidden")
    assert "FOOTAGE_DESK_SECRET" not in clean_environment()
    assert run("import os; print([name for name in os.environ if 'DESK' in name])").stdout == b"[]\n"

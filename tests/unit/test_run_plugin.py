"""A test that hangs ends with every stack; a missing tool is counted, and fails in CI."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import run_plugin
from scheduling import ByFileOrPart

SUPPORT = Path(__file__).parents[1] / "support"
HANGS = {
    "a thread that waits for a lock": """
import threading
def test_hangs():
    threading.Lock().acquire() and threading.Event().wait()
""",
    "a task that never ends": """
import asyncio
async def never(): await asyncio.Event().wait()
async def test_hangs(): await asyncio.gather(never())
""",
}
SWALLOWS = """
import asyncio
async def test_hangs():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass
"""
NEEDS = """
import pytest
import run_plugin
from scheduling import ByFileOrPart
@pytest.mark.tool("openssl")
def test_needs_it(): pass
def test_needs_nothing(): pass
"""


def run(
    folder: Path, test: str, *options: str, limit: int = 60, grace: int = 60, **variables: str
) -> subprocess.CompletedProcess[str]:
    (folder / "test_made.py").write_text(test)
    limits = f"timeout = {limit}\ntimeout_grace = {grace}\n"
    (folder / "pytest.ini").write_text(f"[pytest]\nasyncio_mode = auto\n{limits}markers = tool(name): needs it\n")
    plugins = [f"-p{name}" for name in ("run_plugin", "pytest_timeout", "pytest_asyncio.plugin", "xdist.plugin")]
    command = [sys.executable, "-m", "pytest", *plugins, "-pno:cacheprovider", *options, folder]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("FOOTAGE_DESK_", "PYTEST_"))}
    given = kept | {"PYTHONPATH": str(SUPPORT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"} | variables
    return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True, check=False, timeout=200)


@pytest.mark.parametrize("test", HANGS.values(), ids=HANGS)
def test_a_test_that_waits_for_ever_fails_with_every_stack(test: str, tmp_path: Path) -> None:
    done = run(tmp_path, test, limit=1)
    assert done.returncode == 1
    assert "took longer than 1 s" in done.stdout
    assert "1 failed" in done.stdout
    assert "most recent call first" in done.stderr
    assert "in test_hangs" in done.stderr
    assert ("in never" in done.stderr) == ("never" in test)


def test_a_test_that_outlives_its_failure_ends_the_process_with_every_stack(tmp_path: Path) -> None:
    done = run(tmp_path, SWALLOWS, limit=1, grace=2)
    assert done.returncode == 1
    assert "Timeout (" in done.stderr
    assert "cancel" in done.stderr


@pytest.mark.parametrize("options", [(), ("-n1",)], ids=["in one process", "with workers"])
def test_a_missing_tool_is_named_first_and_counted_in_the_last_line(options: tuple[str, ...], tmp_path: Path) -> None:
    done = run(tmp_path, NEEDS, *options, PATH="/absent")
    assert done.returncode == 0
    assert "missing tools: openssl; their tests are skipped; get them with: make system-packages" in done.stdout
    assert "1 passed, 1 skipped for want of tools: make system-packages in" in done.stdout.splitlines()[-1]


def test_a_missing_tool_fails_its_tests_in_ci_and_no_others(tmp_path: Path) -> None:
    done = run(tmp_path, NEEDS, PATH="/absent", FOOTAGE_DESK_CI="1")
    assert done.returncode == 1
    assert "1 passed, 1 error in" in done.stdout.splitlines()[-1]
    assert "openssl is missing: get it with make system-packages" in done.stdout


def test_a_disk_that_is_nearly_full_is_named_first() -> None:
    [line] = run_plugin.little_room(1_200_000_000)
    assert line.endswith(" has 1.2 GB free, and the tests need 4: make room, or set TMPDIR")
    assert run_plugin.little_room(run_plugin.ROOM) == []


def test_files_are_given_out_whole_but_for_parts_that_need_nothing_of_each_other() -> None:
    part_of = ByFileOrPart.__new__(ByFileOrPart)._split_scope
    matters = "tests/process/test_kill_points_matters.py"
    seed = part_of(f"{matters}::test_matters[extension-problem-violation-seed-1-of-4]")
    assert seed == part_of(f"{matters}::test_some_seed_kills[extension-problem-violation]")
    assert seed != part_of(f"{matters}::test_matters[redaction-seed-26-of-4]")
    mutants = "tests/process/test_policy_mutants.py::test_a_bent_part"
    assert part_of(f"{mutants}[Flow_1 removed]") != part_of(f"{mutants}[Task_1 removed]")
    assert part_of("tests/unit/test_amount.py::test_a[x]") == part_of("tests/unit/test_amount.py::test_b")

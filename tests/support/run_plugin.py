"""What holds for each run of the tests: a time limit that prints every stack, and no test skipped unseen."""

import asyncio
import faulthandler
import gc
import logging
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Generator
from types import FrameType
from typing import Any

import amount
import hypothesis
import pytest
import run_variables
import structlog
import tools

CI = "FOOTAGE_DESK_CI"
ROOM = 4 * 10**9  # bytes that a whole run holds at most at a time
_STDERR = pytest.StashKey[int]()
_LEFT_OUT = pytest.StashKey[dict[str, int]]()  # by marker, of this process
_SLOW_OF_WORKERS = pytest.StashKey[int]()
_LEFT_OUT_OF_WORKER = "slow tests left out"
_WANTED = re.compile(r"Skipped: \S+ is missing: get it with make (?:system-packages|setup-test)")

_LONG_FILES = (
    "test_kill_points.py",
    "test_kill_points_apart.py",
    "test_kill_points_matters.py",
    "test_kill_points_withdrawn.py",
    "test_page_of_the_verifier.py",
    "test_policy_mutants.py",
    "test_loans_in_any_order.py",
    "test_policy_reductions.py",
    "test_api_description.py",
    "test_main_job.py",
    "test_hostile_words.py",
    "test_hostile_routes.py",
    "test_compose_at_work.py",
    "test_access_matrix.py",
    "test_retrieval_paths.py",
    "test_case_standing.py",
    "test_restore_drill.py",
    "test_approval_paths.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    from scheduling import ByFileOrPart  # noqa: PLC0415  # the process of a run without workers does not need it

    return ByFileOrPart(config, log) if config.getoption("dist") == "loadfile" else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addini(
        "timeout_grace", "seconds after a test's time limit at which its process is ended", type="int", default=60
    )


def pytest_configure(config: pytest.Config) -> None:
    # Output is not captured yet: this is the stderr that a person sees, also when the process ends at once.
    config.stash[_STDERR] = os.dup(sys.__stderr__.fileno() if sys.__stderr__ else 2)
    tools.use_locked_tools()
    # The controller of xdist runs no test, and its workers need what it inherited.
    if hasattr(config, "workerinput") or not getattr(config.option, "numprocesses", None):
        run_variables.remove_from_environment()
    config.stash[_LEFT_OUT], config.stash[_SLOW_OF_WORKERS] = {}, 0
    config.pluginmanager.register(SlowOfWorkers())
    try:
        _load_hypothesis_profile()
    except ValueError as error:
        raise pytest.UsageError(str(error)) from None


def pytest_unconfigure(config: pytest.Config) -> None:
    # A thread that was left behind would hold the finished run for ever. A worker of xdist that has nothing left to do
    # waits for the others, and is ended by the controller.
    if not hasattr(config, "workerinput"):
        _end_process_in(config.getini("timeout_grace"), config)


def pytest_collection_finish() -> None:
    gc.freeze()  # what was imported and collected stays to the end: nothing in it has to be looked for
    gc.enable()


def pytest_report_header() -> list[str]:
    then = "their tests fail" if _in_ci() else "their tests are skipped"
    gone = tools.missing()
    lines = [f"missing tools: {', '.join(gone)}; {then}; get them with: {tools.get()}"] if gone else []
    return lines + little_room(shutil.disk_usage(tempfile.gettempdir()).free)


def little_room(free: int) -> list[str]:
    """Say so where the tests may fill the disk: what fails then names anything but that. ``free`` is in bytes."""
    if free >= ROOM:
        return []
    folder = tempfile.gettempdir()
    return [f"{folder} has {free / 1e9:.1f} GB free, and the tests need {ROOM / 1e9:.0f}: make room, or set TMPDIR"]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    # The longest files first, so that no worker is left alone with one at the end; the rest by folder, as they come.
    items.sort(
        key=lambda item: _LONG_FILES.index(item.path.name) if item.path.name in _LONG_FILES else len(_LONG_FILES)
    )
    for mark, runs in (("long", amount.all_of_it()), ("slow", amount.all_of_it() or _in_ci() or _is_named(config))):
        if not runs:
            left_out = [item for item in items if item.get_closest_marker(mark)]
            config.stash[_LEFT_OUT][mark] = len(left_out)
            config.hook.pytest_deselected(items=left_out)
            items[:] = [item for item in items if not item.get_closest_marker(mark)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    slow = max(config.stash[_LEFT_OUT].get("slow", 0), config.stash[_SLOW_OF_WORKERS])
    if slow:
        terminalreporter.write_line(f"{slow} slow tests were left out: {CI}=1 make test runs them too, and CI does.")


class SlowOfWorkers:
    """Takes over how many tests the processes of a parallel run left out: each collects all of them."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        slow = getattr(node, "workeroutput", {}).get(_LEFT_OUT_OF_WORKER, 0)
        node.config.stash[_SLOW_OF_WORKERS] = max(slow, node.config.stash[_SLOW_OF_WORKERS])


def pytest_sessionfinish(session: pytest.Session) -> None:
    told = getattr(session.config, "workeroutput", None)
    if told is not None:
        told[_LEFT_OUT_OF_WORKER] = session.config.stash[_LEFT_OUT].get("slow", 0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("tool"):
        (name,) = mark.args
        if not tools.TOOLS[name].found():
            (pytest.fail if _in_ci() else pytest.skip)(f"{name} is missing: get it with {tools.get(name)}")


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """Count what was skipped for a missing tool by itself, so that the last line names the remedy."""
    if report.skipped and isinstance(report.longrepr, tuple) and _WANTED.search(report.longrepr[2]):
        return f"skipped for want of tools: {tools.get()}", "s", "SKIPPED"
    return None


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol() -> Generator[None, Any, Any]:
    root = logging.getLogger()
    handlers, level, configuration = root.handlers[:], root.level, structlog.get_config()
    os.umask(mask := os.umask(0))
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()
        # A command that ran inside the test has sent the log to the test's output, which is closed now.
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**configuration)
        os.umask(mask)  # which each command narrows


def pytest_enter_pdb() -> None:
    faulthandler.cancel_dump_traceback_later()


@pytest.hookimpl(trylast=True)
def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """Set the process's end again, which pytest's own plugin has just taken away: a teardown may hang too."""
    if isinstance(node, pytest.Item) and not node.config.getoption("usepdb"):
        _end_process_in(node.config.getini("timeout_grace"), node.config)


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: pytest.Item, settings: Any) -> bool:
    """Fail the test at its limit; end the process where that does not help.

    The signal is enough for a main thread that waits. It is not for one inside C code that does not return, nor for a
    task that swallows its cancellation; then a thread of C prints the stacks and ends the process, and pytest-xdist
    names the test and goes on with another worker.
    """
    stderr = item.config.stash[_STDERR]

    def give_up(number: int, frame: FrameType | None) -> None:
        _print_stacks(stderr, item.nodeid)
        pytest.fail(f"The test took longer than {settings.timeout:g} s; every stack is printed on stderr.")

    signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, settings.timeout)
    _end_process_in(settings.timeout + item.config.getini("timeout_grace"), item.config)
    return True


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_cancel_timer() -> bool:
    """Stop the signal alone: pytest-timeout cancels after a failure, and what follows may hang too."""
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    return True


def _load_hypothesis_profile() -> None:
    """Load the profile of every property test that does not bound itself: the same examples each time, or many.

    An example has no deadline: on a busy machine it would be the machine's, and a whole test has its time limit.
    """
    hypothesis.settings.register_profile("sample", max_examples=40, derandomize=True, database=None, deadline=None)
    hypothesis.settings.register_profile("all", max_examples=500, deadline=None)
    hypothesis.settings.load_profile("all" if amount.all_of_it() else "sample")


def _print_stacks(stderr: int, test: str) -> None:
    with os.fdopen(os.dup(stderr), "w") as out:
        print(f"\nTime limit of {test}: every thread, then every asyncio task.", file=out, flush=True)
        faulthandler.dump_traceback(file=out, all_threads=True)
        try:
            tasks = asyncio.all_tasks()
        except RuntimeError:  # no loop runs in this thread
            return
        for task in tasks:
            task.print_stack(file=out)


def _end_process_in(seconds: float, config: pytest.Config) -> None:
    faulthandler.dump_traceback_later(seconds, exit=True, file=config.stash[_STDERR])


def _is_named(config: pytest.Config) -> bool:
    """Tell whether the run was given files or tests, or asked for those on a broker: who names one wants it."""
    if config.getoption("markexpr") == "zeebe":
        return True
    return any(config.invocation_params.dir.joinpath(arg.partition("::")[0]).is_file() for arg in config.args)


def _in_ci() -> bool:
    return run_variables.VALUES.get(CI) == "1"

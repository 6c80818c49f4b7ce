"""Workers are found by their modules, and one that is not built as it must be is refused with a sentence."""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from services.runtime.jobs.worker import Worker, WorkerError, choose, describe, discover

GOOD = """
from dataclasses import dataclass

JOB_TYPE = "{job_type}"
HEAVY = True
CONCURRENCY = 3

@dataclass(frozen=True)
class Open:
    application_id: str

async def handle(command: Open, clock) -> None:
    return None
"""


@dataclass(frozen=True)
class Command:
    application_id: str


Make = Callable[..., str]


@pytest.fixture
def make_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(**modules: str) -> str:
        package = tmp_path / "found_workers"
        package.mkdir()
        (package / "__init__.py").write_text("")
        for name, text in modules.items():
            (package / f"{name}.py").write_text(text)
        return "found_workers"

    yield make
    for name in [name for name in sys.modules if name.partition(".")[0] == "found_workers"]:
        del sys.modules[name]


def test_workers_are_found_sorted_and_helpers_are_left_out(make_package: Make) -> None:
    package = make_package(
        open_case=GOOD.format(job_type="open-case"), hand_over=GOOD.format(job_type="hand-over"), shared="LIMIT = 1"
    )

    workers = discover(package)

    assert [worker.job_type for worker in workers] == ["hand-over", "open-case"]
    assert (workers[0].heavy, workers[0].concurrency, workers[0].variables) == (True, 3, ("applicationId",))


def test_string_annotations_do_no_harm(make_package: Make) -> None:
    package = make_package(
        open_case="from __future__ import annotations\n" + GOOD.format(job_type="open-case"),
    )

    (worker,) = discover(package)

    assert worker.command.__name__ == "Open"
    assert worker.result is type(None)


def test_a_job_type_is_named_after_its_module(make_package: Make) -> None:
    package = make_package(open_case=GOOD.format(job_type="open-file"))

    with pytest.raises(WorkerError, match="its JOB_TYPE must be open-case"):
        discover(package)


def test_a_module_with_half_a_worker_is_refused(make_package: Make) -> None:
    package = make_package(open_case='JOB_TYPE = "open-case"')

    with pytest.raises(WorkerError, match="has only one of JOB_TYPE and handle"):
        discover(package)


async def _no_command() -> None: ...


async def _loose_command(command: dict[str, str]) -> None: ...


async def _no_result(command: Command): ...  # type: ignore[no-untyped-def]


def _blocking(command: Command) -> None: ...


@pytest.mark.parametrize(
    ("handle", "complaint"),
    [
        (_no_command, "must be a frozen dataclass"),
        (_loose_command, "must be a frozen dataclass"),
        (_no_result, "must say what it returns"),
        (_blocking, "must be an async function"),
    ],
)
def test_a_handler_of_another_shape_is_refused(handle: Callable[..., object], complaint: str) -> None:
    with pytest.raises(WorkerError, match=complaint):
        describe("open-case", handle)  # type: ignore[arg-type]


def _needing_clock() -> Worker:
    async def handle(command: Command, clock: object, tone: str = "plain") -> None: ...

    return describe("open-case", handle)


def test_dependencies_are_given_by_name_and_defaults_stand() -> None:
    assert _needing_clock().bind({"clock": 1, "vault": 2}) == {"clock": 1}
    assert _needing_clock().bind({"clock": 1, "tone": "loud"}) == {"clock": 1, "tone": "loud"}


def test_a_dependency_that_bootstrap_lacks_is_named() -> None:
    with pytest.raises(WorkerError, match=r"open-case needs clock: give it in services/app/container\.py by this name"):
        _needing_clock().bind({})


def test_an_unknown_job_type_is_answered_with_those_there_are() -> None:
    with pytest.raises(WorkerError, match=r"no worker does open-cas; there are: .*open-case"):
        choose(["open-review", "open-cas"])
    with pytest.raises(WorkerError, match="no worker does vault-actions; there are"):
        choose(["vault-actions"])  # a module that the workers share


def test_the_job_types_that_are_named_are_chosen_in_their_order() -> None:
    assert [worker.job_type for worker in choose(["open-review", "open-case"])] == ["open-review", "open-case"]

"""The engine on processes that nobody thought of, held to an interpreter of their blocks and to what always holds.

``make test-all`` takes sixty times as many, other ones in each run.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import amount
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from random_process import Choice, Event, EventSubprocess, Job, Process, Some, Throw
from random_process_drawn import processes
from random_process_records import check_flows, check_lives
from random_process_run import Engine, Run

from services.engine.state import store

_TWO_HANDLERS = Process(
    (Job("j1"),),
    (
        EventSubprocess("h2", Event("v3", "message"), (Job("j4"),)),
        EventSubprocess("h5", Event("v6", "signal"), (Job("j7"),)),
    ),
    {},
)
_ENDS_BEFORE_JOIN = Process(
    (
        Some(
            "i1",
            (
                (Job("j2"),),
                (Job("j3"),),
                (Job("j4"), Choice("g5", ((Job("j6"),), (Job("j7"), Throw("t8", "terminate", "", ends=True))))),
            ),
            joined=True,
        ),
        Job("j9"),
    ),
    (),
    {"x_i1": 2, "x_g5": 1},
)


@pytest.fixture(autouse=True, scope="module")
def same_keys() -> Iterator[None]:
    """Let all engines begin with one key, which in a new file is a number of its time: their records are compared."""
    with patch.object(store, "_choose_first_key", lambda: 2**51):
        yield


_PICKS = st.lists(st.integers(0, 99_999), max_size=30)


def _bounded(number: int) -> Callable[[Any], Any]:
    return settings(
        max_examples=amount.examples(sample=number // 3, full=20 * number),
        derandomize=not amount.all_of_it(),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )


@_bounded(60)
@given(processes(), _PICKS)
@example(_TWO_HANDLERS, [0])
@example(_ENDS_BEFORE_JOIN, [0])
def test_a_process_does_what_its_blocks_say_and_leaves_nothing_behind(process: Process, picks: list[int]) -> None:
    run = Run(process, picks)

    assert run.engine.left() == {}
    check_lives(run.engine.records)
    check_flows(run.engine.records, run.content)
    for key, root in run.begun:
        assert _variables(run, key) == root.variables


@_bounded(10)
@given(processes(), _PICKS, st.sets(st.integers(0, 30)) | st.just(set(range(200))))
def test_an_engine_restarted_between_two_steps_continues_the_same_way(
    process: Process, picks: list[int], restarts: set[int]
) -> None:
    run = Run(process, picks)

    with TemporaryDirectory() as folder:
        again = Engine(run.content, Path(folder))
        for number, act in enumerate(run.acts):
            if number in restarts:
                again.restart()
            again.apply(act)
        left = again.left()
        again.harness.store.close()

    assert (again.records, again.answers, left) == (run.engine.records, run.engine.answers, {})


@_bounded(25)
@given(processes(), _PICKS, st.lists(st.integers(1, 9), min_size=1))
def test_commands_do_the_same_together_as_one_by_one(process: Process, picks: list[int], sizes: list[int]) -> None:
    run = Run(process, picks)

    together = Engine(run.content)
    for group in run.groups(sizes):
        together.apply(*group)

    assert (together.records, together.answers) == (run.engine.records, run.engine.answers)


def _variables(run: Run, key: int) -> dict[str, Any]:
    """Of a process instance, as they were last."""
    return {
        r.value["name"]: json.loads(r.value["value"])
        for r in run.engine.records
        if r.value_type == "VARIABLE" and r.value["scopeKey"] == key
    }

"""Other processes help to recompute a long trail: they give what this one gives, and are not needed."""

import os
import sys
from collections import deque
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from trail import Trail

from services.keeping import trail_check, trail_helpers
from services.keeping.books import snapshot
from services.keeping.trail_parts import Part, Task, recompute_part
from services.vault.log_key import LogKey

pytestmark = pytest.mark.both_databases

TASKS = [Task(0, 4, [1, 4], 50), Task(4, 8, [8], 50), Task(8, 11, [10, 11], 50)]
FAULTS = [
    "event 6: its column subject_kind says 'another', its entry 'test'",
    "node 1 of level 2, over the events 5 to 8, is not what they give",
]


@pytest.fixture
def spoiled(any_database_url: str) -> Iterator[Trail]:
    """Eleven events; one of them and a node were changed."""
    trail = Trail(any_database_url, LogKey(Ed25519PrivateKey.generate()))
    trail.grow(11)
    trail.tamper(
        "UPDATE audit_events SET subject_kind = 'another' WHERE seq = 6",
        "UPDATE audit_nodes SET sha256 = :other WHERE level = 2 AND position = 1",
        other=b"x" * 32,
    )
    yield trail
    trail.register.close()


def processors(monkeypatch: pytest.MonkeyPatch, count: int, *, load: float) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)))
    monkeypatch.setattr(os, "getloadavg", lambda: (load, load, load))


@pytest.mark.requirement("R52")
def test_a_helper_gives_what_this_process_gives(spoiled: Trail) -> None:
    waiting, done = deque(TASKS), dict[int, Part]()
    with snapshot(spoiled.url) as connection:
        trail_helpers.help_with(connection, waiting, done)
        assert done == {task.start: recompute_part(connection, task) for task in TASKS}
    assert (done[4].faults, done[4].spoiled, done[0].faults, done[0].spoiled) == (FAULTS, True, [], False)


@pytest.mark.parametrize("code", ["raise SystemExit(1)", "input(); input(); print('{', end='')"], ids=["fails", "dies"])
def test_a_helper_that_fails_leaves_nothing_undone(spoiled: Trail, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    monkeypatch.setattr(trail_check, "LEVELS", 2)
    monkeypatch.setattr(trail_check, "WIDTH", 4)
    monkeypatch.setattr(trail_helpers, "HELPED_FROM", 1)
    monkeypatch.setattr(trail_helpers, "COMMAND", (sys.executable, "-I", "-c", code))
    processors(monkeypatch, 2, load=0.9)
    with snapshot(spoiled.url) as connection:
        done = trail_check.recompute(connection)
    assert (done.size, done.faults) == (11, FAULTS)


@pytest.mark.parametrize(
    ("parts", "count", "load", "wanted"),
    [
        (31, 8, 0.0, 0),
        (32, 1, 0.0, 0),
        (32, 2, 1.2, 1),
        (32, 2, 1.6, 0),
        (32, 2, 9.0, 0),
        (32, 4, 2.0, 2),
        (32, 64, 1, 3),
    ],
)
def test_a_long_trail_has_a_helper_for_each_processor_that_is_free(
    monkeypatch: pytest.MonkeyPatch, parts: int, count: int, load: float, wanted: int
) -> None:
    processors(monkeypatch, count, load=load)
    assert trail_helpers.helpers_for(parts) == wanted

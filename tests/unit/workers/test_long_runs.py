"""Runs that last for hours: their task is not late while they get on, and is while they stand still."""

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from services.evidence import maker as evidence_maker
from services.evidence.maker import PackageMaker, Reached
from services.runtime import metrics
from services.workers import detections, redactions
from services.workers.detections import DetectionMaker
from services.workers.redactions import RedactionMaker

LOOKS = 6  # each of them one more interval later
ORDER: Any = SimpleNamespace(attempt_id="attempt", recipe=None)


class Watched:
    """The database of a maker: at each look it sees whether the task has been given a sign of life since the last."""

    def __init__(self, task: str, *, moves: bool) -> None:
        self.alive: list[bool] = []
        self.over = asyncio.Event()
        self.reach: Callable[[int], None] = lambda _: None
        self._last_run, self._moves = metrics.PERIODIC_LAST_RUN.labels(task), moves
        self._last_run.set(0)

    async def run(self, *_: object) -> bool:
        self.alive.append(self._last_run._value.get() > 0)
        self._last_run.set(0)
        if self._moves:
            self.reach(len(self.alive))
        if len(self.alive) == LOOKS:
            self.over.set()
        await asyncio.sleep(0)
        return True


class Held:
    """A lease that nobody takes away."""

    def __init__(self, name: str) -> None:
        self.name = name

    async def hold(self) -> bool:
        return True


def derive(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Awaitable[object]:
    database: Any = watched

    async def store(_: object, __: object) -> None:
        await watched.over.wait()

    def progress_of(_: object, progress: Callable[[int, int], None]) -> object:
        watched.reach = lambda pictures: progress(pictures, 0)
        return None

    monkeypatch.setattr(redactions, "REPORT_EVERY", 0)
    monkeypatch.setattr(redactions, "Redaction", progress_of)
    maker = RedactionMaker(database, *[None] * 3, lease=Held("redactions"))  # type: ignore[arg-type]
    monkeypatch.setattr(maker, "_store_it", store)
    return maker._derive(ORDER)


def search(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Awaitable[object]:
    database: Any = watched

    async def look(_: object, __: object) -> None:
        await watched.over.wait()

    def progress_of(progress: Callable[[int, int], None]) -> object:
        watched.reach = lambda pictures: progress(pictures, 0)
        return None

    monkeypatch.setattr(detections, "REPORT_EVERY", 0)
    monkeypatch.setattr(detections, "Detection", progress_of)
    maker = DetectionMaker(database, *[None] * 2, lease=Held("detections"))  # type: ignore[arg-type]
    monkeypatch.setattr(maker, "_look", look)
    return maker._search(ORDER)


def pack(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> Awaitable[object]:
    database: Any = watched
    reached = Reached()

    def reach(done: int) -> None:
        reached.done = done

    async def over() -> bool:
        return await watched.over.wait()

    watched.reach = reach
    monkeypatch.setattr(evidence_maker, "REPORT_EVERY", 0)
    maker = PackageMaker(database, *[None] * 4, lease=Held("packages"))  # type: ignore[arg-type]
    return maker._watch(ORDER, reached, asyncio.create_task(over()))


MAKERS = {"redactions": derive, "detections": search, "packages": pack}


@pytest.mark.parametrize("task", MAKERS)
@pytest.mark.parametrize("moves", [True, False])
async def test_a_long_run_is_alive_while_it_gets_on(task: str, moves: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Watched(task, moves=moves)
    await MAKERS[task](watched, monkeypatch)
    assert watched.alive[0], "it has begun"
    assert watched.alive[1:LOOKS] == [moves] * (LOOKS - 1)

"""What is done every so often: its rhythm, what wakes it, and that a failure shows and ends nothing."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest
from background import going

from services.runtime import metrics, periodic
from services.runtime.errors import Retryable
from services.runtime.periodic import Periodic, keep_running, run_each

NEVER = timedelta(days=1)
PATIENCE = 10.0


def said(name: str, task: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(f"footage_desk_periodic_task_{name}", {"task": task})


class Turns:
    """An act that says when it was called, and that fails or has more to do as often as it is told."""

    def __init__(self, *answers: bool | BaseException) -> None:
        self._answers = list(answers)
        self._calls: asyncio.Queue[None] = asyncio.Queue()

    async def __call__(self) -> bool:
        self._calls.put_nowait(None)
        answer = self._answers.pop(0) if self._answers else False
        if isinstance(answer, BaseException):
            raise answer
        return answer

    async def heard(self, times: int = 1) -> None:
        async with asyncio.timeout(PATIENCE):
            for _ in range(times):
                await self._calls.get()

    async def quiet(self) -> bool:
        for _ in range(10):
            await asyncio.sleep(0)
        return self._calls.empty()


async def test_it_acts_at_once_and_again_after_its_period() -> None:
    turns = Turns()

    async with going(Periodic("again", timedelta(milliseconds=1), turns).run()):
        await turns.heard(3)


async def test_a_fault_of_one_act_keeps_none_of_the_others_from_being_run() -> None:
    before = said("failures_total", "several") or 0.0
    acts = [Turns(Retryable("a part is away")), Turns(True), Turns(ValueError("a defect"))]
    with pytest.raises(Retryable, match="a part is away"):
        await run_each("several", acts)
    for turns in acts:
        await turns.heard()
    assert said("failures_total", "several") == before + 1  # the second fault; whoever runs it counts the first

    assert await run_each("several", acts) == [False, False, False]


async def test_between_two_turns_it_waits_until_it_is_woken() -> None:
    turns = Turns()
    task = Periodic("woken", NEVER, turns)

    async with going(task.run()):
        await turns.heard()
        assert await turns.quiet()
        task.wake()
        await turns.heard()
        await asyncio.to_thread(task.wake)
        await turns.heard()


async def test_a_task_that_was_done_before_the_start_waits_first() -> None:
    turns = Turns()
    task = Periodic("later", NEVER, turns, at_once=False)

    async with going(task.run()):
        assert await turns.quiet()
        assert said("last_run_timestamp_seconds", "later"), "it is not late from the start"
        task.wake()
        await turns.heard()


async def test_what_is_left_undone_is_done_at_once() -> None:
    turns = Turns(True, True)

    async with going(Periodic("more", NEVER, turns).run()):
        await turns.heard(3)
        assert await turns.quiet()


@pytest.mark.parametrize(
    "error", [Retryable("the database is away"), ZeroDivisionError("a defect"), asyncio.CancelledError("a call's")]
)
async def test_a_turn_that_fails_is_counted_and_the_next_one_comes(error: Exception) -> None:
    name = f"fails-{type(error).__name__}"
    turns = Turns(error, error)
    task = Periodic(name, NEVER, turns)

    async with going(task.run()):
        began = said("last_run_timestamp_seconds", name)
        assert (began or 0) > 0
        for failures in (1, 2):
            await turns.heard()
            assert await turns.quiet()
            assert said("failures_total", name) == failures
            assert said("last_run_timestamp_seconds", name) == began
            task.wake()
        await turns.heard()
        assert await turns.quiet()

        assert said("failures_total", name) == 2
        assert (said("last_run_timestamp_seconds", name) or 0) > (began or 0)


async def test_after_a_failure_nothing_wakes_it_for_a_while() -> None:
    turns = Turns(Retryable("away"))
    task = Periodic("pause", NEVER, turns, pause=NEVER)

    async with going(task.run()):
        await turns.heard()
        task.wake()
        assert await turns.quiet()


async def test_its_series_are_there_before_the_first_turn_ends() -> None:
    begun, never = asyncio.Event(), asyncio.Event()

    async def hang() -> None:
        begun.set()
        await never.wait()

    async with going(Periodic("hangs", timedelta(minutes=5), hang).run()):
        async with asyncio.timeout(PATIENCE):
            await begun.wait()
        assert said("interval_seconds", "hangs") == 300
        assert said("failures_total", "hangs") == 0
        assert (said("last_run_timestamp_seconds", "hangs") or 0) > 0


@pytest.mark.parametrize("steps", range(5))
@pytest.mark.parametrize("act", [Turns(), Turns(*[ZeroDivisionError()] * 9)], ids=["waits", "fails"])
async def test_a_cancellation_ends_it_whatever_it_meets(act: Callable[[], Awaitable[bool]], steps: int) -> None:
    task = Periodic("ends", NEVER, act)
    running = asyncio.create_task(task.run())
    await asyncio.sleep(0)
    task.wake()
    for _ in range(steps):
        await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait({running}, timeout=1)

    ended = running.cancelled()
    running.cancel()  # one that went on would hold up the end of the test
    assert ended


def test_one_that_does_not_run_is_woken_in_vain() -> None:
    Periodic("idle", NEVER, Turns()).wake()


async def test_each_failure_in_a_row_doubles_the_pause_up_to_half_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    paused: list[float] = []

    async def sleep(seconds: float) -> None:
        paused.append(seconds)

    turns = Turns(*[Retryable("away")] * 7, False, Retryable("away"))
    task = Periodic("backs-off", timedelta(), turns, pause=timedelta(seconds=1))
    monkeypatch.setattr(periodic.asyncio, "sleep", sleep)
    for _ in range(9):
        await task._run_once()
    assert paused == [1, 2, 4, 8, 16, 30, 30, 1]


@pytest.mark.parametrize("error", [ZeroDivisionError("a defect"), asyncio.CancelledError("a call's")])
async def test_background_work_that_ends_in_an_error_is_counted_and_begun_again(
    error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(periodic, "AGAIN_AFTER", 0.0)
    name = f"work-{type(error).__name__}"
    turns = Turns(error, error)

    async def work() -> None:
        await turns()

    await keep_running(name, work)
    await turns.heard(3)
    assert said("failures_total", name) == 2


async def test_background_work_ends_with_its_process() -> None:
    never, begun = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await never.wait()

    working = asyncio.create_task(keep_running("ends-too", work))
    await begun.wait()
    working.cancel()
    await asyncio.wait({working})
    assert working.cancelled()
    assert said("failures_total", "ends-too") is None

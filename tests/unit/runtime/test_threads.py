"""Blocking work: bounded, off the loop, and never left behind by a cancelled caller."""

import asyncio
import threading

import anyio
import pytest

from services.runtime.threads import DEFAULT_THREADS, run_in_thread, thread_limiter


async def test_it_answers_with_what_the_function_returns_or_raises() -> None:
    assert await run_in_thread(lambda first, *, second: (first, second), 1, second=2) == (1, 2)
    with pytest.raises(KeyError):
        await run_in_thread({}.__getitem__, "missing")


async def test_no_more_threads_run_than_the_limiter_has_tokens() -> None:
    thread_limiter().total_tokens = 2
    full, release = threading.Semaphore(0), threading.Event()

    def wait() -> None:
        full.release()
        release.wait(10)

    async with anyio.create_task_group() as group:
        for _ in range(5):
            group.start_soon(run_in_thread, wait)
        # Two have started; they hold every token, so the other three wait.
        for _ in range(2):
            assert await asyncio.to_thread(full.acquire, timeout=10)
        statistics = thread_limiter().statistics()
        release.set()

    assert (statistics.borrowed_tokens, statistics.tasks_waiting) == (2, 3)


async def test_a_cancelled_caller_waits_for_its_thread() -> None:
    started, release, ended = asyncio.Event(), threading.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def work() -> None:
        loop.call_soon_threadsafe(started.set)
        release.wait(10)
        ended.set()

    async with anyio.create_task_group() as group:
        group.start_soon(run_in_thread, work)
        await started.wait()
        group.cancel_scope.cancel()
        release.set()

    assert ended.is_set()


async def test_every_loop_has_a_limiter_of_its_own() -> None:
    thread_limiter().total_tokens = 1

    async def tokens() -> float:
        return thread_limiter().total_tokens

    assert await asyncio.to_thread(lambda: asyncio.run(tokens())) == DEFAULT_THREADS

"""Run blocking work in our own threads, not the loop's default pool (docs/zeebe.md, trap 7).

Every event loop has one limiter, so a burst of jobs queues here instead of starting a thread each.
"""

import math
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import anyio
import anyio.to_thread
from anyio.lowlevel import RunVar

P = ParamSpec("P")
R = TypeVar("R")

DEFAULT_THREADS = 8

_limiter: RunVar[anyio.CapacityLimiter] = RunVar("footage_desk_threads")
_unlimited: RunVar[anyio.CapacityLimiter] = RunVar("footage_desk_own_threads")


def thread_limiter() -> anyio.CapacityLimiter:
    """Return this event loop's limiter; set ``total_tokens`` on it to change how many threads may run."""
    return _limiter_of(_limiter, DEFAULT_THREADS)


def _limiter_of(variable: RunVar[anyio.CapacityLimiter], tokens: float) -> anyio.CapacityLimiter:
    try:
        return variable.get()
    except LookupError:
        limiter = anyio.CapacityLimiter(tokens)
        variable.set(limiter)
        return limiter


async def run_in_thread(function: Callable[P, R], *arguments: P.args, **named: P.kwargs) -> R:
    """Call ``function`` in a thread and wait for it.

    A cancelled caller waits until the thread has ended, so that its files and sessions are free again.
    """

    def call() -> R:
        return function(*arguments, **named)

    return await anyio.to_thread.run_sync(call, limiter=thread_limiter())


async def run_in_own_thread(call: Callable[[], R], *, abandon: bool = False) -> R:
    """Call it in a thread that no limit holds back: how many there may be, the caller has counted.

    A cancelled caller waits for its end, unless it may ``abandon`` it.
    """
    return await anyio.to_thread.run_sync(call, limiter=_limiter_of(_unlimited, math.inf), abandon_on_cancel=abandon)

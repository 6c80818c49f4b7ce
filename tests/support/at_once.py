"""Acts that are begun at the same moment."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from services.runtime.errors import Fatal, Refused, Retryable


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each act answered or raised, each in a thread of its own."""
    barrier = Barrier(len(acts))

    def run(act: Callable[[], Any]) -> Any:
        barrier.wait()
        try:
            return act()
        except (Refused, Fatal, Retryable) as error:
            return error

    with ThreadPoolExecutor(len(acts)) as threads:
        return list(threads.map(run, acts))

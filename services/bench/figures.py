"""What a benchmark tells: median seconds of its own work and of its peer's, and the ratio that machines share."""

import statistics
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any

MIB = 1 << 20


@dataclass(frozen=True)
class Peer:
    """The least that the same work could cost here."""

    what: str
    seconds: Sequence[float]


def told(bench: str, seconds: Sequence[float], peer: Peer, **figures: Any) -> dict[str, Any]:
    """The benchmark's result as JSON values; ``seconds`` has one measurement for each run."""
    own, other = statistics.median(seconds), statistics.median(peer.seconds)
    return {
        "bench": bench,
        "runs": len(seconds),
        "seconds": round(own, 4),
        "peer": {"what": peer.what, "seconds": round(other, 4)},
        "ratio": round(own / other, 2),
        **{name: round(value, 2) if isinstance(value, float) else value for name, value in figures.items()},
    }


async def timed(work: Callable[[], Coroutine[Any, Any, None]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


def timed_now(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

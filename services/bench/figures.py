"""The result of a benchmark: median seconds of our work and of the peer's, and their ratio."""

import re
import statistics
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.runtime.errors import Fatal

MIB = 1 << 20
GIB = 1 << 30
HOUR = 3600


_SIZE = re.compile(r"(\d+)\s*(MiB|GiB|M|G)", re.IGNORECASE)


def size_of(text: str) -> int:
    """Parse a size such as 256MiB or 1GiB into bytes; raises Fatal."""
    match = _SIZE.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise Fatal(f"{text} is not a size: write one such as 256MiB or 1GiB.")
    return int(match[1]) * (GIB if match[2].upper().startswith("G") else MIB)


@dataclass(frozen=True)
class Peer:
    """The measurements of the peer, which does only the bare work."""

    what: str
    seconds: Sequence[float]


def report(
    bench: str,
    seconds: Sequence[float],
    peer: Peer | None,
    *,
    faster: bool = False,
    of_peer: Mapping[str, float] | None = None,
    **figures: Any,
) -> dict[str, Any]:
    """Return the benchmark's result as JSON values; ``seconds`` has one measurement for each run.

    ``ratio`` is our time divided by the peer's, or with ``faster`` the peer's time divided by ours.
    """
    own = statistics.median(seconds)
    comparison: dict[str, Any] = {"peer": None, "ratio": None}
    if peer is not None:
        other = statistics.median(peer.seconds)
        ratio = other / own if faster else own / other
        comparison = {
            "peer": {"what": peer.what, "seconds": round(other, 4), **_rounded(of_peer or {})},
            "ratio": round(ratio, 2),
        }
    return {"bench": bench, "runs": len(seconds), "seconds": round(own, 4), **comparison, **_rounded(figures)}


def _rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in figures.items()}


async def timed(work: Callable[[], Coroutine[Any, Any, None]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


def timed_sync(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

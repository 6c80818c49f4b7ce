"""What a benchmark tells: median seconds of its own work and of its peer's, and the ratio that machines share."""

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
    """The bytes that a text such as 256MiB or 1GiB means; raises Fatal."""
    found = _SIZE.fullmatch(text.strip())
    if found is None or not int(found[1]):
        raise Fatal(f"{text} is no size: write one such as 256MiB or 1GiB.")
    return int(found[1]) * (GIB if found[2].upper().startswith("G") else MIB)


@dataclass(frozen=True)
class Peer:
    """The least that the same work could cost here."""

    what: str
    seconds: Sequence[float]


def told(
    bench: str,
    seconds: Sequence[float],
    peer: Peer | None,
    *,
    faster: bool = False,
    of_peer: Mapping[str, float] | None = None,
    **figures: Any,
) -> dict[str, Any]:
    """The benchmark's result as JSON values; ``seconds`` has one measurement for each run.

    ``ratio`` is how many times as long as the peer ours takes, or with ``faster`` how many times as fast it is.
    """
    own = statistics.median(seconds)
    beside: dict[str, Any] = {"peer": None, "ratio": None}
    if peer is not None:
        other = statistics.median(peer.seconds)
        ratio = other / own if faster else own / other
        beside = {
            "peer": {"what": peer.what, "seconds": round(other, 4), **_rounded(of_peer or {})},
            "ratio": round(ratio, 2),
        }
    return {"bench": bench, "runs": len(seconds), "seconds": round(own, 4), **beside, **_rounded(figures)}


def _rounded(figures: Mapping[str, Any]) -> dict[str, Any]:
    return {name: round(value, 2) if isinstance(value, float) else value for name, value in figures.items()}


async def timed(work: Callable[[], Coroutine[Any, Any, None]]) -> float:
    started = time.perf_counter()
    await work()
    return time.perf_counter() - started


def timed_now(work: Callable[[], None]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started

"""The same golden scenario on our engine and on another: where they differ, and how far they were compared."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from golden_gateway import GatewayEngine
from golden_steps import Engine, Steps

from services.engine.clock import SystemClock
from services.engine.server import EngineServer

ABSENT = "(absent)"
_START_SECONDS = 30
_MOST = 20  # differences that are told of one scenario


@dataclass(frozen=True)
class Difference:
    """``where`` begins with the step or the instance."""

    where: str
    ours: Any
    theirs: Any

    def __str__(self) -> str:
        return f"  {self.where}\n    ours:   {_short(self.ours)}\n    theirs: {_short(self.theirs)}"


@dataclass(frozen=True)
class Comparison:
    """``partly`` says how far it went, and is empty where everything was compared."""

    scenario: str
    differences: list[Difference]
    partly: str

    def __str__(self) -> str:
        told = "\n".join(str(difference) for difference in self.differences[:_MOST])
        more = len(self.differences) - _MOST
        return f"{self.scenario}\n{told}" + (f"\n  and {more} more" if more > 0 else "")


def compare(folder: Path, ours: Engine, theirs: Engine, kind: type[Steps] = Steps) -> Comparison:
    """Run a scenario on both. What both told is compared: the answers step by step, and the outcome."""
    sides = [kind(folder, ours), kind(folder, theirs)]
    mine, other = (side.run() for side in sides)
    for side in sides:
        side.clean_up()
    pairs = zip(mine.pop("steps"), other.pop("steps"), strict=False)
    found = [d for a, b in pairs for d in _differences(f"step {a['step']} ({a['do']})", a, b)]
    stopped = next((side.stopped for side in sides if side.stopped), "")
    if "instances" in mine and "instances" in other:
        found += _differences("", mine, other)
    elif not stopped:
        stopped = "the answers alone: there are no records"
    return Comparison(folder.name, found, stopped)


def _differences(where: str, ours: Any, theirs: Any) -> Iterator[Difference]:
    if ours == theirs:
        return
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted({*ours, *theirs}):
            yield from _differences(f"{where} {key}".strip(), ours.get(key, ABSENT), theirs.get(key, ABSENT))
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for number, (mine, other) in enumerate(zip(ours, theirs, strict=True), 1):
            yield from _differences(f"{where} [{number}]", mine, other)
    elif isinstance(ours, list) and isinstance(theirs, list):
        yield Difference(f"{where}, on one side only", _without(ours, theirs), _without(theirs, ours))
    else:
        yield Difference(where, ours, theirs)


def _without(these: list[Any], those: list[Any]) -> list[Any]:
    left = list(those)
    return [one for one in these if one not in left or left.remove(one)]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 300 else f"{text[:300]} …"


@contextmanager
def own_engine(folder: Path) -> Iterator[tuple[str, str, Path]]:
    """Gateway, clock and record file of an engine of ours that runs beside, in a thread."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, name="own-engine")
    thread.start()
    records = folder / "records.jsonl"
    server = EngineServer(
        None, SystemClock(), "127.0.0.1:0", records=records, management="127.0.0.1:0", controlled_clock=True
    )
    try:
        address = asyncio.run_coroutine_threadsafe(server.start(), loop).result(_START_SECONDS)
        try:
            yield address, f"http://{server.management_address}/actuator/clock", records
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result(_START_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def own_side(folder: Path) -> Iterator[GatewayEngine]:
    """Such an engine, ready for scenarios."""
    with own_engine(folder) as (address, clock, records):
        side = GatewayEngine(address, clock, records, barriers=1)
        yield side
        side.close()

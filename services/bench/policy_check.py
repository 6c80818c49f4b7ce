"""Check the shipped models against the policy's rules; there is no peer that walks BPMN models on their engine."""

import time
from pathlib import Path
from typing import Any

from services.bench.figures import report
from services.designers.policy_check.check import check
from services.runtime.errors import Fatal
from services.runtime.jobs.worker import discover


def measure(models: Path, *, items: int, runs: int) -> dict[str, Any]:
    """Check the models of the folder ``runs`` times; raises Fatal where a check is not clean."""
    workers, seconds = discover(), []
    for _ in range(runs):
        begun = time.perf_counter()
        found = check(models, workers, items=items)
        seconds.append(time.perf_counter() - begun)
        if found.exit_code:
            raise Fatal(
                f"could not measure the policy check | {models} | it is {found.exit_code.name.lower()} | "
                "see footage-desk policy check"
            )
    rate = found.moves / min(seconds)
    return report(
        "policy-check", seconds, None, items=items, states=found.states, moves=found.moves, moves_per_second=rate
    )

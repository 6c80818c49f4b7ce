"""Engine, two portals and two workers of each job type, killed one by one at points of a seed's choice.

Every act of a person is done at both portals at once. ``make chaos SEED=7`` takes other seeds.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import amount
import chaos_truth
import pytest
from chaos_apart import ApartRun

pytestmark = [pytest.mark.postgres, pytest.mark.s3, pytest.mark.timeout(900)]

# A handful of points for each seed; so many seeds go once around all of them.
SHARES = 96
SEEDS = amount.seeds(sample=[1], full=range(1, SHARES + 1))
FEWEST = 3


@pytest.mark.requirement("R35", "R36", "R40")
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_case_has_each_effect_once_however_often_its_parts_are_killed(
    seed: int, postgres_database: Callable[[], str], s3_server: Any, tmp_path: Path, key: str
) -> None:
    given: dict[str, Any] = {"database_url": postgres_database()}
    for group in ("store", "replica"):
        place = s3_server.place("")
        given |= {
            f"{group}.endpoint": place.endpoint,
            f"{group}.access_key": place.access_key,
            f"{group}.secret_key": place.secret_key,
            f"{group}.secure": False,
            f"{group}.prefix": f"{group}-{key.partition('/')[0]}",
        }
    run = ApartRun(tmp_path, given=given)
    run.prepare(seed, SHARES)
    await run.to_the_end([])
    assert len(run.struck) >= FEWEST, f"seed {seed} killed at {run.struck} only"
    container = run.container()
    run.settle(container)
    wrong = chaos_truth.archived(container, run.application_id, run.answered, reminders=0)
    container.database.close()
    assert not wrong, f"seed {seed}\n" + "\n".join(wrong) + f"\n{run.report()}"

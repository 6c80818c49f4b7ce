"""Engine, two portals and two workers of each job type, killed one by one at points of a seed's choice.

Every act of a person is done at both portals at once. ``make chaos SEED=7`` takes other seeds.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import chaos_truth
import pytest
from chaos_apart import ApartRun
from chaos_plan import Share, is_whole, shares, unstruck

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.s3, pytest.mark.timeout(1800)]

SHARES = shares(sample=96, full=16)
FEWEST = 3
STRUCK: dict[Share, list[str]] = {}

MakeDatabase = Callable[..., str]


@pytest.mark.requirement("R35", "R36", "R40")
@pytest.mark.parametrize("share", SHARES, ids=str)
async def test_a_case_has_each_effect_once_however_often_its_parts_are_killed(
    share: Share, postgres_database: MakeDatabase, s3_server: Any, tmp_path: Path, key: str
) -> None:
    run = await play(share, postgres_database, s3_server, tmp_path, key)
    assert len(run.struck) >= FEWEST, f"{share} killed at {run.struck} only"
    STRUCK[share] = run.struck


@pytest.mark.long
async def test_some_seed_kills_around_every_act_of_a_case_that_nobody_disturbs(
    postgres_database: MakeDatabase, s3_server: Any, tmp_path: Path, key: str
) -> None:
    if not is_whole(STRUCK):
        pytest.skip("not all seeds ran before this")
    run = await play(None, postgres_database, s3_server, tmp_path, key)
    assert unstruck(run.visits, STRUCK.values()) == set()


async def play(
    share: Share | None, postgres_database: MakeDatabase, s3_server: Any, folder: Path, key: str
) -> ApartRun:
    """A case to its end, in a database and stores of its own; fails where anything is wrong afterwards."""
    given: dict[str, Any] = {"database_url": postgres_database(migrated=True)}
    for group in ("store", "replica"):
        place = s3_server.place("")
        given |= {
            f"{group}.endpoint": place.endpoint,
            f"{group}.access_key": place.access_key,
            f"{group}.secret_key": place.secret_key,
            f"{group}.secure": False,
            f"{group}.prefix": f"{group}-{key.partition('/')[0]}",
        }
    run = ApartRun(folder, given=given)
    run.prepare()
    await run.to_the_end(share)
    container = run.container()
    run.settle(container)
    wrong = chaos_truth.archived(container, run.application_id, run.answered, chaos_truth.Ends(reminders=0))
    container.database.close()
    assert not wrong, f"{share}\n" + "\n".join(wrong) + f"\n{run.report()}"
    return run

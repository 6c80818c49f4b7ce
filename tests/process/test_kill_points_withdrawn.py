"""A case that is withdrawn during retrieval, on a server that is killed at points of a seed's choice.

``make chaos SEED=7`` takes other points.
"""

import shutil
from pathlib import Path

import chaos_truth
import pytest
from chaos_driver import Run
from chaos_plan import Share, is_whole, shares, unstruck
from chaos_server import settings

from services.app.container import open_container

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SHARES = shares(sample=64, full=8)
# When masters are there and a reviewer looks at what is missing, or else while the footage is being retrieved.
LATE, EARLY = ("partial-footage",), (None, "partial-footage")
FEWEST = 2
STRUCK: dict[Share, list[str]] = {}


async def withdraw(folder: Path, share: Share | None, when: tuple[str | None, ...]) -> Run:
    run = Run(folder, withdraw_at=lambda stands: stands["stateDetail"] in when)
    await run.to_the_end(share)
    wrong = chaos_truth.withdrawn(open_container(settings(folder)), run.application_id)
    assert not wrong, f"{share}\n" + "\n".join(wrong) + f"\n{run.report()}"
    shutil.rmtree(folder / "data")
    return run


@pytest.mark.requirement("R36")
@pytest.mark.parametrize("share", SHARES, ids=str)
async def test_locked_masters_alone_are_left_of_a_case_withdrawn_with_masters_however_often_it_is_killed(
    share: Share, tmp_path: Path
) -> None:
    run = await withdraw(tmp_path, share, LATE)
    assert len(run.struck) >= FEWEST, f"{share} killed at {run.struck} only"
    STRUCK[share] = run.struck


@pytest.mark.requirement("R36")
@pytest.mark.parametrize("share", SHARES, ids=str)
async def test_locked_masters_alone_are_left_of_a_case_withdrawn_during_retrieval_however_often_it_is_killed(
    share: Share, tmp_path: Path
) -> None:
    run = await withdraw(tmp_path, share, EARLY)
    assert run.struck


@pytest.mark.long
async def test_some_seed_kills_around_every_act_of_a_withdrawal_that_nobody_disturbs(tmp_path: Path) -> None:
    if not is_whole(STRUCK):
        pytest.skip("not all seeds ran before this")
    run = await withdraw(tmp_path, None, LATE)
    assert unstruck(run.visits, STRUCK.values()) == set()

"""A loan with an extension, a problem report and a violation, on a server that is killed at points of a seed's choice.

``make chaos SEED=7`` takes other points.
"""

import shutil
from pathlib import Path

import chaos_truth
import pytest
from chaos_matters import MattersRun
from chaos_plan import Share, is_whole, shares, unstruck
from chaos_server import settings

from services.app.container import open_container

pytestmark = pytest.mark.timeout(900)

SHARES = shares(sample=96, full=16)
STAGES = ("extension", "management", "problem", "violation-security")
ENDS = {"extension": "applied", "problem": "answered", "violation": "upheld"}
FEWEST = 3
STRUCK: dict[Share, list[str]] = {}


async def play(folder: Path, share: Share | None) -> MattersRun:
    run = MattersRun(folder)
    await run.to_the_end(share)
    container = open_container(settings(folder))
    wrong = chaos_truth.archived(container, run.application_id, run.answered, more_stages=STAGES)
    wrong += chaos_truth.matters_ended(open_container(settings(folder)), run.application_id, ENDS)
    assert not wrong, f"{share}\n" + "\n".join(wrong) + f"\n{run.report()}"
    shutil.rmtree(folder / "data")
    return run


@pytest.mark.requirement("R44", "R49", "R65", "R66")
@pytest.mark.parametrize("share", SHARES, ids=str)
async def test_matters_of_a_loan_come_to_their_ends_once_however_often_the_server_is_killed(
    share: Share, tmp_path: Path
) -> None:
    run = await play(tmp_path, share)
    assert len(run.struck) >= FEWEST, f"{share} killed at {run.struck} only"
    STRUCK[share] = run.struck


@pytest.mark.long
async def test_some_seed_kills_around_every_act_of_matters_that_nobody_disturbs(tmp_path: Path) -> None:
    if not is_whole(STRUCK):
        pytest.skip("not all seeds ran before this")
    run = await play(tmp_path, None)
    assert unstruck(run.visits, STRUCK.values()) == set()

"""A server that is killed at points of a seed's choice, again and again, and a case that ends as if nothing had been.

The points of a seed are the same in every run; ``make chaos SEED=7`` takes others.
"""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import chaos_truth
import pytest
from chaos_driver import Run
from chaos_plan import Share, is_whole, shares, unstruck
from chaos_server import settings

from services.app.container import open_container
from services.demo import proof

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

SHARES = shares(sample=96, full=16)
FEWEST = 3
STRUCK: dict[Share, list[str]] = {}


@pytest.mark.requirement("R35", "R36", "R40")
@pytest.mark.parametrize("share", SHARES, ids=str)
async def test_a_case_ends_in_the_archive_however_often_the_server_is_killed(share: Share, tmp_path: Path) -> None:
    run = Run(tmp_path, before_return=copies_are_the_recorders(tmp_path))
    await run.to_the_end(share)
    assert len(run.struck) >= FEWEST, f"{share} killed at {run.struck} only"
    wrong = chaos_truth.archived(open_container(settings(tmp_path)), run.application_id, run.answered)
    assert not wrong, f"{share}\n" + "\n".join(wrong) + f"\n{run.report()}"
    STRUCK[share] = run.struck
    shutil.rmtree(tmp_path / "data")


@pytest.mark.long
async def test_some_seed_kills_around_every_act_of_a_case_that_nobody_disturbs(tmp_path: Path) -> None:
    if not is_whole(STRUCK):
        pytest.skip("not all seeds ran before this")
    run = Run(tmp_path)
    await run.to_the_end(None)
    assert chaos_truth.archived(open_container(settings(tmp_path)), run.application_id, run.answered) == []
    assert unstruck(run.visits, STRUCK.values()) == set()


def test_each_of_200_seeds_chooses_other_points_and_a_division_each_point_once() -> None:
    points = [f"{when} act {number}#1" for number in range(300) for when in ("before", "after")]
    chosen = [frozenset(point for point in points if point in Share(seed, 16)) for seed in range(1, 201)]

    assert len(set(chosen)) == 200
    for first in (0, 16, 32):
        assert sorted(point for share in chosen[first : first + 16] for point in share) == sorted(points)


def copies_are_the_recorders(folder: Path) -> Callable[[str], Awaitable[None]]:
    """Looks at the copies while the custodian has them: packets, keys, hashes, coverage."""

    async def look(application_id: str) -> None:
        container = open_container(settings(folder))
        copies = proof.issued_copies(container, application_id, container.settings.data_dir / "recordings")
        assert len(copies) == 2
        checks = await anyio.to_thread.run_sync(proof.while_out, container, copies)
        container.database.close()
        failed = [f"{check.what}: {check.found}" for check in checks if not check.held]
        assert not failed, "\n".join(failed)

    return look

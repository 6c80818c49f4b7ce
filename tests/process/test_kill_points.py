"""A server that is killed at points of a seed's choice, again and again, and a case that ends as if nothing had been.

The points of a seed are the same in every run; ``make chaos SEED=7`` takes others.
"""

import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import amount
import anyio
import chaos_truth
import pytest
import pytest_asyncio
from chaos_driver import Run
from chaos_plan import choose, points_of
from chaos_server import settings

from services.app.container import open_container
from services.demo import proof

pytestmark = pytest.mark.timeout(900)

# Some seven points for each seed; so many seeds go once around all of them.
SHARES, WITHDRAWN_SHARES = 64, 32
SEEDS = amount.seeds(sample=[1], full=range(1, SHARES + 1))
WITHDRAWN_SEEDS = amount.seeds(sample=[1], full=range(1, WITHDRAWN_SHARES + 1))


def withdraw_when(seed: int) -> Callable[[dict[str, Any]], bool]:
    """Before anything is retrieved, or when masters are there and a reviewer looks at what is missing."""
    wanted = (None, "partial-footage") if seed % 2 else ("partial-footage",)
    return lambda stands: stands["stateDetail"] in wanted


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The points of a case that nobody disturbs, which has to end well too."""
    run = Run(tmp_path_factory.mktemp("undisturbed"))
    await run.to_the_end([])
    assert chaos_truth.archived(open_container(settings(run.folder)), run.application_id, run.answered) == []
    return points_of(run.folder / "visits.txt")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def undisturbed_withdrawal(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    run = Run(tmp_path_factory.mktemp("withdrawal"), withdraw_at=withdraw_when(0))
    await run.to_the_end([])
    assert chaos_truth.withdrawn(open_container(settings(run.folder)), run.application_id) == []
    return points_of(run.folder / "visits.txt")


@pytest.mark.requirement("R35", "R36", "R40")
@pytest.mark.parametrize("seed", SEEDS)
async def test_a_case_ends_in_the_archive_however_often_the_server_is_killed(
    seed: int, undisturbed: list[str], tmp_path: Path
) -> None:
    run = Run(tmp_path, before_return=copies_are_the_recorders(tmp_path))
    plan = choose(undisturbed, seed, SHARES)
    await run.to_the_end(plan)
    assert len(run.struck) >= len(plan) // 2, f"seed {seed} killed at {run.struck} only, of {plan}"
    wrong = chaos_truth.archived(open_container(settings(tmp_path)), run.application_id, run.answered)
    assert not wrong, f"seed {seed}\n" + "\n".join(wrong) + f"\n{run.report()}"
    shutil.rmtree(tmp_path / "data")


@pytest.mark.requirement("R36")
@pytest.mark.parametrize("seed", WITHDRAWN_SEEDS)
async def test_nothing_is_left_of_a_case_that_was_withdrawn_during_retrieval_however_often_the_server_is_killed(
    seed: int, undisturbed_withdrawal: list[str], tmp_path: Path
) -> None:
    run = Run(tmp_path, withdraw_at=withdraw_when(seed))
    plan = choose(undisturbed_withdrawal, seed, WITHDRAWN_SHARES)
    await run.to_the_end(plan)
    assert run.struck, f"seed {seed} killed at none of {plan}"
    wrong = chaos_truth.withdrawn(open_container(settings(tmp_path)), run.application_id)
    assert not wrong, f"seed {seed}\n" + "\n".join(wrong) + f"\n{run.report()}"
    shutil.rmtree(tmp_path / "data")


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

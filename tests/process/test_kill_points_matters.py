"""A case with matters of its own, on a server that is killed at points of a seed's choice.

One division of seeds plays one course of matters (``chaos_matters.COURSES``), from where its matters begin: the main
job before is undisturbed, and is laid out once for all seeds. What all courses have in common, the plan of the main job
strikes more often. ``make chaos SEED=7`` takes other points.
"""

from pathlib import Path

import pytest
from chaos_beginnings import forget
from chaos_matters import COURSES, Course, MattersRun, course_of
from chaos_plan import FEW, Share, shares, unstruck
from chaos_server import settings

from services.app.container import open_container

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

IN_ALL = 4  # shares of each division
# The seed of a sample plays the first course; all of them are as many divisions as there are courses.
SHARES = shares(sample=64, full=IN_ALL, divisions=len(COURSES), visits=FEW)
FEWEST = 3
STRUCK: dict[Share, list[str]] = {}


async def play(folder: Path, share: Share | None, course: Course) -> MattersRun:
    run = MattersRun(folder, course=course)
    await run.to_the_end(share)
    wrong = course.wrong(open_container(settings(folder)), run)
    assert not wrong, f"{share}\n" + "\n".join(wrong) + f"\n{run.report()}"
    forget(folder)
    return run


@pytest.mark.requirement("R44", "R49", "R65", "R66")
@pytest.mark.parametrize("share", SHARES, ids=lambda share: f"{course_of(share)}-{share}")
async def test_matters_of_a_loan_come_to_their_ends_once_however_often_the_server_is_killed(
    share: Share, tmp_path: Path
) -> None:
    run = await play(tmp_path, share, course_of(share))
    assert len(run.struck) >= FEWEST, f"{share} killed at {run.struck} only"
    STRUCK[share] = run.struck


@pytest.mark.long
@pytest.mark.parametrize("course", COURSES, ids=str)
async def test_some_seed_kills_around_every_act_of_matters_that_nobody_disturbs(course: Course, tmp_path: Path) -> None:
    struck = [points for share, points in STRUCK.items() if course_of(share) is course]
    if len(struck) < IN_ALL:
        pytest.skip("not all seeds ran before this")
    run = await play(tmp_path, None, course)
    assert unstruck(run.visits, struck) == set()

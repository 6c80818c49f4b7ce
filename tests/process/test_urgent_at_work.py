"""An urgent retrieval on the engine: seen and approved, refused, too late, not released, and decided before."""

import pytest
from case_people import People
from urgent_case import call, release, shown

from services.database.tables.emergency_views import EmergencyCopy
from services.database.tables.matters import Matter
from services.database.tables.violations import Violation

pytestmark = [pytest.mark.slow, pytest.mark.zeebe]


async def ended(desk: People, matter_id: str, closed_as: str) -> None:
    await desk.until(lambda _: desk.rows(Matter, id=matter_id)[0].closed_at, "the end of the matter")
    assert desk.rows(Matter, id=matter_id)[0].closed_as == closed_as
    await desk.quiet()
    assert not desk.trace.incidents


@pytest.mark.requirement("R2")
async def test_what_was_seen_urgently_is_approved_afterwards(desk: People) -> None:
    case, matter_id = await shown(desk)

    for stage in ("preliminary", "security", "security-signature"):
        await desk.decide(case, stage)

    await ended(desk, matter_id, "ratified")
    assert all(copy.discarded_at for copy in desk.rows(EmergencyCopy))
    assert not desk.rows(Violation)


@pytest.mark.requirement("R2", "R65")
async def test_what_nobody_approves_in_time_is_a_violation(desk: People) -> None:
    _, matter_id = await shown(desk)

    await desk.turn(days=2)

    await ended(desk, matter_id, "not-ratified")
    assert [row.kind for row in desk.rows(Violation)] == ["urgent-not-ratified"]


@pytest.mark.requirement("R2", "R65")
async def test_what_is_refused_is_a_violation(desk: People) -> None:
    case, matter_id = await shown(desk)

    await desk.decide(case, "preliminary", "rejected")

    await ended(desk, matter_id, "not-ratified")
    assert [row.kind for row in desk.rows(Violation)] == ["urgent-not-ratified"]


@pytest.mark.requirement("R2")
async def test_what_is_not_released_goes_the_ordinary_way(desk: People) -> None:
    case, matter_id = await call(desk)

    await release(desk, matter_id, "rejected")

    await ended(desk, matter_id, "refused")
    assert await desk.review(case, "preliminary")


@pytest.mark.requirement("R2")
async def test_a_refusal_before_the_release_ends_the_call(desk: People) -> None:
    case, matter_id = await call(desk)

    await desk.decide(case, "preliminary", "rejected")

    await ended(desk, matter_id, "moot")

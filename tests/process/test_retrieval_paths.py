"""Retrieval: what the recorder has, what it has lost meanwhile, and what happens while it cannot be reached."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from case_people import OpenDesk, People
from sqlalchemy import update
from test_reissued_copies import check_package
from test_whole_case import packets, truth

from services.database.tables.cameras import Camera
from services.database.tables.copies import Copy
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.preservations import Preservation
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import Finding, Review
from services.database.unit_of_work import UnitOfWork

pytestmark = pytest.mark.slow


def outcomes(desk: People, case: str) -> list[str]:
    return [item.outcome for item in desk.items(case)]


def retrieval(desk: People) -> ProcessStep:
    """The one step that retrieves footage."""
    [step] = [one for one in desk.rows(ProcessStep) if one.element_id == "Task_RetrieveFootage"]
    return step


@pytest.mark.zeebe
@pytest.mark.requirement("R35")
async def test_of_three_items_one_is_missing_and_one_partial_and_the_rest_is_accepted(desk: People) -> None:
    case = await desk.apply("cam1", "yard", "dark")

    await desk.reach(case, "partial-footage")

    whole, partial, missing = desk.items(case)
    assert outcomes(desk, case) == ["complete", "partial", "missing"]
    lacks = desk.footage.gap.end - desk.footage.gap.start
    asked = desk.footage.asked.end - desk.footage.asked.start
    assert partial.coverage == pytest.approx(1 - lacks / asked, abs=0.02)
    assert (whole.coverage, missing.coverage) == (1.0, 0.0)
    records = {one.item_id for one in desk.rows(Document, kind="retrieval-record")}
    assert records == {whole.id, partial.id, missing.id}

    await desk.accept(case)
    assert {copy.item_id for copy in desk.rows(Copy)} == {whole.id, partial.id}
    await desk.returned(case)


@pytest.mark.zeebe
@pytest.mark.requirement("R35")
async def test_partial_footage_that_does_not_serve_is_not_handed_out(desk: People) -> None:
    case = await desk.apply("cam1", "yard", "dark")

    await desk.reach(case, "partial-footage")
    await desk.decide(case, "partial-footage", "rejected", answers={"serves-purpose": False})

    await desk.closed(case, "footage-unavailable")
    assert desk.rows(Copy) == []


@pytest.mark.zeebe
@pytest.mark.requirement("R35")
async def test_nothing_was_recorded_at_all(desk: People) -> None:
    case = await desk.apply("dark")

    await desk.reach(case, "storage-release")
    await desk.decide(case, "storage-release")

    await desk.closed(case, "footage-unavailable")
    assert outcomes(desk, case) == ["missing"]
    assert len(desk.rows(Document, kind="retrieval-record")) == 1


@pytest.mark.zeebe
@pytest.mark.requirement("R35")
async def test_what_is_no_footage_is_unreadable(desk: People) -> None:
    case = await desk.apply("torn", "dark")

    await desk.reach(case, "storage-release")
    await desk.decide(case, "storage-release")

    await desk.closed(case, "footage-unavailable")
    assert outcomes(desk, case) == ["unreadable", "missing"]


async def test_a_recorder_that_is_away_for_a_night_needs_nobody(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.reach(case, "storage-release")

    async with desk.recorder_down():
        await desk.decide(case, "storage-release")
        for _ in range(12):
            await desk.turn(hours=1)
        assert {one["retries"] for one in desk.trace.failed("retrieve-footage")} <= {5}
        step = retrieval(desk)
        assert (step.attempts > 5, step.waiting_for) == (True, "recorder")
        assert step.next_try_at is not None
        assert step.next_try_at - desk.clock.now() > timedelta(minutes=3)
        assert not desk.trace.incidents

    await desk.turn(minutes=10)
    await desk.accept(case)
    assert outcomes(desk, case) == ["complete"]
    await desk.returned(case)


async def test_a_recorder_that_is_down_for_too_long_is_an_incident_that_goes_on_when_it_is_back(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.reach(case, "storage-release")

    async with desk.recorder_down():
        await desk.decide(case, "storage-release")
        for _ in range(5):
            await desk.turn(hours=6)
        incident = await desk.incident("Task_RetrieveFootage")

    failures = desk.trace.failed("retrieve-footage")
    assert [one["retries"] for one in failures][-1] == 0
    assert "it was waited for since" in incident.text
    assert "set retries and resolve the incident" in incident.text
    assert desk.rows(Master) == []

    await desk.resolve(incident)
    await desk.accept(case)
    assert outcomes(desk, case) == ["complete"]
    await desk.returned(case)


@pytest.mark.requirement("R34", refuses=True)
async def test_the_footage_of_another_camera_is_an_incident_that_goes_on_when_it_is_put_right(desk: People) -> None:
    desk.look(expect, "gate", "0" * 64)
    case = await desk.apply("gate")

    await desk.reach(case, "storage-release")
    await desk.decide(case, "storage-release")
    incident = await desk.incident("Task_RetrieveFootage")

    assert "is not from the camera that is known there" in incident.text
    assert (desk.rows(Master), outcomes(desk, case)) == ([], [None])

    desk.look(expect, "gate", None)
    await desk.resolve(incident)
    await desk.accept(case)
    assert outcomes(desk, case) == ["complete"]
    await desk.returned(case)


@pytest.mark.zeebe
@pytest.mark.requirement("R6", "R35")
async def test_a_segment_that_ends_too_early_is_partial_and_never_complete(desk: People) -> None:
    case = await desk.apply("gate")
    _, torn, _ = sorted(desk.recordings_of("gate"))[-3:]
    content = torn.read_bytes()
    torn.unlink()  # the files are links to footage that other tests use
    torn.write_bytes(content[: len(content) * 2 // 3])

    await desk.reach(case, "partial-footage")

    [item] = desk.items(case)
    assert item.outcome == "partial"
    assert 0 < item.coverage < 1
    await desk.accept(case)
    await desk.returned(case)


async def test_a_recorder_that_comes_back_in_time_needs_nobody(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.reach(case, "storage-release")

    async with desk.recorder_down():
        await desk.decide(case, "storage-release")
        await desk.turn(seconds=3)
    await desk.turn(minutes=10)

    await desk.accept(case)
    assert (retrieval(desk).attempts > 1, desk.trace.incidents) == (True, {})
    await desk.returned(case)


@pytest.mark.zeebe
@pytest.mark.requirement("R31")
async def test_what_is_always_preserved_is_released_when_the_copies_are_back(a_desk: OpenDesk) -> None:
    async with a_desk(rules={"preservation": "always"}) as desk:
        case = await desk.apply("cam1", "gate")
        await desk.until(lambda _: len(desk.rows(Preservation)) == 2, "the preservation")
        for preservation in desk.rows(Preservation):
            assert desk.container.store.stat("quarantine", preservation.sealed["key"]).legal_hold

        await desk.accept(case)
        assert {master.origin for master in desk.rows(Master)} == {"recorder"}
        await desk.returned(case)


@pytest.mark.zeebe
async def test_only_what_is_at_risk_is_preserved(desk: People) -> None:
    desk.look(soon_overwritten, "gate")
    case = await desk.apply("cam1", "gate")

    await desk.until(lambda _: desk.rows(Preservation), "the preservation")
    await desk.decide(case, "preliminary", "rejected")

    await desk.closed(case, "rejected")
    [preservation] = desk.rows(Preservation)
    assert preservation.item_id == desk.items(case)[1].id


@pytest.mark.zeebe
async def test_never_preserves_nothing(a_desk: OpenDesk) -> None:
    async with a_desk(rules={"preservation": "never"}) as desk:
        desk.look(soon_overwritten, "gate")
        case = await desk.apply("gate")

        await desk.accept(case)

        assert desk.rows(Preservation) == []
        await desk.returned(case)


def expect(uow: UnitOfWork, channel: str, fingerprint: str | None) -> None:
    """What the camera's footage is known by."""
    uow.session.execute(update(Camera).where(Camera.channel == channel).values(fingerprint=fingerprint))


def soon_overwritten(uow: UnitOfWork, channel: str) -> None:
    """The camera keeps its footage for a day only."""
    uow.session.execute(update(Camera).where(Camera.channel == channel).values(retention_days=1))


@pytest.mark.zeebe
@pytest.mark.requirement("R31")
async def test_what_the_recorder_lost_meanwhile_comes_whole_from_the_quarantine(a_desk: OpenDesk) -> None:
    async with a_desk(rules={"preservation": "always"}) as desk:
        case = await desk.apply("cam1", "gate")
        await desk.until(lambda _: len(desk.rows(Preservation)) == 2, "the preservation")
        for path in desk.recordings_of("gate"):
            path.unlink()

        await desk.accept(case)

        by_item = {master.item_id: master for master in desk.rows(Master)}
        first, second = desk.items(case)
        assert by_item[first.id].origin == "recorder"
        assert by_item[second.id].origin == "quarantine"
        kept = next(one for one in desk.rows(Preservation) if one.item_id == second.id)
        assert by_item[second.id].sealed["sha256Cipher"] == kept.sealed["sha256Cipher"]
        assert outcomes(desk, case) == ["complete", "complete"]
        await desk.returned(case)


@pytest.mark.requirement("R31")
async def test_preservation_goes_by_a_recorder_that_is_down_and_is_caught_up_later(
    a_desk: OpenDesk,
) -> None:
    async with a_desk(rules={"preservation": "always"}) as desk:
        async with desk.recorder_down():
            case = await desk.apply("cam1")
            await desk.review(case, "preliminary")
            await desk.quiet()
            assert desk.rows(Preservation) == []
            assert desk.events("preservation-failed")
            assert desk.notices("hutao", "preservation-failed")

        await desk.turn(minutes=2)
        await desk.until(lambda _: desk.rows(Preservation), "the preservation while the review goes on")
        await desk.accept(case)
        await desk.returned(case)


@pytest.mark.zeebe
async def test_a_correction_preserves_what_the_new_scope_needs(a_desk: OpenDesk) -> None:
    async with a_desk(rules={"preservation": "always"}) as desk:
        case = await desk.apply("cam1")
        await desk.decide(case, "preliminary", "returned")
        await desk.correct(case, "cam1", "gate")

        await desk.until(lambda _: len(desk.rows(Preservation)) == 2, "the second preservation")
        await desk.accept(case)
        await desk.returned(case)
        assert len(desk.rows(Review, stage="preliminary")) == 2


@pytest.mark.requirement("R1", "R40")
async def test_footage_beyond_the_recorders_retention_is_lent_again_from_the_archive(
    desk: People, tmp_path: Path
) -> None:
    first = await desk.apply("cam1")
    await desk.accept(first)
    await desk.returned(first)
    await desk.turn(days=60)
    for path in desk.recordings_of("cam1"):
        path.unlink()

    case = await desk.apply("cam1")
    await desk.accept(case)

    found = {one.code: one for one in desk.rows(Finding, application_id=case)}
    assert "100" in found["footage-archived"].zh
    [form] = [json.loads(one.content) for one in desk.rows(Document, application_id=case, kind="application-form")]
    assert "footage-archived" not in json.dumps(form)
    [copy], [master] = desk.rows(Copy, application_id=case), desk.rows(Master, application_id=case)
    assert (master.origin, outcomes(desk, case)) == ("archive", ["complete"])
    assert packets(desk, copy) == truth(desk, "cam1")
    await desk.returned(case)
    assert len([one for one in desk.rows(Master) if one.archived_at is not None]) == 2
    await check_package(desk, case, tmp_path)

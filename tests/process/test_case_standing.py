"""Where a case stands, in every state that it can be in: what is marked in its process, and since when."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from case_people import CUSTODIAN, DRAFTER, People
from demo_container import Places
from sqlalchemy import select, update
from whole_desk import open_desk
from whole_footage import MADE_FOR

from services.app.container import models
from services.database.tables.people import Post
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import Review
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo.organisation import demo_id
from services.domain.applications import service as application_service
from services.domain.cases import rows as case_rows
from services.domain.cases import timeline
from services.domain.cases.schemas.timeline import Timeline
from services.domain.cases.stage_times import list_stage_times
from services.domain.process import steps
from services.domain.process.model_library import ModelLibrary
from services.runtime.jobs.worker import discover
from services.runtime.models import read

pytestmark = pytest.mark.slow

MODELS = ModelLibrary(read(path for path in models() if path.suffix == ".bpmn"))
SECURITY = "wulei"


def stands(desk: People, case: str, review: str | None = None) -> Timeline:
    def look(uow: UnitOfWork) -> Timeline:
        uow.actor = Actor("person", demo_id(SECURITY))
        rows = case_rows.of_case(uow, case)
        return timeline.of_rows(rows, MODELS) if review is None else timeline.review_of_rows(rows, review, MODELS)

    return desk.look(look)


def here(found: Timeline) -> dict[str, str]:
    return {marker.element_id: marker.kind for marker in found.here}


def passed(found: Timeline) -> set[str]:
    return {marker.element_id for marker in found.markers if marker.kind == "passed"}


def marked(found: Timeline) -> dict[str, Any]:
    return {marker.element_id: marker for marker in found.markers}


@pytest.mark.requirement("R2", verb="recorded")
async def test_each_stage_of_a_case_is_marked_while_it_waits_and_passed_afterwards(desk: People) -> None:
    case = await desk.apply("cam1", "gate", important_information=True)
    calls = {
        "preliminary": ("Call_DepartmentDecides", "Phase_Approval"),
        "security": ("Call_SecurityDecides", "Phase_Approval"),
        "security-signature": ("Call_HeadOfSecuritySigns", "Phase_Approval"),
        "management": ("Call_ManagementDecides", "Phase_Approval"),
        "storage-release": ("Call_StorageReleases", "Phase_Retrieval"),
        "receipt": ("Call_CustodianAccepts", "Phase_Custody"),
    }
    seen: list[str] = []
    for stage, (call, phase) in calls.items():
        await desk.reach(case, stage)
        await desk.quiet()
        found = stands(desk, case)

        assert here(found) == {call: "waiting"}
        assert marked(found)[phase].here
        assert set(seen) <= passed(found)
        assert not set(MODELS[found.process_id].elements) - set(marked(found)) & set(seen)
        seen.append(call)
    await desk.accept(case)
    found = stands(desk, case)
    assert here(found) == {"Task_AwaitReturn": "waiting"}
    assert {"Task_RetrieveFootage", "Task_BackUpFootage", "Task_EncryptCopy", "Phase_Retrieval"} <= passed(found)
    assert marked(found)["Task_RetrieveFootage"].times == 2

    await desk.turn(days=11)
    found = stands(desk, case)
    assert here(found) == {"Task_AwaitReturn": "waiting"}
    assert {"Task_RemindReturn", "Event_ReminderDue", "Task_SuspendAccess"} <= passed(found)
    assert marked(found)["Task_AwaitReturn"].seconds >= timedelta(days=11).total_seconds()

    await desk.give_back(case)
    await desk.review(case, "return-inspection")
    await desk.quiet()
    found = stands(desk, case)
    assert here(found) == {"Call_InspectorDecides": "waiting"}
    assert "Phase_Custody" in passed(found)

    await desk.decide(case, "return-inspection")
    await desk.closed(case, "footage-re-archived")
    found = stands(desk, case)
    assert here(found) == {}
    assert {"Event_FootageReArchived", "Event_Submitted", "Event_ReturnClosed", "Task_ReArchive"} <= passed(found)
    assert not {"Phase_Correction", "Event_CopyLost", "Task_ReleasePreservation", "Call_AcceptPartial"} & set(
        marked(found)
    )


async def test_the_elements_that_are_marked_are_those_that_the_engine_visited(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.accept(case)
    await desk.returned(case)

    found = stands(desk, case)

    visited = {element for element in desk.trace.elements if element in MODELS[found.process_id].elements}
    assert set(marked(found)) <= visited
    # what is left plain of a straight way takes no time: gateways and the ends of phases
    assert {MODELS[found.process_id].elements[one].kind for one in visited - set(marked(found))} <= {
        "exclusiveGateway",
        "endEvent",
    }


async def test_a_returned_application_waits_for_its_correction_and_counts_its_rounds(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.decide(case, "preliminary", "returned")
    await desk.quiet()
    assert here(stands(desk, case)) == {"Task_AwaitCorrection": "waiting"}

    await desk.turn(days=1)
    await desk.correct(case, "cam1")
    await desk.review(case, "preliminary")
    await desk.quiet()

    found = stands(desk, case)
    assert here(found) == {"Call_DepartmentDecides": "waiting"}
    assert marked(found)["Call_DepartmentDecides"].times == 2
    correction = marked(found)["Task_AwaitCorrection"]
    assert (correction.times, correction.seconds) == (1, timedelta(days=1).total_seconds())


async def test_an_incomplete_application_waits_for_its_correction_too(desk: People) -> None:
    case = await desk.apply("cam1", purpose="短")
    await desk.until(lambda _: desk.application(case).correction_until, "the time to correct")
    await desk.quiet()

    assert here(stands(desk, case)) == {"Task_AwaitCorrection": "waiting"}

    await desk.turn(days=7, minutes=1)
    await desk.closed(case, "expired")
    found = stands(desk, case)
    assert here(found) == {}
    assert {"Event_ApplicationExpired", "Task_ExpireApplication", "Event_CorrectionPeriodOver"} <= passed(found)


@pytest.mark.parametrize(
    ("stage", "outcome", "closed_as", "end"),
    [
        ("preliminary", "rejected", "rejected", "Event_ApplicationRejected"),
        ("security", "rejected", "rejected", "Event_ApplicationRejected"),
        ("security-signature", "refused", "rejected", "Event_ApplicationRejected"),
    ],
)
async def test_a_rejected_case_ends_where_the_model_says(
    desk: People, stage: str, outcome: str, closed_as: str, end: str
) -> None:
    case = await desk.apply("cam1")
    await desk.reach(case, stage)
    await desk.decide(case, stage, outcome)
    await desk.closed(case, closed_as)

    found = stands(desk, case)
    assert here(found) == {}
    assert {end, "Task_ReleasePreservation", "Phase_Approval"} <= passed(found)
    assert "Phase_Retrieval" not in marked(found)


async def test_a_withdrawn_case_is_nowhere_any_more(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.reach(case, "security")
    await desk.withdraw(case)
    await desk.closed(case, "withdrawn")

    found = stands(desk, case)
    assert here(found) == {}
    assert {"Event_ApplicationWithdrawn", "Gateway_NothingHandedOver", "Task_ReleasePreservation"} <= passed(found)
    assert all(marker.until is not None for marker in found.timed)


async def test_a_declined_hand_over_and_a_loss_end_where_the_model_says(desk: People) -> None:
    declined = await desk.apply("cam1")
    await desk.decline(declined)
    await desk.closed(declined, "copy-not-taken-up")
    lost = await desk.apply("cam1")
    await desk.accept(lost)
    await desk.report_loss(lost)
    await desk.closed(lost, "copy-lost")

    assert {"Event_CopyNotTakenUp", "Task_ReleaseNotTakenUp"} <= passed(stands(desk, declined))
    assert {"Event_CopyLost", "Event_LoanClosed", "Task_OpenLossViolation"} <= passed(stands(desk, lost))
    assert "Event_CopyReturned" not in marked(stands(desk, lost))


async def test_a_review_that_nobody_may_decide_is_shown_as_stuck(desk: People) -> None:
    def leave(uow: UnitOfWork, until: datetime | None) -> None:
        uow.session.execute(update(Post).where(Post.kind.in_(("head", "deputy"))).values(until=until))

    await desk.database.run(Actor("system", "test"), leave, desk.database.clock.now())
    case = await desk.apply("cam1")
    incident = await desk.incident("Task_OpenReview")
    await desk.until(
        lambda uow: uow.session.scalar(select(ProcessStep).where(ProcessStep.stuck_since.is_not(None))), "the stop"
    )
    await desk.quiet()
    assert here(stands(desk, case)) == {"Task_OpenReview": "stuck"}

    await desk.database.run(Actor("system", "test"), leave, None)
    await desk.resolve(incident)
    await desk.review(case, "preliminary")
    assert here(stands(desk, case)) == {"Call_DepartmentDecides": "waiting"}


async def test_a_job_that_no_try_can_do_is_marked_as_stuck(desk: People) -> None:
    async with desk.recorder_down():
        case = await desk.apply("cam1")
        await desk.reach(case, "storage-release")
        await desk.decide(case, "storage-release")
        await desk.turn(hours=1)
        await desk.quiet()
        waits = marked(stands(desk, case))["Task_RetrieveFootage"]
        assert (waits.kind, waits.standstill.part, waits.standstill.stopped) == ("working", "recorder", False)
        assert waits.standstill.since < waits.standstill.next_try_at < waits.standstill.until
        for _ in range(12):
            await desk.turn(hours=6)
            if desk.trace.incidents:
                break
        incident = await desk.incident("Task_RetrieveFootage")
        assert here(stands(desk, case)) == {"Task_RetrieveFootage": "stuck"}
        stopped = marked(stands(desk, case))["Task_RetrieveFootage"]
        assert stopped.attempts > 1
        assert (stopped.standstill.part, stopped.standstill.stopped) == ("recorder", True)

    await desk.turn(minutes=1)  # a silent recorder is asked again after half a minute
    await desk.resolve(incident)
    await desk.review(case, "receipt")
    await desk.quiet()
    assert here(stands(desk, case)) == {"Call_CustodianAccepts": "waiting"}


async def test_the_process_of_one_review_is_marked_by_itself(desk: People) -> None:
    case = await desk.apply("cam1")
    first = await desk.review(case, "preliminary")
    await desk.quiet()
    assert here(stands(desk, case, first.id)) == {"Task_AwaitDecision": "waiting"}

    await desk.turn(hours=25)
    found = stands(desk, case, first.id)
    assert {"Task_OpenReview", "Task_RemindReviewer", "Task_EscalateReview", "Event_ReviewLimitReached"} <= passed(
        found
    )

    await desk.decide(case, "preliminary")
    await desk.review(case, "security")
    found = stands(desk, case, first.id)
    assert here(found) == {}
    assert "Event_Decided" in passed(found)
    assert found.process_id == "review"


async def test_a_draft_has_no_steps_and_a_submission_waits_for_the_engine(desk: People) -> None:
    draft = await desk.as_person(DRAFTER, application_service.create_draft, desk.form("cam1"))

    def look(uow: UnitOfWork) -> Timeline:
        uow.actor = Actor("person", demo_id(DRAFTER))
        return timeline.of_rows(case_rows.of_case(uow, draft.id), MODELS)

    assert desk.look(look).markers == []


async def test_steps_are_not_doubled_by_a_second_run_of_every_job(places: Places) -> None:
    async with open_desk(People, places, moment=MADE_FOR, workers=discover()) as desk:
        case = await desk.apply("cam1")
        await desk.reach(case, "receipt")
        await desk.quiet()
        before = {row.element_instance_key: row.began_at for row in desk.rows(ProcessStep)}
        work = [
            steps.JobReference(row.element_instance_key, row.process_id, row.process_instance_key, row.element_id, case)
            for row in desk.rows(ProcessStep)
        ]
        await desk.turn(hours=1)
        for one in work:
            desk.look(steps.start, one)
            desk.look(steps.end, one, steps.COMPLETED)

        rows = desk.rows(ProcessStep)
        assert {row.element_instance_key: row.began_at for row in rows} == before
        assert all(row.ended_at is not None and row.outcome == "completed" for row in rows)
        assert {row.attempts for row in rows} == {2}


async def test_the_time_in_each_stage_is_counted_over_the_cases_that_one_sees(desk: People) -> None:
    for hours in (1, 2, 3):
        case = await desk.apply("cam1")
        await desk.review(case, "preliminary")
        await desk.turn(hours=hours)
        await desk.decide(case, "preliminary")
        await desk.review(case, "security")
    since, until = MADE_FOR - timedelta(days=1), MADE_FOR + timedelta(days=2)

    def look(uow: UnitOfWork, login: str) -> dict[str, Any]:
        uow.actor = Actor("person", demo_id(login))
        return {one.stage: one for one in list_stage_times(uow, MODELS, since, until)}

    found = desk.look(look, SECURITY)
    assert found["preliminary"].ended == 3
    assert found["preliminary"].median == 2 * 3600
    assert found["preliminary"].ninetieth == found["preliminary"].longest == 3 * 3600
    assert (found["security"].ended, found["security"].open) == (0, 3)
    assert desk.look(look, CUSTODIAN) == {}


async def test_everything_the_books_name_is_in_the_model(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.accept(case)
    await desk.returned(case)

    for row in desk.rows(ProcessStep):
        assert row.element_id in MODELS[row.process_id].elements
    stages = {one.stage for one in MODELS["video-retrieval"].elements.values()}
    assert {row.stage for row in desk.rows(Review)} <= stages

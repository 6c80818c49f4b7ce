"""The steps of a case: a job that the database refuses rewrites none, of its own case or of another."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from review_desk import NOON, ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.process_steps import ProcessStep
from services.domain.process import steps
from services.domain.process.steps import CANCELLED, COMPLETED, JobReference
from services.runtime.jobs.journal import Wait

OWN, FOREIGN = 1000, 4711


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def opened_case(desk: ReviewDesk, process_instance_key: int = OWN) -> str:
    application_id = desk.submitted()
    desk.classed(application_id, process_instance_key=process_instance_key)
    return application_id


def job(application_id: str, **changes: Any) -> JobReference:
    return replace(JobReference(10, "video-retrieval", OWN, "Task_FileApplication", application_id), **changes)


def rows(desk: ReviewDesk) -> list[dict[str, Any]]:
    columns = [column.name for column in ProcessStep.__table__.columns]
    return [{name: getattr(row, name) for name in columns} for row in desk.all(ProcessStep)]


def refused(desk: ReviewDesk, reference: JobReference, job_type: str = "file-application") -> None:
    desk.clock.turn(timedelta(minutes=1))
    desk.run(steps.start, reference)
    desk.run(steps.refuse, reference, job_type, "it was not allowed")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"element_id": "Task_Hostile"},
        {"process_id": "hostile"},
        {"process_instance_key": FOREIGN},
        {"application_id": "another case's"},
        {"application_id": "nothing"},
        {"application_id": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("ended", [True, False])
def test_a_refused_job_with_the_key_of_a_step_leaves_it_as_it_was(
    changes: dict[str, Any], ended: bool, desk: ReviewDesk
) -> None:
    case, other = opened_case(desk), opened_case(desk, FOREIGN)
    done = job(case)
    desk.run(steps.start, done)
    if ended:
        desk.run(steps.end, done, COMPLETED)
    before = rows(desk)

    refused(desk, replace(done, **{**changes, **({"application_id": other} if "another" in str(changes) else {})}))

    if changes or ended:
        assert rows(desk) == before
    else:
        [step] = rows(desk)
        assert step == {**before[0], "attempts": 2, "stuck_since": desk.clock.now()}


def test_a_flood_of_refused_jobs_leaves_one_step_that_is_stuck(desk: ReviewDesk) -> None:
    case = opened_case(desk)

    for key in range(20, 30):
        refused(desk, job(case, element_instance_key=key, element_id=f"Task_{key}"))
    for key in range(30, 40):
        refused(desk, job(case, element_instance_key=key, process_instance_key=FOREIGN), "hand-over")

    [step] = desk.all(ProcessStep)
    assert (step.element_instance_key, step.stuck_since) == (20, NOON + timedelta(minutes=1))
    assert len(desk.all(AuditEvent, action=steps.REFUSED)) == 2


def test_a_job_that_is_resolved_and_refused_again_is_stuck_again(desk: ReviewDesk) -> None:
    stuck = job(opened_case(desk))

    for _ in range(2):
        refused(desk, stuck)

    step = desk.the(ProcessStep)
    assert (step.attempts, step.stuck_since, step.ended_at) == (2, desk.clock.now(), None)


def test_a_job_that_the_engine_took_back_runs_again_and_one_that_was_completed_keeps_its_end(desk: ReviewDesk) -> None:
    case = opened_case(desk)
    taken_back, completed = job(case), job(case, element_instance_key=11)
    for one, outcome in ((taken_back, CANCELLED), (completed, COMPLETED)):
        desk.run(steps.start, one)
        desk.run(steps.end, one, outcome)
    desk.clock.turn(timedelta(minutes=1))

    for one in (taken_back, completed):
        desk.run(steps.start, one)

    found = {row.element_instance_key: (row.attempts, row.outcome, row.ended_at) for row in desk.all(ProcessStep)}
    assert found == {10: (2, None, None), 11: (2, COMPLETED, NOON)}


def test_a_step_that_waits_says_for_what_until_it_ends(desk: ReviewDesk) -> None:
    reference = job(opened_case(desk))
    begun = desk.run(steps.begin, reference)
    assert (begun.waiting_since, begun.recorded) == (None, True)
    since = desk.clock.now()
    wait = Wait("recorder", since, since + timedelta(minutes=5), since + timedelta(hours=24))
    desk.run(steps.wait, reference, wait)

    assert desk.run(steps.begin, reference).waiting_since == since  # also in another process, after a restart
    [row] = rows(desk)
    assert (row["waiting_for"], row["next_try_at"], row["waiting_until"]) == ("recorder", None, wait.until)

    desk.run(steps.wait, reference, None)
    begun = desk.run(steps.begin, reference)
    assert (begun.waiting_since, begun.recorded) == (None, True)
    desk.run(steps.wait, reference, wait)
    desk.run(steps.end, reference, COMPLETED)
    [row] = rows(desk)
    assert (row["outcome"], row["waiting_for"], row["waiting_since"]) == (COMPLETED, None, None)


def test_a_step_that_stopped_keeps_what_was_away_until_it_is_tried_again(desk: ReviewDesk) -> None:
    reference = job(opened_case(desk))
    desk.run(steps.start, reference)
    since = desk.clock.now()
    desk.run(steps.wait, reference, Wait("store", since, since, since))
    desk.run(steps.mark_stuck, reference)
    [row] = rows(desk)
    assert (row["waiting_for"], row["waiting_since"], row["stuck_since"]) == ("store", None, since)

    assert desk.run(steps.begin, reference).waiting_since is None  # the wait begins anew
    assert rows(desk)[0]["waiting_for"] is None

"""A case that is moved to another version while a job of it runs: the job's step goes on there (R2, F24)."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from review_desk import ReviewDesk

from services.database.tables.process_steps import ProcessStep
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import opening
from services.domain.process import running_cases, steps
from services.domain.process.deployed_models import ProcessVersion
from services.domain.process.steps import JobReference

FIRST, SECOND = ProcessVersion("video-retrieval", 1, 100), ProcessVersion("video-retrieval", 2, 200)


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


@pytest.mark.requirement("R2", verb="recorded")
def test_a_job_that_began_before_the_move_ends_its_step_after_it(desk: ReviewDesk) -> None:
    case = desk.submitted()
    desk.run(opening.open_case, case, 1000, FIRST)
    before = JobReference(1, "video-retrieval", 1000, "Task_Old", case, version=FIRST)
    other = JobReference(2, "video-retrieval", 1000, "Task_Ended", case, version=FIRST)
    desk.run(steps.start, before)
    desk.run(steps.start, other)
    desk.run(steps.end, other, steps.COMPLETED)

    def move(uow: UnitOfWork) -> None:
        [running] = running_cases.list_running(uow, case=case)
        running_cases.move_open_steps(uow, running, {"Task_Old": "Task_New", "Task_Ended": "Task_Else"}, SECOND)

    desk.run(move)
    desk.run(steps.end, before, steps.COMPLETED)

    found = desk.the(ProcessStep, element_instance_key=1)
    assert (found.element_id, found.process_version, found.outcome) == ("Task_New", 2, steps.COMPLETED)
    assert desk.the(ProcessStep, element_instance_key=2).element_id == "Task_Ended"


def test_a_job_of_another_element_and_the_same_version_does_not_end_it(desk: ReviewDesk) -> None:
    case = desk.submitted()
    desk.run(opening.open_case, case, 1000, FIRST)
    job = JobReference(1, "video-retrieval", 1000, "Task_Old", case, version=FIRST)
    desk.run(steps.start, job)
    desk.run(steps.end, replace(job, element_id="Task_New"), steps.COMPLETED)
    assert desk.the(ProcessStep, element_instance_key=1).ended_at is None

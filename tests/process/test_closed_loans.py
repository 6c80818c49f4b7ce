"""A loan that a message closes: the database refuses what it does not know, and the model goes by the outcome."""

import pytest
from case_people import OpenDesk, People
from pyzeebe.proto import gateway_pb2 as pb
from test_case_migration import _own_job

from services.domain.process.messages import LOAN_CLOSED
from services.runtime.jobs.worker import discover

pytestmark = pytest.mark.slow


async def close(desk: People, case: str, outcome: str) -> None:
    """Send the message as somebody does who has no right to."""
    await desk.publish(LOAN_CLOSED, str(desk.hand_over(case).id), "forged", loanOutcome=outcome)


@pytest.mark.zeebe
@pytest.mark.requirement("R42", "R44", "R57")
@pytest.mark.parametrize(
    ("outcome", "stops_at"),
    [("recalled", "Task_InspectReturn"), ("replace", "Task_OpenReview"), ("provided", "Task_ArchiveProvided")],
)
async def test_a_loan_that_only_a_message_has_closed_is_an_incident(desk: People, outcome: str, stops_at: str) -> None:
    case = await desk.apply("cam1")
    await desk.accept(case)
    keys = desk.loan_keys()

    await close(desk, case, outcome)

    await desk.incident(stops_at)
    assert desk.application(case).closed_at is None
    assert desk.hand_over(case).ended_at is None
    assert desk.loan_keys() == keys != set()
    assert len(desk.events("job-refused")) == 1


async def test_what_was_provided_ends_when_it_is_archived(a_desk: OpenDesk) -> None:
    async with a_desk(workers=[worker for worker in discover() if worker.job_type != "re-archive"]) as desk:
        case = await desk.apply("cam1")
        await desk.accept(case)

        await close(desk, case, "provided")
        key = await _own_job(desk, "re-archive")
        await desk.gateway.CompleteJob(pb.CompleteJobRequest(jobKey=key, variables="{}"))

        await desk.until(lambda _: desk.trace.elements["Event_FootageProvided"], "the end")
        assert not desk.trace.running

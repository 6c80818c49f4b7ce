"""What goes wrong between the parts: starts that come twice, messages without their variable, engines that are away."""

import pytest
from case_people import People
from pyzeebe.proto import gateway_pb2 as pb

from services.database.tables.applications import Application
from services.database.tables.people import Post
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.demo.organisation import demo_id
from services.domain.process import messages
from services.domain.reviews import ending
from services.runtime.channel import open_channel
from services.runtime.engine_client import PyzeebeEngineClient

pytestmark = pytest.mark.slow


@pytest.mark.zeebe
async def test_a_second_start_of_a_case_ends_silently(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.review(case, "preliminary")

    await desk.publish(messages.APPLICATION_SUBMITTED, case, applicationId=case)
    await desk.decide(case, "preliminary", "rejected")
    await desk.closed(case, "rejected")

    assert len(desk.rows(Review)) == 1
    assert len(desk.rows(Application)) == len(desk.events("case-opened")) == 1
    await desk.entered("Event_DuplicateIgnored")
    await desk.quiet()
    assert not desk.trace.running


async def test_a_decision_without_its_variable_is_an_incident_and_no_approval(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.reach(case, "security")
    review = await desk.review(case, "security")

    await desk.publish(messages.REVIEW_DECIDED, review.id, "forged")
    incident = await desk.incident("Gateway_SecurityDecision")

    await desk.quiet()
    if desk.engine is not None:  # a broker does not say how a process has ended
        await _look_for_ended_branches(desk, review.id)
    assert [one.stage for one in desk.rows(Review, closed_at=None)] == ["security"]
    assert [one.stage for one in desk.rows(Decision)] == ["preliminary"]

    await desk.decide(case, "security", "rejected")
    await desk.gateway.SetVariables(
        pb.SetVariablesRequest(elementInstanceKey=incident.scope_key, variables='{"decision": "rejected"}', local=False)
    )
    await desk.resolve(incident)
    await desk.closed(case, "rejected")


async def _look_for_ended_branches(desk: People, review_id: str) -> None:
    """Look as the portal does every few minutes, and before a decision."""
    await desk.turn(minutes=2)
    channel = open_channel(desk.settings, desk.addresses.engine)
    try:
        client = PyzeebeEngineClient(channel)
        assert await ending.EndedBranches(desk.database, client, desk.container.engine).close_ended() == []
        await ending.close_if_ended(desk.database, client, review_id, desk.container.engine)
    finally:
        await channel.close()


@pytest.mark.requirement("R26")
async def test_a_case_that_no_manager_may_decide_waits_until_one_is_named(desk: People) -> None:
    managers = tuple(demo_id(name) for name in ("gaofeng", "songtao", "lianghong"))
    case = await desk.apply("cam2", subject_ids=managers)
    await desk.reach(case, "security-signature")
    await desk.decide(case, "security-signature")

    incident = await desk.incident("Task_EscalateToManagement")
    assert "appoint another manager" in incident.text
    assert str(desk.application(case).number) in incident.text
    desk.look(name_manager, "yangfan")
    await desk.resolve(incident)

    assert desk.candidates(await desk.review(case, "management")) == ["yangfan"]
    await desk.decide(case, "management", "rejected")
    await desk.closed(case, "rejected")


async def test_a_case_can_be_withdrawn_out_of_an_incident(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.reach(case, "storage-release")
    async with desk.recorder_down():
        await desk.decide(case, "storage-release")
        for _ in range(5):
            await desk.turn(hours=6)
        await desk.incident("Task_RetrieveFootage")

        await desk.withdraw(case)

        await desk.closed(case, "withdrawn")


def name_manager(uow: UnitOfWork, login: str) -> None:
    uow.session.add(Post(person_id=demo_id(login), department_id=demo_id("legal"), kind="manager", since=uow.now))

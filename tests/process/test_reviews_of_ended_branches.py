"""A question whose branch the process has ended is asked no more: on the embedded engine at once."""

import shutil
from pathlib import Path

import pytest
from case_people import OpenDesk, People
from edited_models import Model, review

from services.app import deployments
from services.database.tables.reviews import Review
from services.domain.reviews import service as review_service
from services.domain.reviews.ending import EndedBranches
from services.domain.stages.catalogue import STAGES
from services.runtime.channel import open_channel
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.errors import Refused
from services.runtime.places import BPMN


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """The shipped models, but after two hours Security is asked anew, and the first question ends."""
    folder = Path(shutil.copytree(BPMN, tmp_path / "models"))
    model = Model(folder)
    model.timer_boundary("Event_TooLong", "Call_SecurityDecides", "timeDuration", "PT2H")
    model.add("Phase_Approval", review("Call_AskAnew", "security"))
    model.flow("Flow_TooLong", "Event_TooLong", "Call_AskAnew")
    model.flow("Flow_AskedAnew", "Call_AskAnew", "Gateway_SecurityDecision")
    model.save()
    return folder


async def decide(desk: People, one: Review, login: str) -> None:
    await desk.as_person(
        login,
        review_service.decide,
        one.id,
        outcome="approved",
        answers={question.code: True for question in STAGES["security"].questions},
        proof=desk.proof(one.application_id, login),
    )


@pytest.mark.requirement("R2", "R22", "R24", refuses=True)
async def test_a_question_whose_branch_was_interrupted_is_closed_and_decided_no_more(
    a_desk: OpenDesk, models: Path
) -> None:
    async with a_desk(models_dir=models) as desk:
        case = await desk.apply("cam1")
        first = await desk.reach(case, "security")
        [decider, *_] = desk.candidates(first)
        application = desk.application(case)
        assert application.process_version == 1
        assert application.model_sha256 == deployments.digests(models)["video-retrieval.bpmn"]

        await desk.turn(hours=3)
        await desk.until(lambda uow: uow.session.get_one(Review, first.id).closed_at, "the end of the question")

        [ended] = desk.rows(Review, id=first.id)
        assert ended.closed_because == "branch-ended"
        [anew] = await desk.until(lambda _: desk.rows(Review, closed_at=None), "the new question")
        assert anew.stage == "security"
        with pytest.raises(Refused, match="The process ended this question without an answer"):
            await decide(desk, first, decider)
        assert {notice.done_at is None for notice in desk.notices(decider, "review-opened")} == {False, True}

        channel = open_channel(desk.settings, desk.addresses.engine)
        try:  # as on a broker, which is asked for each open review
            assert await EndedBranches(desk.database, PyzeebeEngineClient(channel)).close_ended() == []
        finally:
            await channel.close()
        await desk.reach(case, "security-signature")

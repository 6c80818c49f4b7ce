"""Cases that began on the models of the release before end on them, or move to those of this one and end there."""

from pathlib import Path

import pytest
from case_people import OpenDesk, People
from test_case_migration import _deploy

from services.app import case_migration
from services.database.tables.outbox import OutboxMessage
from services.designers.policy_check.version_mapping import map_elements
from services.domain.cases.case_models import MAIN
from services.domain.process import messages
from services.engine.model.bpmn import Process
from services.engine.model.parse import parse_bpmn
from services.runtime.channel import open_channel
from services.runtime.migration import migrate
from services.runtime.places import BPMN

pytestmark = pytest.mark.slow

EARLIER = Path(__file__).parents[1] / "data" / "earlier-models"
SETTLED = dict.fromkeys((messages.LOAN_CLOSED, messages.COPY_LOST), "open-violation")


def main_process(folder: Path) -> Process:
    [process] = parse_bpmn((folder / f"{MAIN}.bpmn").read_bytes(), deployed=True)
    return process


def loss_messages(desk: People, case: str) -> dict[str, str | None]:
    """The messages of a loss, each with why it is sent no more."""
    return {
        row.name: row.settled_because for row in desk.rows(OutboxMessage, application_id=case) if row.name in SETTLED
    }


def test_a_loan_moves_and_a_case_before_its_hand_over_stays() -> None:
    ids = map_elements(main_process(EARLIER), main_process(BPMN))

    assert ids["Phase_Custody"] == "Phase_Custody"
    assert ids["Task_AwaitReturn"] == "Task_AwaitReturn"
    assert ids["Call_InspectorDecides"] == "Call_InspectorDecides"
    assert "Event_LossReported" not in ids  # awaited anew, by the new message
    # these lie in a subprocess now, and no engine moves an element into another scope
    assert not {"Phase_Approval", "Phase_Correction", "Phase_Retrieval", "Call_SecurityDecides"} & ids.keys()


@pytest.mark.requirement("R48")
async def test_a_loss_ends_a_case_of_either_model(a_desk: OpenDesk) -> None:
    async with a_desk(models_dir=EARLIER) as desk:
        stays, moves = [await desk.apply("cam1") for _ in range(2)]
        for case in (stays, moves):
            await desk.accept(case)

        await desk.report_loss(stays)
        await desk.closed(stays, "copy-lost")
        assert loss_messages(desk, stays) == SETTLED
        assert desk.trace.elements["Event_LossReported"] == 1

        version = await _deploy(desk, case_migration.target_of(BPMN))
        ids = map_elements(main_process(EARLIER), main_process(BPMN))
        channel = open_channel(desk.settings)
        await migrate(channel, desk.application(moves).process_instance_key or 0, version.definition_key, ids)
        await channel.close()
        await desk.report_loss(moves)
        await desk.closed(moves, "copy-lost")
        assert loss_messages(desk, moves) == SETTLED
        assert desk.trace.elements["Event_LoanClosed"] == 1


async def test_a_second_start_on_the_earlier_model_ends_silently(a_desk: OpenDesk) -> None:
    async with a_desk(models_dir=EARLIER) as desk:
        case = await desk.apply("cam1")
        await desk.review(case, "preliminary")

        await desk.publish(messages.APPLICATION_SUBMITTED, case, applicationId=case)
        await desk.decide(case, "preliminary", "rejected")
        await desk.closed(case, "rejected")

        assert desk.trace.elements["Event_DuplicateIgnored"] == 1
        assert not desk.trace.running

"""The attack as it was done, a model of one task from somebody who reaches the engine; and a receipt told late."""

import json
import re
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from case_people import CUSTODIAN, OpenDesk, People
from pyzeebe.proto import gateway_pb2 as pb
from sqlalchemy import select

from services.database.tables.copies import Copy, Grant
from services.database.tables.masters import Master
from services.database.tables.outbox import OutboxMessage
from services.database.tables.process_steps import ProcessStep
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import grants, hand_overs
from services.runtime import incidents, metrics
from services.runtime.places import BPMN

JOB = "release-preservation"
ONE_TASK = f"""<?xml version="1.0" encoding="UTF-8"?>
<definitions xmlns="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"
    targetNamespace="hostile">
  <process id="hostile" isExecutable="true">
    <startEvent id="start"><outgoing>in</outgoing></startEvent>
    <sequenceFlow id="in" sourceRef="start" targetRef="task" />
    <serviceTask id="task">
      <extensionElements><zeebe:taskDefinition type="{JOB}" retries="3" /></extensionElements>
      <incoming>in</incoming><outgoing>out</outgoing>
    </serviceTask>
    <sequenceFlow id="out" sourceRef="task" targetRef="end" />
    <endEvent id="end"><incoming>out</incoming></endEvent>
  </process>
</definitions>
"""


def refused() -> float:
    return metrics.JOBS_REFUSED.labels(JOB)._value.get()


async def attack(desk: People, **variables: Any) -> None:
    """Run a model that somebody has even brought on record: what is tried here is the register's own floor."""
    await desk.deploy_on_record(("hostile.bpmn", ONE_TASK.encode()))
    request = pb.CreateProcessInstanceRequest(bpmnProcessId="hostile", version=-1, variables=json.dumps(variables))
    await desk.gateway.CreateProcessInstance(request)
    await desk.quiet()


def vault(desk: People) -> list[tuple[str, str]]:
    return [(bucket, key) for bucket in ("masters", "copies") for key in desk.container.store.list_keys(bucket)]


@pytest.mark.requirement("R40", "R52", refuses=True)
async def test_a_model_of_somebody_elses_destroys_no_loan(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.accept(case)
    [copy], stored, keys, count = desk.rows(Copy), vault(desk), desk.loan_keys(), refused()
    steps = len(desk.rows(ProcessStep))

    for _ in range(2):
        await attack(desk, applicationId=case, closingOutcome="withdrawn")

    incident = await desk.incident("task")
    assert "its copies were accepted" in incident.text
    assert "docs/runbooks/job-not-permitted.md" in incident.text
    assert refused() == count + 2
    [event] = desk.events("job-refused")
    detail = json.loads(event.entry)["detail"]
    assert (event.subject_id, event.application_id) == (JOB, case)
    assert (detail["process"], detail["element"]) == ("hostile", "task")
    assert desk.application(case).closed_at is None
    assert (vault(desk), desk.loan_keys()) == (stored, keys)
    assert len(desk.rows(ProcessStep)) == steps
    await desk.as_person(CUSTODIAN, grants.check, copy.id, "view")


def accept_untold(uow: UnitOfWork, hand_over_id: str, **named: Any) -> None:
    """Accept, and let the process hear of it in an hour."""
    hand_overs.accept(uow, hand_over_id, **named)
    uow.session.flush()
    for message in uow.session.scalars(select(OutboxMessage).where(OutboxMessage.settled_at.is_(None))):
        message.next_at = uow.now + timedelta(hours=1)


async def accept_late(desk: People, case: str) -> str:
    """Sign the receipt two minutes before the time is over; the timer is faster than the message."""
    await desk.reach(case, "receipt")
    await desk.turn(days=6, hours=23, minutes=58)
    named = {"conditions_version": desk.database.rules.policy_version, "proof": desk.proof(case, CUSTODIAN)}
    hand_over_id = str(desk.hand_over(case).id)
    await desk.as_person(CUSTODIAN, accept_untold, hand_over_id, **named)
    await desk.turn(minutes=10)
    return hand_over_id


def is_lent(desk: People, case: str) -> bool:
    [copy] = desk.rows(Copy)
    [master] = desk.rows(Master)
    held = desk.application(case).closed_at is None and copy.discarded_at is None and master.discarded_at is None
    return held and desk.loan_keys() == {copy.id} and all(one.ended_at is None for one in desk.rows(Grant))


@pytest.mark.requirement("R46", "R49")
async def test_a_receipt_that_the_timer_overtakes_is_a_loan(desk: People) -> None:
    case = await desk.apply("cam1")

    await accept_late(desk, case)

    assert is_lent(desk, case)
    await desk.returned(case)


@pytest.mark.requirement("R46", refuses=True)
@pytest.mark.requirement("R49")
async def test_a_running_case_of_an_older_model_is_moved_to_its_use_period(a_desk: OpenDesk, tmp_path: Path) -> None:
    async with a_desk(models_dir=older_models(tmp_path / "older")) as desk:
        case = await desk.apply("cam1")
        hand_over_id = await accept_late(desk, case)
        incident = await desk.incident("Task_ReleaseNotTakenUp")
        assert f"handOverId {hand_over_id}" in incident.text
        assert is_lent(desk, case)

        [event] = desk.events("job-refused")
        detail = json.loads(event.entry)["detail"]
        due_at = desk.hand_over(case).due_at
        assert due_at is not None
        async with grpc.aio.insecure_channel(desk.addresses.engine) as channel:
            await incidents.modify(
                channel,
                int(detail["process_instance"]),
                "Phase_UsePeriod",
                int(detail["element_instance"]),
                {"handOverId": hand_over_id, "dueAt": due_at.strftime("%Y-%m-%dT%H:%M:%SZ")},
            )
        await desk.quiet()

        assert is_lent(desk, case)
        await desk.returned(case)


def older_models(folder: Path) -> Path:
    """The models as they were before the timer looked into the database."""
    shutil.copytree(BPMN, folder)
    path = folder / "video-retrieval.bpmn"
    text = path.read_text(encoding="utf-8")
    for element in ("serviceTask", "exclusiveGateway"):
        names = "Task_ExpireOffer|Gateway_AcceptedMeanwhile"
        text = re.sub(rf'<bpmn:{element} id="({names})".*?</bpmn:{element}>', "", text, flags=re.DOTALL)
    text = re.sub(r'<bpmn:sequenceFlow id="Flow_OfferChecked"[^>]*/>', "", text)
    flows = "Flow_AcceptedMeanwhile|Flow_NotAccepted"
    text = re.sub(rf'<bpmn:sequenceFlow id="({flows})".*?</bpmn:sequenceFlow>', "", text, flags=re.DOTALL)
    text = re.sub(r"<bpmn:incoming>Flow_AcceptedMeanwhile</bpmn:incoming>", "", text)
    text = text.replace(">Flow_NotAccepted<", ">Flow_TakeUpPeriodOver<")
    text = text.replace('targetRef="Task_ExpireOffer"', 'targetRef="Event_TakeUpMissed"')
    shapes = "Task_ExpireOffer|Gateway_AcceptedMeanwhile"
    text = re.sub(rf'<bpmndi:BPMNShape id="({shapes})_di".*?</bpmndi:BPMNShape>', "", text, flags=re.DOTALL)
    edges = "Flow_OfferChecked|Flow_AcceptedMeanwhile|Flow_NotAccepted"
    text = re.sub(rf'<bpmndi:BPMNEdge id="({edges})_di".*?</bpmndi:BPMNEdge>', "", text, flags=re.DOTALL)
    path.write_text(text, encoding="utf-8")
    return folder

"""Models deployed past the record: their jobs are refused, whoever's process id they have; what is known goes on."""

import json
from typing import Any

import pytest
from case_people import People
from demo_container import CLERK
from pyzeebe.proto import gateway_pb2 as pb
from test_hostile_model import ONE_TASK, refused

from services.app.container import models
from services.database.tables.deployments import ModelVersion
from services.database.tables.notices import Notice
from services.database.tables.process_steps import ProcessStep
from services.domain.deployments import versions
from services.domain.deployments.job_gate import GRACE

RETRIEVAL = "video-retrieval.bpmn"


async def begin(desk: People, process_id: str, **variables: Any) -> None:
    request = pb.CreateProcessInstanceRequest(bpmnProcessId=process_id, version=-1, variables=json.dumps(variables))
    await desk.gateway.CreateProcessInstance(request)
    await desk.quiet()


async def over_grace(desk: People) -> None:
    await desk.turn(seconds=GRACE.total_seconds() + 1)
    await desk.quiet()


@pytest.mark.requirement("R2", "R52", refuses=True)
async def test_a_model_of_another_process_does_nothing_until_an_operator_accepts_it(desk: People) -> None:
    case = await desk.apply("cam1")
    await desk.quiet()
    steps, count = len(desk.rows(ProcessStep)), refused()
    [hostile] = await desk.deploy_past_record(("hostile.bpmn", ONE_TASK.encode()))

    await begin(desk, "hostile", applicationId=case, closingOutcome="withdrawn")
    assert refused() == count, "it may be a deployment that is just being entered"
    await over_grace(desk)

    incident = await desk.incident("task")
    assert "its model is on no record" in incident.text
    assert f"footage-desk models accept {hostile.definition_key}" in incident.text
    assert "docs/runbooks/models-unrecorded.md" in incident.text
    assert refused() == count + 1
    assert len(desk.rows(ProcessStep)) == steps
    assert desk.application(case).closed_at is None
    [event] = desk.events("model-unrecorded")
    assert json.loads(event.entry)["detail"] == {"key": str(hostile.definition_key), "version": 1}
    assert desk.look(versions.count_unrecorded) == 1
    told = {notice.person_id for notice in desk.rows(Notice) if notice.code == "model-unrecorded"}
    assert len(told) >= 2, "the administrators, and who watches over changes"

    await desk.database.run(CLERK, versions.accept, hostile.definition_key, "the exercise of 4 March", "li.na")
    await desk.resolve(incident)
    await desk.quiet()

    assert desk.look(versions.count_unrecorded) == 0
    again = await desk.incident("task")
    assert "its model is on no record" not in again.text, "now the register itself looks at what it asks for"


@pytest.mark.requirement("R2", "R52", refuses=True)
async def test_a_hostile_version_of_our_own_process_stops_and_going_back_goes_on(desk: People) -> None:
    before = await desk.apply("cam1")
    await desk.quiet()
    shipped = {path.name: path.read_bytes() for path in models()}
    changed = shipped[RETRIEVAL].replace("安全保卫意见？".encode(), "不再问？".encode())
    hostile = await desk.deploy_past_record(*{**shipped, RETRIEVAL: changed}.items())
    assert {one.process_id: one.version for one in hostile}["video-retrieval"] == 2

    stopped = await desk.apply("cam1")
    await over_grace(desk)

    assert desk.rows(ProcessStep, application_id=stopped) == []
    assert desk.rows(ProcessStep, application_id=before), "a case of a version on record goes on"
    await desk.review(before, "preliminary")

    # As the start of an earlier release does: its models are deployed anew, get a third version, and are entered.
    await desk.deploy_on_record(*shipped.items())
    after = await desk.apply("cam1")
    await desk.review(after, "preliminary")
    third = [row for row in desk.rows(ModelVersion) if row.process_id == "video-retrieval"]
    assert sorted((row.version, row.result) for row in third if row.recorded_at) == [(1, "shipped"), (3, "unchecked")]

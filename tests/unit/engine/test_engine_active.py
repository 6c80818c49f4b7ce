"""Where an instance stands with all that it has called, what it waits for, and which jobs nobody takes."""

import pytest
from called_models import FILES, REVIEW
from engine_harness import EngineHarness, running_engine
from pyzeebe.proto import gateway_pb2 as pb

from services.engine import job_notifications
from services.engine.inspection import active
from services.engine.inspection.active import ActiveInstance


def by_process(found: list[ActiveInstance]) -> dict[str, ActiveInstance]:
    return {instance.bpmn_process_id: instance for instance in found}


def test_called_processes_are_followed_with_what_they_wait_for() -> None:
    harness = EngineHarness()
    harness.deploy(*FILES.values(), REVIEW)
    instance = harness.create("video-retrieval", applicationId="a")
    other = harness.create("transcription")

    found = active.instances(harness.store, instance.key, lambda job_type: job_type == "open-review")

    places = by_process(found)
    assert [one.bpmn_process_id for one in found[:2]] == ["video-retrieval", "interpretation"]
    assert set(places) == {"video-retrieval", "interpretation", "transcription", "review"}
    assert places["transcription"].parent_key == places["interpretation"].key
    [call] = places["video-retrieval"].elements
    assert {(wait.kind, wait.element_id) for wait in call.waits} == {("timer", "Timer_Own"), ("call", "Call_Own")}
    assert call.since is not None
    inner = {element.element_id: element.waits for element in places["interpretation"].elements}
    assert [(wait.kind, wait.name) for wait in inner["Wait_Clear"]] == [("signal", "all-clear")]
    [job] = places["transcription"].elements[0].waits
    assert (job.kind, job.name, job.served) == ("job", "own-transcribe", False)
    assert places["review"].elements[0].waits[0].served is True
    assert [one.key for one in active.running(harness.store, [instance.key, other.key, 99])] == [
        instance.key,
        other.key,
    ]


def test_a_job_that_a_worker_has_is_served_and_so_are_those_that_wait_for_it() -> None:
    harness = EngineHarness()
    harness.deploy(FILES["transcription.bpmn"])
    first, second = harness.create("transcription"), harness.create("transcription")
    harness.fetch("own-transcribe", 1)
    for instance in (first, second):
        [found] = active.instances(harness.store, instance.key, lambda _: False)
        assert found.elements[0].waits[0].served is True


async def test_a_running_engine_tells_whether_somebody_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job_notifications, "SILENT_SECONDS", 0)
    async with running_engine() as engine:
        await engine.deploy(FILES["transcription.bpmn"])
        request = pb.CreateProcessInstanceRequest(bpmnProcessId="transcription", version=-1)
        key = (await engine.stub.CreateProcessInstance(request)).processInstanceKey
        inspector = engine.server.inspector
        [alone] = await inspector.active(key)
        assert alone.elements[0].waits[0].served is False
        await engine.fetch("own-transcribe")
        [taken] = await inspector.active(key)
        assert taken.elements[0].waits[0].served is True
        assert await inspector.active(99) == []

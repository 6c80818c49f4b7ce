"""Inspection: the same results from a running engine, its socket, and its file."""

import asyncio
import json
import socket
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from bpmn_makers import ONE_JOB
from engine_harness import EngineHarness, Running, running_engine
from pyzeebe.proto import gateway_pb2 as pb

from services.engine.inspection import queries
from services.engine.inspection.client import InspectionError, query_engine
from services.engine.inspection.socket_server import SOCKET_NAME
from services.engine.processing import instances, jobs
from services.engine.state.overview import ListFilter

CALLER = ONE_JOB.replace(b'id="one-job"', b'id="caller"')


def failed(harness: EngineHarness, text: str = "a | b | c | d") -> int:
    """The key of the next job's incident."""
    [given] = harness.fetch("work", 1)
    harness.do(lambda execution: jobs.fail_job(execution, given.job.key, retries=0, backoff=0, text=text, variables={}))
    return given.job.key


def test_instances_are_counted_at_each_element_and_those_with_an_incident_apart() -> None:
    harness = EngineHarness()
    harness.deploy(ONE_JOB)
    for _ in range(3):
        harness.create("one-job")
    failed(harness)

    [process] = queries.processes(harness.store)
    [element] = queries.elements(harness.store, process.process_definition_key)

    assert (process.bpmn_process_id, process.version, process.active, process.incidents, process.latest) == (
        "one-job", 1, 2, 1, True,
    )  # fmt: skip
    assert (element.active, element.incidents) == (2, 1)


def test_instances_are_found_by_process_element_state_and_key() -> None:
    harness = EngineHarness()
    harness.deploy(ONE_JOB, CALLER)
    one, other = harness.create("one-job", a=1), harness.create("caller")
    harness.turn(seconds=5)
    [task] = {job.element_id for job in queries.jobs(harness.store, ListFilter(process="one-job"))}
    failed(harness)

    def found(**wanted: Any) -> list[int]:
        return [line.key for line in queries.instances(harness.store, ListFilter(**wanted))]

    assert found() == [other.key, one.key]
    assert found(descending=False) == [one.key, other.key]
    assert found(limit=1, offset=1) == [one.key]
    assert found(process="one-job") == found(state="incident") == found(text=str(one.key)) == [one.key]
    assert found(state="active") == found(text="caller") == [other.key]
    assert found(element=task) == [other.key, one.key]
    assert found(element="elsewhere") == found(text="100%") == found(state="ended") == []


def test_an_ended_instance_is_read_from_its_records() -> None:
    harness = EngineHarness()
    harness.deploy(ONE_JOB)
    done, cancelled = harness.create("one-job", a=1), harness.create("one-job")
    harness.turn(seconds=7)
    harness.complete(harness.fetch("work", 1)[0].job.key, b="two")
    harness.do(lambda execution: instances.cancel(execution, cancelled.key))

    lines = queries.instances(harness.store, ListFilter(state="ended"))
    view = queries.instance(harness.store, done.key)

    assert [(line.key, line.state) for line in lines] == [(cancelled.key, "terminated"), (done.key, "completed")]
    assert view is not None
    assert view.process_instance.start_date is not None
    assert view.process_instance.end_date is not None
    assert (view.process_instance.end_date - view.process_instance.start_date).total_seconds() == 7
    assert next((p.element_id, p.state) for p in view.element_instances) == ("one-job", "completed")
    assert {p.state for p in view.element_instances} == {"completed"}
    assert view.history_complete
    assert not view.active_elements
    task = next(p.element_id for p in view.element_instances if p.element_type == "SERVICE_TASK")
    for wanted in ({"text": str(done.key)}, {"element": task, "text": str(done.key)}):
        assert [line.key for line in queries.instances(harness.store, ListFilter(state="ended", **wanted))] == [
            done.key
        ]
    assert queries.instances(harness.store, ListFilter(state="ended", process="none")) == []
    assert queries.instance(harness.store, 1) is None


async def test_a_running_engine_answers_at_its_socket_to_its_own_account_alone(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        incident = await stuck(engine)
        door = tmp_path / SOCKET_NAME

        [line] = await asked(tmp_path, "incidents", process="one-job")
        view = await asked(tmp_path, "instance", key=line["process_instance_key"])
        variables = await asked(tmp_path, "variables", process_instance_key=line["process_instance_key"])
        refused = await asked(tmp_path, "retry", incident_key=1, retries=2)
        done = await asked(tmp_path, "retry", incident_key=incident, retries=2)
        [job] = await asked(tmp_path, "jobs", type="work")

        assert stat.S_IMODE(door.stat().st_mode) == 0o600
        assert (line["key"], line["error_message"], line["retries"]) == (incident, "a | b | c | d", 0)
        assert [element["has_incident"] for element in view["active_elements"]] == [True]
        assert view["active_elements"][0]["wait_states"] == [
            {"kind": "job", "name": "work", "due_date": None, "key": line["job_key"]}
        ]
        assert [(v["name"], json.loads(v["value"])) for v in variables] == [("of", "the case")]
        assert "no such incident" in refused
        assert done is None
        assert (job["state"], job["retries"]) == ("ACTIVATABLE", 2)
        assert await asked(tmp_path, "incidents") == []
        with pytest.raises(InspectionError, match="Invalid request"):
            await asked(tmp_path, "incidents", colour="red")
        with pytest.raises(InspectionError, match="Invalid request"):
            await asked(tmp_path, "_act")
    assert not door.exists()


async def test_an_engine_that_does_not_run_is_read_from_its_file_and_is_not_acted_on(tmp_path: Path) -> None:
    async with running_engine(tmp_path) as engine:
        incident = await stuck(engine)
    with closing(socket.socket(socket.AF_UNIX)) as left_over:
        left_over.bind(str(tmp_path / SOCKET_NAME))  # of an engine that was killed

    [line] = query_engine(tmp_path, "incidents")

    assert line["key"] == incident
    with pytest.raises(InspectionError, match="start it first"):
        query_engine(tmp_path, "retry", incident_key=incident, retries=1)
    with pytest.raises(InspectionError, match="--data"):
        query_engine(tmp_path / "none", "incidents")
    assert not (tmp_path / "none").exists()
    async with running_engine(tmp_path):
        assert len(await asked(tmp_path, "incidents")) == 1


async def test_an_engine_whose_folder_cannot_have_a_socket_runs_all_the_same(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    deep = tmp_path / ("d" * 100)

    async with running_engine(deep) as engine:
        await stuck(engine)
        assert "cannot query this engine" in caplog.text
        with pytest.raises(InspectionError):
            await asked(deep, "incidents")


async def stuck(engine: Running) -> int:
    """The key of the incident of an instance of its own."""
    await engine.deploy(ONE_JOB)
    await engine.stub.CreateProcessInstance(
        pb.CreateProcessInstanceRequest(bpmnProcessId="one-job", version=-1, variables='{"of": "the case"}')
    )
    [job] = await engine.fetch("work")
    await engine.stub.FailJob(pb.FailJobRequest(jobKey=job.key, retries=0, errorMessage="a | b | c | d"))
    [incident] = await engine.server.inspector.incidents()
    return incident.key


async def asked(folder: Path, question: str, **given: Any) -> Any:
    return await asyncio.to_thread(query_engine, folder, question, **given)

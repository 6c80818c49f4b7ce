"""footage-desk resolve: an incident goes on, or a sentence says why not."""

import pytest
from bpmn_makers import ONE_JOB
from engine_harness import running_engine
from pyzeebe.proto import gateway_pb2 as pb
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.runtime.threads import run_in_thread


async def test_an_incident_is_resolved_by_its_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running_engine() as engine:
        monkeypatch.setenv("ZEEBE_ADDRESS", engine.address)
        await engine.deploy(ONE_JOB)
        await engine.stub.CreateProcessInstance(pb.CreateProcessInstanceRequest(bpmnProcessId="one-job", version=-1))
        [job] = await engine.fetch("work")
        await engine.stub.FailJob(pb.FailJobRequest(jobKey=job.key, retries=0, errorMessage="a | b | c | d"))
        [incident] = await engine.server.writer.read(lambda store: store.incidents.all_open())

        told = await run_in_thread(
            lambda: CliRunner().invoke(cli_main.app, ["resolve", str(incident.key), "--job", str(job.key)])
        )
        again = await run_in_thread(lambda: CliRunner().invoke(cli_main.app, ["resolve", str(incident.key)]))

    assert (told.exit_code, told.output) == (0, f"Incident {incident.key} is resolved.\n")
    assert again.exit_code == 1
    assert f"could not resolve the incident | {incident.key} | NOT_FOUND" in again.output.replace("\n", " ")

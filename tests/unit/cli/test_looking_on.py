"""footage-desk engine instances, incidents, jobs, resolve and their like: what Operate would show, at a terminal."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from bpmn_makers import ONE_JOB
from click.testing import Result
from engine_harness import Running, running_engine
from pyzeebe.proto import gateway_pb2 as pb
from typer.testing import CliRunner

from services.cli import main as cli_main
from services.runtime.threads import run_in_thread


async def stuck(engine: Running, times: int = 1) -> list[int]:
    """The keys of instances that have an incident each."""
    await engine.deploy(ONE_JOB)
    request = pb.CreateProcessInstanceRequest(bpmnProcessId="one-job", version=-1, variables='{"applicationId": "A1"}')
    made = [(await engine.stub.CreateProcessInstance(request)).processInstanceKey for _ in range(times)]
    for job in await engine.fetch("work"):
        await engine.stub.FailJob(pb.FailJobRequest(jobKey=job.key, retries=0, errorMessage="it failed | 门 | x | y"))
    return made


async def told(*words: str) -> Result:
    return await run_in_thread(lambda: CliRunner().invoke(cli_main.app, ["engine", *words]))


def at(folder: Path) -> Callable[..., list[str]]:
    return lambda *words: [*words, "--data", str(folder)]


async def test_a_stuck_instance_is_found_looked_at_and_goes_on(tmp_path: Path) -> None:
    here = at(tmp_path)
    async with running_engine(tmp_path) as engine:
        [key] = await stuck(engine)

        listed = await told(*here("instances", "--state", "incident"))
        one = await told(*here("instance", str(key)))
        variables = await told(*here("variables", str(key)))
        [incident] = json.loads((await told(*here("incidents", "--process", "one-job", "--json"))).output)
        jobs = await told(*here("jobs", "--type", "work", "--state", "failed"))
        resolved = await told(*here("resolve", str(incident["key"]), "--retries", "2"))
        again = await told(*here("resolve", str(incident["key"])))
        [job] = await engine.fetch("work")
        await told(*here("retries", str(job.key), "7"))
        [left] = json.loads((await told(*here("jobs", "--json"))).output)
        await engine.stub.CompleteJob(pb.CompleteJobRequest(jobKey=job.key))
        ended = await told(*here("instances", "--state", "ended"))
        none = await told(*here("incidents"))

    assert listed.output.splitlines()[1].split()[:5] == [str(key), "one-job", "1", "incident", "1"]
    for part in ("Active elements", "job work", "it failed | 门 | x | y", "JOB_NO_RETRIES", "2026-03-02T08:00:00Z"):
        assert part in one.output
    assert "Earlier elements are not shown" not in one.output
    assert variables.output.splitlines()[1].split() == ["one-job", "applicationId", '"A1"']
    assert (incident["process_instance_key"], incident["element_id"], incident["retries"]) == (key, "work", 0)
    assert "FAILED" in jobs.output
    assert (resolved.exit_code, resolved.output) == (0, f"Incident {incident['key']} is resolved.\n")
    assert (again.exit_code, "no such incident" in again.output) == (1, True)
    assert (job.retries, left["retries"]) == (2, 7)
    assert "completed" in ended.output
    assert none.output == "There is none.\n"


async def test_many_are_retried_at_once_and_never_by_mistake(tmp_path: Path) -> None:
    here = at(tmp_path)
    async with running_engine(tmp_path) as engine:
        first, _, _ = await stuck(engine, 3)

        unsaid = await told(*here("retry"))
        one = await told(*here("retry", str(first)))
        rest = await told(*here("retry", "--process", "one-job", "--element", "work", "--retries", "1"))
        jobs = await engine.fetch("work")

    assert (unsaid.exit_code, "nothing was retried" in unsaid.output) == (1, True)
    assert one.output == "1 incident is resolved.\n"
    assert rest.output == "2 incidents are resolved.\n"
    assert sorted(job.retries for job in jobs) == [1, 1, 3]


async def test_without_a_folder_the_engine_of_the_settings_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ZEEBE_ADDRESS", raising=False)
    monkeypatch.setenv("FOOTAGE_DESK_DATA_DIR", str(tmp_path))
    async with running_engine(tmp_path / "engine") as engine:
        await stuck(engine)
        running = await told("incidents")
    stopped = await told("incidents")
    acted = await told("retry", "--all")
    unknown = await told("instance", "1")
    monkeypatch.setenv("ZEEBE_ADDRESS", "zeebe:26500")
    elsewhere = await told("incidents")

    assert running.output == stopped.output
    assert "it failed" in running.output
    assert (acted.exit_code, "start it first" in acted.output) == (1, True)
    assert (unknown.exit_code, "there is no such instance" in unknown.output) == (1, True)
    assert (elsewhere.exit_code, "Operate shows" in elsewhere.output.replace("\n", " ")) == (1, True)


def test_options_before_the_command_are_not_lost_silently(tmp_path: Path) -> None:
    ended = CliRunner().invoke(cli_main.app, ["engine", "--data", str(tmp_path), "incidents"])

    assert (ended.exit_code, ended.stderr) == (2, "Write the options of engine incidents after it.\n")
    assert list(tmp_path.iterdir()) == []

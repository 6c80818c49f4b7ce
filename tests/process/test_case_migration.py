"""A case moves to another version in the midst, on record, with its jobs under way, and goes on to its end."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from case_people import OpenDesk, People
from edited_models import Model
from pyzeebe.proto import gateway_pb2 as pb

from services.app import case_migration, case_moves, deployments, model_versions, server
from services.app.case_migration import Planned, Planner, Target
from services.app.case_moves import Moved, Mover, Order
from services.app.deployments import Examined
from services.database.tables.process_steps import ProcessStep
from services.database.unit_of_work import Actor
from services.domain.cases.case_models import MAIN
from services.domain.process import running_cases
from services.domain.process.deployed_models import ProcessVersion
from services.engine.inspection import queries
from services.engine.state.store import Store
from services.runtime.channel import open_channel
from services.runtime.engine_client import PyzeebeEngineClient
from services.runtime.jobs.worker import discover
from services.runtime.migration import migrate
from services.runtime.places import BPMN

pytestmark = pytest.mark.slow

CLERK = Actor("system", "test")


def _edited(folder: Path, source: Path, *steps: tuple[str, str, str], ids: tuple[str, str] | None = None) -> Path:
    """A copy of the models with own steps (element, job type, the element that follows), and an id written anew."""
    shutil.copytree(source, folder)
    if ids is not None:
        path = folder / "video-retrieval.bpmn"
        path.write_text(path.read_text(encoding="utf-8").replace(*ids), encoding="utf-8")
    model = Model(folder)
    for element, job_type, following in steps:
        flow = next(f for f in model.root.iter() if f.get("targetRef") == following)
        definition = f'<bpmn:extensionElements><zeebe:taskDefinition type="{job_type}" /></bpmn:extensionElements>'
        task = f'<bpmn:serviceTask id="{element}" name="关门">{definition}</bpmn:serviceTask>'
        model.insert(flow.get("id"), task, f"Flow_{element}")
    model.save()
    return folder


def _add_rule(folder: Path, rule: str) -> None:
    path = folder / "policy-rules.yaml"
    path.write_text(path.read_text(encoding="utf-8") + rule, encoding="utf-8")


async def _own_job(desk: People, job_type: str) -> int:
    """Wait for a job of the organisation's own and take it."""
    await desk.until(lambda _uow: job_type in desk.trace.jobs.values(), f"a job {job_type}")
    request = pb.ActivateJobsRequest(type=job_type, worker="gate", timeout=600_000, maxJobsToActivate=1)
    [key] = [job.key async for answer in desk.gateway.ActivateJobs(request) for job in answer.jobs]
    return int(key)


_planners: dict[Path, Planner] = {}
_where: dict[int, frozenset[str]] = {}


async def _planned(desk: People, target: Target) -> list[Planned]:
    cases = await desk.database.read(CLERK, running_cases.list_running)
    recorded = await desk.database.read(CLERK, case_migration.read_recorded)
    assert desk.engine is not None
    keys = [case.application.process_instance_key or 0 for case in cases]
    active = await desk.engine.writer.read(lambda store: {key: _active(store, key) for key in keys})
    _where.update(active)
    planner = _planners.setdefault(target.folder, Planner(target, discover(), 60, _where.get))
    return list(planner.plan(cases, recorded))


def _active(store: Store, key: int) -> frozenset[str]:
    found = queries.instance(store, key)
    return frozenset(element.element_id for element in found.active_elements) if found is not None else frozenset()


async def _deploy(desk: People, target: Target) -> ProcessVersion:
    """What ``footage-desk deploy`` does once the models were examined."""
    channel = open_channel(desk.settings)
    try:
        deployed = await server.deploy(PyzeebeEngineClient(channel), target.folder)
    finally:
        await channel.close()
    examined = Examined(target.files, "unchecked", "models of a test")
    contents = deployments.contents(target.folder)
    await desk.database.run(CLERK, deployments.enter, examined, contents, deployed, by="test")
    [version] = [process for process in deployed.processes if process.process_id == MAIN]
    return ProcessVersion(MAIN, version.version, version.definition_key)


async def _move(desk: People, target: Target, version: ProcessVersion, planned: Sequence[Planned]) -> list[Moved]:
    channel = open_channel(desk.settings)
    try:
        mover = Mover(desk.database, channel, Order(target, version, "0" * 64, "lina", "the gate is closed now"))
        return [await mover.move(one) for one in planned]
    finally:
        await channel.close()


def _told(desk: People, action: str) -> list[dict[str, Any]]:
    return [json.loads(event.entry)["detail"] for event in desk.events(action)]


@pytest.mark.requirement("R2", refuses=True)
async def test_a_case_goes_on_in_a_newer_version_with_its_jobs_and_its_end(a_desk: OpenDesk, tmp_path: Path) -> None:
    first = _edited(tmp_path / "first", BPMN, ("Task_Gate", "close-the-gate", "Call_CustodianAccepts"))
    second = _edited(
        tmp_path / "second",
        first,
        ("Task_Lamp", "light-the-lamp", "Call_CustodianAccepts"),
        ids=("Task_Gate", "Task_Door"),
    )
    third = _edited(tmp_path / "third", second, ("Task_Note", "note-it", "Task_HandOver"))
    _add_rule(
        third,
        "\n  - id: noted-first\n    requirements: R38\n    zh: 先登记再使用\n    en: It is noted before anybody uses it"
        "\n    never: stage receipt accepted\n    before: job note-it done\n",
    )
    async with a_desk(models_dir=first) as desk:
        case = await desk.apply("gate")
        await desk.reach(case, "storage-release")
        await desk.decide(case, "storage-release")
        taken = await _own_job(desk, "close-the-gate")

        # a model that wants something before the place where the case stands: refused, nothing is changed
        [refused] = await _planned(desk, case_migration.target_of(third))
        assert (refused.verdict.result, refused.verdict.rule) == ("broken", "noted-first")
        assert "It is noted before anybody uses it" in refused.verdict.why[1]

        # what would be done, before it is: nothing is written
        target = case_migration.target_of(second)
        [planned] = await _planned(desk, target)
        assert planned.verdict.is_allowed, planned.verdict
        assert not desk.events(running_cases.ORDERED)
        version = await _deploy(desk, target)
        before = desk.application(case)
        [counted] = [v for v in desk.look(model_versions.list_versions, MAIN) if v.cases]
        recorded = await desk.database.read(CLERK, case_migration.read_recorded)
        cases = desk.look(running_cases.list_running)
        [found] = desk.look(
            lambda uow: list(model_versions.count_positions(uow, [counted], cases, of=recorded, folder=second))
        )
        # the database does not hear of an organisation's own workers
        assert (found.number, found.cases, found.positions) == (before.process_version, 1, {"unknown": 1})

        # killed once the engine has moved it: the next call enters it; a call more finds nothing to do
        [planned] = await _planned(desk, target)
        channel = open_channel(desk.settings)
        mover = Mover(desk.database, channel, Order(target, version, "0" * 64, "lina", "the gate is closed now"))
        await desk.database.run(CLERK, mover._order_move, planned)
        await migrate(channel, before.process_instance_key or 0, version.definition_key, planned.ids)
        await channel.close()
        [planned] = await _planned(desk, target)
        [moved] = await _move(desk, target, version, [planned])
        assert moved.is_moved, moved.sentence
        [again] = await _move(desk, target, version, [planned])
        assert not again.is_moved
        [there] = await _planned(desk, target)
        assert there.is_there
        assert not case_moves.must_be_completed(there)

        [told] = _told(desk, running_cases.MIGRATED)
        assert len(_told(desk, running_cases.ORDERED)) == 1
        now = desk.application(case)
        assert (now.process_version, now.model_sha256) == (version.version, target.sha256)
        assert (told["from_version"], told["to_version"]) == (before.process_version, version.version)
        assert (told["from_sha256"], told["to_sha256"]) == (before.model_sha256, target.sha256)
        assert (told["by"], told["reason"], told["result"]) == ("lina", "the gate is closed now", "allowed")
        assert told["rules"] > 100
        assert told["changed"] == {"Task_Gate": "Task_Door"}

        # the job that was under way ends as if nothing had happened, and the new step follows it
        await desk.gateway.CompleteJob(pb.CompleteJobRequest(jobKey=taken, variables="{}"))
        lamp = await _own_job(desk, "light-the-lamp")
        await desk.gateway.CompleteJob(pb.CompleteJobRequest(jobKey=lamp, variables="{}"))
        await desk.accept(case)

        # moved once more, from where its way led through both versions
        [later] = await _planned(
            desk, case_migration.target_of(_edited(tmp_path / "fourth", second, ("Task_N", "n", "Task_InspectReturn")))
        )
        assert later.verdict.is_allowed, later.verdict
        await desk.returned(case)

    assert {step.process_version for step in desk.rows(ProcessStep) if step.element_id == "Task_ReArchive"} == {
        version.version
    }

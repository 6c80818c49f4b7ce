"""Beside the portal: uploaded models are checked in a process of their own, and deployed once that was confirmed."""

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from review_desk import ReviewDesk

from services.app import deployments, model_check, server
from services.app.model_deployer import OUTDATED, ModelDeployer
from services.database.tables.audit import AuditEvent
from services.database.tables.deployments import ModelSet, ModelVersion
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import service as change_requests
from services.domain.deployments import in_use, queries, record, service
from services.runtime import confined
from services.runtime.engine_client import DeployedProcess, Deployment
from services.runtime.errors import Fatal, Refused, Retryable
from services.runtime.places import BPMN

WHY, FILE = "因业务需要增加翻译审核", "video-retrieval.bpmn"
SHIPPED = (BPMN / FILE).read_text(encoding="utf-8")
RENAMED = SHIPPED.replace("安全保卫意见？", "安全保卫部意见？").encode()
TASK = '<bpmn:task id="Task_Own" name="翻译审核" /><bpmn:endEvent id="Event_FootagePreserved"'
WRONG = SHIPPED.replace('<bpmn:endEvent id="Event_FootagePreserved"', TASK).encode()
CLEAN = {"verdict": "clean", "rules": 36, "rules_sha256": "ab", "states": 1735, "changes": []}


class Engine:
    def __init__(self) -> None:
        self.deployed: list[list[str]] = []
        self.contents: dict[str, bytes] = {}
        self.error: Exception | None = None

    async def deploy(self, paths: Sequence[Path]) -> Deployment:
        if self.error is not None:
            raise self.error
        self.deployed.append([path.name for path in paths])
        self.contents = {path.name: path.read_bytes() for path in paths}
        return Deployment(1, {"review": 2}, [DeployedProcess("review", 2, 70, "review.bpmn")])


class Installation:
    """What of the container the task uses."""

    def __init__(self, desk: ReviewDesk) -> None:
        self.database = desk.database
        self.reloaded = 0

    def reload_models(self) -> None:
        self.reloaded += 1


@pytest.fixture
def engine() -> Engine:
    return Engine()


@pytest.fixture
def installation(desk: ReviewDesk) -> Installation:
    return Installation(desk)


@pytest.fixture
def deployer(installation: Installation, engine: Engine) -> ModelDeployer:
    return ModelDeployer(installation, engine)  # type: ignore[arg-type]  # both are what it uses of them


def uploaded(desk: ReviewDesk, content: bytes = RENAMED) -> str:
    set_id: str = desk.run(service.upload, {FILE: content}, by="admin").id
    return set_id


def approved(desk: ReviewDesk) -> str:
    set_id = uploaded(desk)
    desk.run(service.keep_result, set_id, CLEAN)
    with pytest.raises(Refused):
        desk.run(service.ask, set_id, WHY, None, by="admin")
    [request] = desk.run(change_requests.list_visible, by="admin")
    desk.run(change_requests.confirm, request.id, by="security-head")
    desk.run(service.ask, set_id, WHY, None, by="admin")
    return set_id


@pytest.mark.slow
@pytest.mark.requirement("R2")
async def test_the_check_runs_in_a_process_of_its_own_and_its_result_stays(
    desk: ReviewDesk, deployer: ModelDeployer, engine: Engine
) -> None:
    set_id = uploaded(desk, WRONG)

    assert await deployer.run()
    assert not await deployer.run()

    view = desk.run(queries.read_set, set_id, by="supervisor")
    assert (view.verdict, view.state) == ("lint", "checked")
    assert view.result is not None
    assert any("翻译审核" in finding["zh"] and FILE in finding["en"] for finding in view.result["lint"])
    assert view.result["changes"] == [
        {"zh": f"{FILE} 新增“翻译审核”（Task_Own）", "en": f"{FILE}: added 翻译审核 (Task_Own)"}
    ]
    assert engine.deployed == []


@pytest.mark.requirement("R52", refuses=True)
async def test_a_check_that_dies_or_does_not_end_leaves_a_set_that_nobody_can_ask_for(
    desk: ReviewDesk, deployer: ModelDeployer, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, Any]] = []

    async def dies(module: str, *folders: str, **bounds: Any) -> bytes:
        asked.append({"module": module, **bounds})
        return b""

    monkeypatch.setattr(confined, "answer_of", dies)
    set_id = uploaded(desk)
    await deployer.run()
    assert asked == [
        {"module": "services.app.model_check", "given": b"", "seconds": model_check.WALL_SECONDS, "largest": 4 << 20}
    ]
    assert desk.run(queries.read_set, set_id, by="admin").verdict == "failed"
    with pytest.raises(Refused):
        desk.run(service.ask, set_id, WHY, "已经人工核对过全部模型", by="admin")


@pytest.mark.requirement("R2")
async def test_what_was_confirmed_is_deployed_once_on_record_with_both_names(
    desk: ReviewDesk, deployer: ModelDeployer, engine: Engine, installation: Installation
) -> None:
    set_id = approved(desk)
    engine.error = Retryable("the engine does not answer")
    with pytest.raises(Retryable):
        await deployer.run()
    assert desk.run(service.list_approved) == [set_id], "an engine that is down delays it and loses nothing"
    engine.error = None

    await deployer.run()
    await deployer.run()

    assert engine.deployed == [sorted(path.name for path in BPMN.glob("*") if path.suffix in (".bpmn", ".dmn"))]
    detail = json.loads(desk.the(AuditEvent, action=record.DEPLOYED).entry)["detail"]
    assert (detail["requested_by"], detail["confirmed_by"], detail["why"]) == ("admin", "security-head", WHY)
    assert (detail["result"], detail["rules"], detail["states"], detail["set"]) == ("clean", 36, 1735, set_id)
    assert detail["files"] == record.decisive(desk.the(ModelSet).files)
    assert (desk.the(ModelVersion).definition_key, desk.the(ModelVersion).result) == (70, "clean")
    assert installation.reloaded == 1

    # It stays in use over restarts: a start deploys it again, and draws it.
    found = desk.run(deployments.find_from_portal)
    assert found is not None
    assert (found[0][FILE], found[1].result) == (RENAMED, "clean")
    engine.contents = {}
    settings = SimpleNamespace(models_dir=None, demo=False)
    await server._deploy_known(SimpleNamespace(settings=settings, database=desk.database), engine)
    assert engine.contents[FILE] == RENAMED
    assert len(desk.all(AuditEvent, action=record.DEPLOYED)) == 1
    desk.run(lambda uow: audit_trail.record(uow, record.DEPLOYED, "models", "those of a folder", versions={}))
    assert desk.run(in_use.read_set) is None, "what was deployed after it counts"


@pytest.mark.requirement("R2", refuses=True)
@pytest.mark.parametrize("cause", ["outdated", "engine"])
async def test_what_cannot_be_deployed_any_more_says_why(
    desk: ReviewDesk, deployer: ModelDeployer, engine: Engine, cause: str
) -> None:
    set_id = approved(desk)
    if cause == "outdated":
        desk.run(lambda uow: audit_trail.record(uow, record.DEPLOYED, "models", "another set", versions={}))
    else:
        engine.error = Fatal("could not deploy | the engine refuses it")

    await deployer.run()

    view = desk.run(queries.read_set, set_id, by="admin")
    assert view.state == "failed"
    assert view.failure == (OUTDATED if cause == "outdated" else "could not deploy | the engine refuses it")
    assert (engine.deployed, desk.run(service.list_approved)) == ([], [])
    assert json.loads(desk.the(AuditEvent, action="models-not-deployed").entry)["detail"]["why"] == view.failure

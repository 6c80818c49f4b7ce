"""Check uploaded models, and deploy those that a second person has confirmed; beside the portal, one at a time."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from services.app import deployments, model_check
from services.app.container import Container
from services.app.deployments import Examined
from services.database.tables.deployments import ModelSet
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.deployments import in_use, record, service, uploads
from services.runtime import confined
from services.runtime.engine_client import Deployment, EngineClient
from services.runtime.errors import Fatal, Refused
from services.runtime.logs import get_logger
from services.runtime.periodic import Periodic
from services.runtime.threads import run_in_thread

log = get_logger(__name__)

ACTOR = Actor("system", "models")
EVERY = timedelta(seconds=30)  # a commit of this process wakes it
PAUSE = timedelta(seconds=2)
OUTDATED = "other models were deployed since these were uploaded"


def check_and_deploy(container: Container, client: EngineClient) -> Periodic:
    """Return the task; each portal has one, and what one of them has begun no other begins."""
    deployer = ModelDeployer(container, client)
    task = Periodic("models", EVERY, deployer.run, pause=PAUSE)
    container.database.on(service.TOPIC, task.wake)
    return task


class ModelDeployer:
    """Check and deploy sets of models, the oldest first."""

    def __init__(self, container: Container, client: EngineClient) -> None:
        self._container = container
        self._database = container.database
        self._client = client

    async def run(self) -> bool:
        """Deploy what is approved, then check one set; return whether one was checked.

        Raises Retryable while the engine is down.
        """
        for set_id in await self._database.read(ACTOR, service.list_approved):
            await self._deploy(set_id)
        if not await self._database.read(ACTOR, service.is_waiting):
            return False
        claimed = await self._database.run(ACTOR, service.claim_unchecked)
        if claimed is None:
            return False
        set_id, packed = claimed
        result = await self._check(packed, await self._database.read(ACTOR, _in_use_or_nothing))
        await self._database.run(ACTOR, service.keep_result, set_id, result)
        return True

    async def _check(self, packed: bytes, before: Mapping[str, bytes] | None) -> dict[str, Any]:
        files = await run_in_thread(uploads.unpack, packed)
        with uploads.written(files) as new, uploads.written(before if before is not None else files) as old:
            output = await confined.answer_of(
                model_check.__name__,
                str(new),
                str(old),
                given=b"",
                seconds=model_check.WALL_SECONDS,
                largest=model_check.LARGEST,
            )
        if not output:
            log.error("the check of uploaded models did not end")
            return {"verdict": service.FAILED, "rules": 0, "rules_sha256": None, "states": 0}
        result: dict[str, Any] = json.loads(output)
        return result

    async def _deploy(self, set_id: str) -> None:
        approved = await self._database.read(ACTOR, _read_approved, set_id)
        if isinstance(approved, str):
            await self._database.run(ACTOR, _fail, set_id, approved)
            return
        try:
            with uploads.written(approved) as folder:
                deployed = await self._client.deploy(
                    sorted(path for path in folder.iterdir() if record.is_model(path.name))
                )
        except Fatal as error:
            log.error("the engine refuses models that were approved", cause=str(error))  # noqa: TRY400 - its text says all
            await self._database.run(ACTOR, _fail, set_id, str(error))
            return
        await self._database.run(ACTOR, _note_deployed, set_id, approved, deployed)
        await run_in_thread(self._container.reload_models)
        log.info("deployed from the portal", versions=dict(deployed.versions))


def _read_approved(uow: UnitOfWork, set_id: str) -> Mapping[str, bytes] | str:
    """Return the set's files; or why it is not deployed, although it was approved."""
    row = uow.session.get_one(ModelSet, set_id)
    newest = record.newest_fingerprint(uow)
    own = record.fingerprint(row.files)
    if newest not in (None, row.base, own):  # its own: it was deployed, and this process ended before it said so
        return OUTDATED
    return uploads.unpack(row.content)


def _note_deployed(uow: UnitOfWork, set_id: str, files: Mapping[str, bytes], deployed: Deployment) -> None:
    row = service.get(uow, set_id)
    if row.deployed_at is not None:
        return
    row.deployed_at = uow.now
    people = {"requested_by": row.approved_by, "confirmed_by": row.confirmed_by}
    told = {"set": row.id, "why": row.reason, **people}
    deployments.enter(uow, examined_of(row), files, deployed, by="portal", more=told)


def examined_of(row: ModelSet) -> Examined:
    """Return how a set was examined that was approved."""
    result = row.result or {}
    return Examined(
        record.decisive(row.files),
        "unchecked" if row.unchecked is not None else "clean",
        row.unchecked,
        rules=result.get("rules", 0),
        rules_sha256=result.get("rules_sha256"),
        states=result.get("states", 0),
    )


def _fail(uow: UnitOfWork, set_id: str, why: str) -> None:
    row = service.get(uow, set_id)
    if row.deployed_at is None and row.failure is None:
        row.failure = why
        audit_trail.record(uow, "models-not-deployed", "model-set", row.id, why=why)


def _in_use_or_nothing(uow: UnitOfWork) -> Mapping[str, bytes] | None:
    try:
        return in_use.load(uow).files
    except Refused:  # something else was deployed meanwhile: the set is out of date, and is compared with itself
        return None

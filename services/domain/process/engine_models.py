"""What only the engine of this process knows of models: versions that nobody deployed on record, and of older cases."""

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.process import deployed_models
from services.domain.process.deployed_models import ProcessVersion
from services.domain.process.engine_view import EngineInspection, ProcessAnswer, RunningAnswer
from services.runtime.logs import get_logger

log = get_logger(__name__)
ACTOR = Actor("system", "engine-models")
AT_ONCE = 200  # cases, whose instances the engine reads between two batches


async def keep_models(database: Database, engine: EngineInspection) -> None:
    """Keep the models that run in the engine and were not kept yet, and the version that each open case runs on."""
    processes = [ProcessAnswer.model_validate(process) for process in await engine.processes()]
    versions = [ProcessVersion(one.bpmn_process_id, one.version, one.process_definition_key) for one in processes]
    for version in await database.read(ACTOR, _list_unkept, versions):
        model = await engine.model(version.definition_key)
        if model is not None:
            await database.run(ACTOR, _keep, version, model[1])
    after = ""
    while cases := await database.read(ACTOR, _list_unknown, after):
        after = max(cases)
        by_key = {key: application_id for application_id, key in cases.items()}
        running = [RunningAnswer.model_validate(one) for one in await engine.running(list(by_key))]
        if running:
            await database.run(ACTOR, _set_versions, {by_key[one.key]: one for one in running})
            log.info("noted on which version older cases run", cases=len(running))


def _list_unkept(uow: UnitOfWork, versions: list[ProcessVersion]) -> list[ProcessVersion]:
    known = deployed_models.find_digests(uow, versions)
    return [version for version in versions if version not in known]


def _keep(uow: UnitOfWork, version: ProcessVersion, content: bytes) -> None:
    [digest] = deployed_models.keep_files(uow, {f"{version.process_id}.bpmn": content}).values()
    deployed_models.keep_versions(uow, {version: digest})


def _list_unknown(uow: UnitOfWork, after: str) -> dict[str, int]:
    """Return process instances of open cases whose version is not known, by case, the next ones by id."""
    query = (
        select(Application.id, Application.process_instance_key)
        .where(
            Application.id > after,
            Application.closed_at.is_(None),
            Application.process_instance_key.is_not(None),
            Application.process_definition_key.is_(None),
        )
        .order_by(Application.id)
        .limit(AT_ONCE)
    )
    return {application_id: key for application_id, key in uow.session.execute(query) if key is not None}


def _set_versions(uow: UnitOfWork, running: dict[str, RunningAnswer]) -> None:
    query = select(Application).where(Application.id.in_(running)).order_by(Application.id).with_for_update()
    applications = uow.session.scalars(query).all()
    versions = {
        application.id: ProcessVersion(one.bpmn_process_id, one.version, one.process_definition_key)
        for application in applications
        if (one := running[application.id]).key == application.process_instance_key
    }
    digests = deployed_models.find_digests(uow, versions.values())
    for application in applications:
        if application.id in versions:
            deployed_models.set_known_version(application, versions[application.id], digests)

"""Look for open cases that the engine does not have: they would stand still for ever, and nobody would see it."""

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.runtime import metrics
from services.runtime.engine_client import EngineClient
from services.runtime.logs import get_logger

log = get_logger(__name__)
ACTOR = Actor("system", "instance-check")


async def check_instances(database: Database, client: EngineClient) -> list[str]:
    """Count the open cases without a process instance for the alert, log each; return their application ids.

    One that ends while it is asked for counts no longer at the next check. Raises Retryable without an engine.
    """
    missing = [
        application_id
        for application_id, key in await database.run(ACTOR, list_open_instances)
        if not await client.has_instance(key)
    ]
    for application_id in missing:
        log.error("an open case has no process instance", application_id=application_id)
    metrics.CASES_WITHOUT_INSTANCE.set(len(missing))
    return missing


def list_open_instances(uow: UnitOfWork) -> list[tuple[str, int]]:
    """List application id and process instance key of the open cases that the process has taken."""
    query = select(Application.id, Application.process_instance_key).where(
        Application.process_instance_key.is_not(None), Application.closed_at.is_(None)
    )
    return [(application_id, key) for application_id, key in uow.session.execute(query) if key is not None]

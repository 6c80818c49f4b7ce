"""check-matter: finds what the route of a matter depends on (R50)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.matters import tasks

JOB_TYPE = "check-matter"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    matter_id: str
    process_instance_key: int


@dataclass(frozen=True)
class Result:
    """Without ``allowed`` nobody is asked, and the matter is closed."""

    allowed: bool
    kind: str
    importance: str
    security_involved: bool
    management_involved: bool


async def handle(command: Command, database: Database) -> Result:
    found = await database.run(ACTOR, tasks.check, command.matter_id, command.process_instance_key)
    return Result(
        allowed=found.allowed,
        kind=found.kind,
        importance=found.importance,
        security_involved=found.security_involved,
        management_involved=found.management_involved,
    )

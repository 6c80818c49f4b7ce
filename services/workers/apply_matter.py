"""apply-matter: does what was decided, after it has found the signed decisions in the database (R43, R46, R50)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.matters import tasks

JOB_TYPE = "apply-matter"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    matter_id: str


@dataclass(frozen=True)
class Result:
    """False where it could not be done any more, because what it is about has ended."""

    applied: bool


async def handle(command: Command, database: Database) -> Result:
    return Result(await database.run(ACTOR, tasks.apply, command.matter_id))

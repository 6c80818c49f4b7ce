"""close-matter: closes a matter that was refused, or whose subject has ended."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.matters import tasks

JOB_TYPE = "close-matter"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    matter_id: str
    closed_as: str


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, tasks.close, command.matter_id, command.closed_as)

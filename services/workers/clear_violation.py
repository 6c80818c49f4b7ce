"""clear-violation: gives access back, with its days, where the violation was found to be unfounded (R65)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.matters.violations import tasks

JOB_TYPE = "clear-violation"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    matter_id: str


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, tasks.clear, command.matter_id)

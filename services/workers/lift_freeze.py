"""lift-freeze: opens the copies again where Security has found the problem unfounded or explained it (R44)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.matters import problems
from services.domain.matters.kinds.problem import CONTINUES

JOB_TYPE = "lift-freeze"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    matter_id: str


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, problems.answer, command.matter_id, "lift the freeze", CONTINUES)

"""recall-copy: ends a loan whose copies Security replaces or recalls after a problem report (R43, R44)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.matters import problems
from services.domain.matters.kinds.problem import ENDS

JOB_TYPE = "recall-copy"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    matter_id: str


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, problems.answer, command.matter_id, "recall the copies", ENDS)

"""suspend-access: access stops at the due date (R51)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.custody import hand_overs

JOB_TYPE = "suspend-access"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    hand_over_id: str


@dataclass(frozen=True)
class Result:
    access_suspended: bool


async def handle(command: Command, database: Database) -> Result:
    """False where the copies are back or the due date has moved meanwhile."""
    return Result(await database.run(ACTOR, hand_overs.suspend, command.application_id, command.hand_over_id))

"""remind-return: one reminder of the return for each job (R51)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.custody import hand_overs

JOB_TYPE = "remind-return"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    hand_over_id: str
    job_key: int


@dataclass(frozen=True)
class Result:
    reminders_sent: int


async def handle(command: Command, database: Database) -> Result:
    """Nothing is sent once the copies are back or lost."""
    return Result(
        await database.run(ACTOR, hand_overs.remind, command.application_id, command.hand_over_id, command.job_key)
    )

"""remind-violation: reminds whoever a violation waits for: of a referral's receipt, or of a settlement (R66, R67)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.matters.violations import tasks

JOB_TYPE = "remind-violation"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    matter_id: str
    job_key: int


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, tasks.remind, command.matter_id, command.job_key)

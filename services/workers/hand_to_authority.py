"""hand-to-authority: holds the evidence, and asks Legal to hand it over, once the referral is decided (R67)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.matters.violations import tasks

JOB_TYPE = "hand-to-authority"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    matter_id: str


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, tasks.begin_referral, command.matter_id)

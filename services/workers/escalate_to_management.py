"""escalate-to-management: name the managers who decide, and tell them (R26, T8)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.reviews import escalation

JOB_TYPE = "escalate-to-management"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    decided_by: str
    job_key: int


@dataclass(frozen=True)
class Result:
    deciders: int


async def handle(command: Command, database: Database) -> Result:
    deciders = await database.run(
        ACTOR,
        escalation.escalate_to_management,
        command.application_id,
        command.decided_by,
        command.job_key,
    )
    return Result(len(deciders))

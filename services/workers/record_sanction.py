"""record-sanction: writes the sanctions that were decided, after it has found the signed decision (R66)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.matters.violations import tasks

JOB_TYPE = "record-sanction"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    matter_id: str


@dataclass(frozen=True)
class Result:
    """What the signed decision says of loss and referral: the process takes it from here, not from a message."""

    loss: bool
    referral: bool


async def handle(command: Command, database: Database) -> Result:
    recorded = await database.run(ACTOR, tasks.record_sanctions, command.matter_id)
    return Result(recorded.loss, recorded.referral)

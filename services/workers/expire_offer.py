"""expire-offer: a receipt that was signed before the time was over wins, else nobody takes the copies up any more."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.custody import hand_overs

JOB_TYPE = "expire-offer"
CHECKS_REGISTER = True
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    hand_over_id: str


@dataclass(frozen=True)
class Result:
    """``due_at`` where the copies were accepted, ISO 8601."""

    accepted_meanwhile: bool
    due_at: str | None


async def handle(command: Command, database: Database) -> Result:
    expiry = await database.run(ACTOR, hand_overs.expire_offer, command.application_id, command.hand_over_id)
    return Result(expiry.accepted_meanwhile, expiry.due_at)

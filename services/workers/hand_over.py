"""hand-over: offers the copies to the named custodian (R35, R46, R49, R50)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.custody import hand_overs

JOB_TYPE = "hand-over"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    use_period_days: int


@dataclass(frozen=True)
class Result:
    """Periods are ISO 8601 durations."""

    hand_over_id: str
    take_up_period: str
    grace_period: str
    reminder_lead: str


async def handle(command: Command, database: Database) -> Result:
    """Raises Fatal, with a sentence, where a rule forbids the hand-over."""
    offer = await database.run(ACTOR, hand_overs.offer, command.application_id)
    return Result(offer.hand_over_id, offer.take_up_period, offer.grace_period, offer.reminder_lead)

"""expire-application: a correction that came before the time was over wins, else the application expires (T6)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.applications import opening as application_opening

JOB_TYPE = "expire-application"
CHECKS_REGISTER = True
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    round: int


@dataclass(frozen=True)
class Result:
    corrected_meanwhile: bool
    item_ids: list[str]


async def handle(command: Command, database: Database) -> Result:
    expiry = await database.run(ACTOR, application_opening.expire, command.application_id, command.round)
    return Result(expiry.corrected_meanwhile, expiry.item_ids)

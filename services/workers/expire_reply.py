"""expire-reply: ends the time for a reply, unless all accused have replied meanwhile (R65, R66)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.matters.violations import tasks

JOB_TYPE = "expire-reply"
CHECKS_REGISTER = True
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    matter_id: str


@dataclass(frozen=True)
class Result:
    replied_meanwhile: bool


async def handle(command: Command, database: Database) -> Result:
    return Result(await database.run(ACTOR, tasks.expire_reply, command.matter_id))

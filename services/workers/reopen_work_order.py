"""reopen-work-order: a work order is to be done again, as its verifier has signed; its dates are new (R64)."""

from dataclasses import dataclass
from datetime import datetime

from services.database.unit_of_work import Actor, Database
from services.domain.work_orders import tasks

JOB_TYPE = "reopen-work-order"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    work_order_id: str


@dataclass(frozen=True)
class Result:
    """The next attempt; the model has to map all three, else the old timers fire at once."""

    attempt: int
    due_at: datetime
    first_reminder_at: datetime


async def handle(command: Command, database: Database) -> Result:
    found = await database.run(ACTOR, tasks.reopen, command.work_order_id)
    return Result(found.attempt, found.due_at, found.first_reminder_at)

"""start-work-order: notes the process of a work order, and gives its attempt and its dates (R64)."""

from dataclasses import dataclass
from datetime import datetime

from services.database.unit_of_work import Actor, Database
from services.domain.work_orders import tasks

JOB_TYPE = "start-work-order"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    work_order_id: str
    process_instance_key: int


@dataclass(frozen=True)
class Result:
    """``attempt`` keys the message of its doer; ``verified``: whether somebody verifies what was done."""

    attempt: int
    due_at: datetime
    first_reminder_at: datetime
    verified: bool


async def handle(command: Command, database: Database) -> Result:
    found = await database.run(ACTOR, tasks.start, command.work_order_id, command.process_instance_key)
    return Result(found.attempt, found.due_at, found.first_reminder_at, found.verified)

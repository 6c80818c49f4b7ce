"""open-due-work-orders: opens what the schedules have due, once for each period and subject (R11, R15, R47)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.work_orders import schedules

JOB_TYPE = "open-due-work-orders"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    pass


@dataclass(frozen=True)
class Result:
    opened: int


async def handle(command: Command, database: Database) -> Result:
    opened, more = 0, True
    while more:
        number, more = await database.run(ACTOR, schedules.open_due_work_orders)
        opened += number
    return Result(opened)

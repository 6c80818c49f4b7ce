"""remind-work-order: reminds who does a work order, until it is done (R64)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.work_orders import tasks

JOB_TYPE = "remind-work-order"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    work_order_id: str
    job_key: int


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, tasks.remind, command.work_order_id, command.job_key)

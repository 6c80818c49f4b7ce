"""close-work-order: closes a work order that is done and verified, and writes its sheet (R11, R53, R64)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.work_orders import tasks

JOB_TYPE = "close-work-order"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    """``closed_as``: done or cancelled; the database has to say the same."""

    work_order_id: str
    closed_as: str


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, tasks.close, command.work_order_id, command.closed_as)

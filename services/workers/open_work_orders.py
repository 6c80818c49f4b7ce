"""open-work-orders: opens a work order about a part of the daily maintenance that fails, one while it is open (R12)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.work_orders import opening
from services.runtime.errors import NotPermitted

JOB_TYPE = "open-work-orders"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    """``defect``: the job type of the part that fails."""

    defect: str


async def handle(command: Command, database: Database) -> None:
    try:
        await database.run(ACTOR, opening.open_defect, command.defect)
    except KeyError:
        raise NotPermitted(
            f"could not open a work order | {command.defect} | the maintenance has no such part | correct the variable "
            "defect, then resolve the incident"
        ) from None

"""escalate-review: the limit of a review is reached, so the substitutes may decide it, too."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.reviews import tasks as review_tasks
from services.domain.supervision import tasks as supervision_tasks
from services.domain.work_orders import tasks as work_order_tasks

JOB_TYPE = "escalate-review"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    review_id: str
    job_key: int


async def handle(command: Command, database: Database) -> None:
    of_work_order = await database.read(ACTOR, work_order_tasks.find_verification, command.review_id)
    act = review_tasks.escalate if of_work_order is None else work_order_tasks.escalate_verification
    if await database.read(ACTOR, supervision_tasks.is_of_inspection, command.review_id):
        act = supervision_tasks.escalate
    await database.run(ACTOR, act, command.review_id, command.job_key)

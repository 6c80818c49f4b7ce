"""escalate-review: the limit of a review is reached, so the substitutes may decide it, too."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.reviews import tasks as review_tasks

JOB_TYPE = "escalate-review"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    review_id: str
    job_key: int


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, review_tasks.escalate, command.review_id, command.job_key)

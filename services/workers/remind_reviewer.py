"""remind-reviewer: remind the people who may decide an open review."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.reviews import tasks as review_tasks

JOB_TYPE = "remind-reviewer"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    review_id: str
    job_key: int


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, review_tasks.remind, command.review_id, command.job_key)

"""remind-reviewer: remind the people who may decide an open review."""

from dataclasses import dataclass

from services.register import review_tasks
from services.register.unit import Actor, Register

JOB_TYPE = "remind-reviewer"


@dataclass(frozen=True)
class RemindReviewer:
    review_id: str
    job_key: int


async def handle(command: RemindReviewer, register: Register) -> None:
    await register.run(Actor("worker", JOB_TYPE), review_tasks.remind, command.review_id, command.job_key)

"""escalate-review: the limit of a review is reached, so the substitutes may decide it, too."""

from dataclasses import dataclass

from services.register import review_tasks
from services.register.unit import Actor, Register

JOB_TYPE = "escalate-review"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    review_id: str
    job_key: int


async def handle(command: Command, register: Register) -> None:
    await register.run(ACTOR, review_tasks.escalate, command.review_id, command.job_key)

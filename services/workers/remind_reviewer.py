"""remind-reviewer: remind the people who may decide an open review."""

from dataclasses import dataclass

from services.register import review_tasks
from services.register.unit import Actor, Register

JOB_TYPE = "remind-reviewer"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    review_id: str
    job_key: int


async def handle(command: Command, register: Register) -> None:
    await register.run(ACTOR, review_tasks.remind, command.review_id, command.job_key)

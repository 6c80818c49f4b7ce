"""resume-access: access up to the new due date after the use period was changed (R50)."""

from dataclasses import dataclass

from services.register import hand_overs
from services.register.unit import Actor, Register

JOB_TYPE = "resume-access"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    hand_over_id: str


async def handle(command: Command, register: Register) -> None:
    await register.run(ACTOR, hand_overs.resume, command.application_id, command.hand_over_id)

"""open-case: open the case: bind the application to its process instance, so that a second start ends silently."""

from dataclasses import dataclass

from services.register import opening
from services.register.rules import iso
from services.register.unit import Actor, Register

JOB_TYPE = "open-case"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    process_instance_key: int


@dataclass(frozen=True)
class Result:
    duplicate: bool
    item_ids: list[str]
    correction_period: str
    application_number: str


async def handle(command: Command, register: Register) -> Result:
    opened = await register.run(ACTOR, opening.open_case, command.application_id, command.process_instance_key)
    return Result(opened.duplicate, opened.item_ids, iso(opened.correction_period), opened.application_number)

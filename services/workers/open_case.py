"""Open the case: bind the application to its process instance, so that a second start ends silently."""

from dataclasses import dataclass

from services.register import opening
from services.register.rules import iso
from services.register.unit import Actor, Register

JOB_TYPE = "open-case"


@dataclass(frozen=True)
class OpenCase:
    application_id: str
    process_instance_key: int


@dataclass(frozen=True)
class CaseOpened:
    duplicate: bool
    item_ids: list[str]
    correction_period: str


async def handle(command: OpenCase, register: Register) -> CaseOpened:
    opened = await register.run(
        Actor("worker", JOB_TYPE), opening.open_case, command.application_id, command.process_instance_key
    )
    return CaseOpened(opened.duplicate, opened.item_ids, iso(register.rules.correction_period))

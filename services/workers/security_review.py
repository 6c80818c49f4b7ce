"""security-review: the automatic part of the security review: rules, conflicts, agreements, camera class (R24)."""

from dataclasses import dataclass

from services.register import security_check
from services.register.unit import Actor, Register

JOB_TYPE = "security-review"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str


@dataclass(frozen=True)
class Result:
    security_findings: int
    camera_class: str
    security_involved: bool
    management_involved: bool


async def handle(command: Command, register: Register) -> Result:
    checked = await register.run(ACTOR, security_check.review, command.application_id)
    return Result(checked.findings, checked.camera_class, checked.security_involved, checked.management_involved)

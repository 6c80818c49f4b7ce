"""The automatic part of the security review: rules, conflicts, agreements, camera class (R24)."""

from dataclasses import dataclass

from services.register import security_check
from services.register.unit import Actor, Register

JOB_TYPE = "security-review"


@dataclass(frozen=True)
class ReviewSecurity:
    application_id: str


@dataclass(frozen=True)
class SecurityReviewed:
    security_findings: int
    camera_class: str
    security_involved: bool
    management_involved: bool


async def handle(command: ReviewSecurity, register: Register) -> SecurityReviewed:
    checked = await register.run(Actor("worker", JOB_TYPE), security_check.review, command.application_id)
    return SecurityReviewed(
        checked.findings, checked.camera_class, checked.security_involved, checked.management_involved
    )

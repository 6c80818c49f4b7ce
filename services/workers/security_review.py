"""security-review: the automatic part of the security review: rules, conflicts, agreements, camera class (R24)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.applications import security_check

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


async def handle(command: Command, database: Database) -> Result:
    checked = await database.run(ACTOR, security_check.review, command.application_id)
    return Result(checked.findings, checked.camera_class, checked.security_involved, checked.management_involved)

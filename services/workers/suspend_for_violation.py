"""suspend-for-violation: stops access, and serves the facts on the accused (R48, R65)."""

from dataclasses import dataclass
from datetime import timedelta

from services.database.unit_of_work import Actor, Database
from services.domain.matters.violations import tasks
from services.domain.matters.violations.assessment import Assessment

JOB_TYPE = "suspend-for-violation"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    """What the severity table says; the database takes nothing milder than its own floor."""

    matter_id: str
    severity: str
    deciding_stage: str
    suspend_person: bool
    referral_asked: bool


@dataclass(frozen=True)
class Result:
    reply_period: timedelta


async def handle(command: Command, database: Database) -> Result:
    assessment = Assessment(command.severity, command.deciding_stage, command.suspend_person, command.referral_asked)
    return Result(await database.run(ACTOR, tasks.serve, command.matter_id, assessment))

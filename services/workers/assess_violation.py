"""assess-violation: finds the facts that the severity table reads (R65, R66)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.matters.violations import tasks

JOB_TYPE = "assess-violation"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    matter_id: str
    process_instance_key: int


@dataclass(frozen=True)
class Result:
    """``repeats``: upheld violations of one person in twelve months, and this one."""

    violation_kind: str
    importance: str
    days_late: int
    leaked: bool
    repeats: int
    security_involved: bool
    management_involved: bool


async def handle(command: Command, database: Database) -> Result:
    found = await database.run(ACTOR, tasks.assess, command.matter_id, command.process_instance_key)
    return Result(
        violation_kind=found.violation_kind,
        importance=found.importance,
        days_late=found.days_late,
        leaked=found.leaked,
        repeats=found.repeats,
        security_involved=found.security_involved,
        management_involved=found.management_involved,
    )

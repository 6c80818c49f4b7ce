"""open-corrective-actions: a work order for each finding of an inspection, a violation for each severe one (R64)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.supervision import findings

JOB_TYPE = "open-corrective-actions"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    inspection_id: str


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, findings.open_corrections, command.inspection_id)

"""write-inspection-report: write the report of an inspection, with its numbers straight from the register (R63)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.supervision import reports

JOB_TYPE = "write-inspection-report"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    inspection_id: str


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, reports.write, command.inspection_id)

"""close-inspection: closes an inspection that the group has answered, or whose period has no cases (R63)."""

from dataclasses import dataclass

from services.database.unit_of_work import Actor, Database
from services.domain.supervision import service

JOB_TYPE = "close-inspection"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    inspection_id: str
    closed_as: str


async def handle(command: Command, database: Database) -> None:
    await database.run(ACTOR, service.close, command.inspection_id, command.closed_as)

"""resume-access: access up to the new due date after the use period was changed (R50)."""

from dataclasses import dataclass
from datetime import datetime

from services.database.unit_of_work import Actor, Database
from services.domain.custody import hand_overs

JOB_TYPE = "resume-access"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str
    hand_over_id: str
    due_at: datetime | None = None
    """What the process goes by now."""
    grace_period: str | None = None
    """Likewise; ISO 8601."""


async def handle(command: Command, database: Database) -> None:
    await database.run(
        ACTOR, hand_overs.resume, command.application_id, command.hand_over_id, command.due_at, command.grace_period
    )

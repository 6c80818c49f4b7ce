"""notify-storage: tell the storage office that an application is filed and approved, and measure the time (R30)."""

from dataclasses import dataclass
from datetime import datetime

from services.database.unit_of_work import Actor, Database
from services.domain.reviews import escalation

JOB_TYPE = "notify-storage"
ACTOR = Actor("worker", JOB_TYPE)


@dataclass(frozen=True)
class Command:
    application_id: str


@dataclass(frozen=True)
class Result:
    storage_notified_at: datetime


async def handle(command: Command, database: Database) -> Result:
    return Result(await database.run(ACTOR, escalation.notify_storage, command.application_id))

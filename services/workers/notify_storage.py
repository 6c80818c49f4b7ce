"""notify-storage: tell the storage office that an application is filed and approved, and measure the time (R30)."""

from dataclasses import dataclass
from datetime import datetime

from services.register import escalation
from services.register.unit import Actor, Register

JOB_TYPE = "notify-storage"


@dataclass(frozen=True)
class NotifyStorage:
    application_id: str


@dataclass(frozen=True)
class StorageNotified:
    storage_notified_at: datetime


async def handle(command: NotifyStorage, register: Register) -> StorageNotified:
    return StorageNotified(
        await register.run(Actor("worker", JOB_TYPE), escalation.notify_storage, command.application_id)
    )

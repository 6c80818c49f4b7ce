"""The time to correct is over: look for a correction that came before it, else let the application expire (T6)."""

from dataclasses import dataclass

from services.register import opening
from services.register.unit import Actor, Register

JOB_TYPE = "expire-application"


@dataclass(frozen=True)
class ExpireApplication:
    application_id: str
    round: int


@dataclass(frozen=True)
class CorrectionExpired:
    corrected_meanwhile: bool
    item_ids: list[str]


async def handle(command: ExpireApplication, register: Register) -> CorrectionExpired:
    expiry = await register.run(Actor("worker", JOB_TYPE), opening.expire, command.application_id, command.round)
    return CorrectionExpired(expiry.corrected_meanwhile, expiry.item_ids)

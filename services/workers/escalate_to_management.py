"""escalate-to-management: name the managers who decide, and tell them (R26, T8)."""

from dataclasses import dataclass

from services.register import escalation
from services.register.unit import Actor, Register

JOB_TYPE = "escalate-to-management"


@dataclass(frozen=True)
class EscalateToManagement:
    application_id: str
    decided_by: str
    job_key: int


@dataclass(frozen=True)
class Escalated:
    deciders: int


async def handle(command: EscalateToManagement, register: Register) -> Escalated:
    deciders = await register.run(
        Actor("worker", JOB_TYPE),
        escalation.to_management,
        command.application_id,
        command.decided_by,
        command.job_key,
    )
    return Escalated(len(deciders))

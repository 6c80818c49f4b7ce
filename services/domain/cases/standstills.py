"""Why a step of a case does not go on, and what happens next."""

from datetime import datetime, timedelta

from services.database.tables.process_steps import ProcessStep
from services.domain.cases.schemas.timeline import Standstill

UNTAKEN = timedelta(minutes=10)  # after which a try that was due counts as not taken by any process


def standstill_of(step: ProcessStep, now: datetime) -> Standstill | None:
    """Return why an open step does not go on; None for one that does."""
    if step.stuck_since is not None:
        return Standstill(since=step.stuck_since, part=step.waiting_for, stopped=True)
    if step.waiting_since is None:
        return None
    return Standstill(
        since=step.waiting_since,
        part=step.waiting_for,
        next_try_at=step.next_try_at,
        until=step.waiting_until,
        untaken=step.next_try_at is not None and now - step.next_try_at > UNTAKEN,
    )

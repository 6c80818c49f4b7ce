"""The runs of the daily maintenance: one of each task on each day of the organisation's zone.

The engine's timer only says that a day has begun. A second timer, another instance and a job that is sent by hand find
the day's run ended and do nothing; one that was killed goes on where its rows are.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.exc import IntegrityError

from services.database.tables.maintenance import MaintenanceRun
from services.database.unit_of_work import UnitOfWork
from services.runtime.errors import NotYet

REVERIFY, RECONCILE = "reverify-footage", "reconcile"
# A run without a sign of life for so long has died with its process.
SILENCE = timedelta(minutes=5)


def day_of(uow: UnitOfWork) -> str:
    """Return today in the organisation's zone, as 2031-03-04."""
    return uow.now.astimezone(ZoneInfo(uow.rules.zone)).date().isoformat()


def begin(uow: UnitOfWork, task: str, holder: str) -> str | None:
    """Take today's run of the task; return its day, or None where it is over.

    Raises NotYet while another job works on it.
    """
    day = day_of(uow)
    run = uow.session.get(MaintenanceRun, (day, task), with_for_update=True)
    if run is None:
        fresh = MaintenanceRun(day=day, task=task, began_at=uow.now, heartbeat_at=uow.now, holder=holder)
        # two that begin a day at the same moment: one inserts, the other finds it
        with suppress(IntegrityError), uow.savepoint():
            uow.session.add(fresh)
        run = uow.session.get_one(MaintenanceRun, (day, task), with_for_update=True, populate_existing=True)
    if run.ended_at is not None:
        return None
    if run.holder not in (None, holder) and uow.now - run.heartbeat_at < SILENCE:
        raise NotYet(f"{task} of {day} is being done by another job: it is tried again in a moment")
    run.holder, run.heartbeat_at = holder, uow.now
    return day


def beat(uow: UnitOfWork, day: str, task: str) -> None:
    """Give a sign of life."""
    _lock(uow, day, task).heartbeat_at = uow.now


def take_bytes(uow: UnitOfWork, day: str, task: str, size: int, budget: int, *, holder: str) -> bool:
    """Take ``size`` bytes of the day's budget before they are read; return False where it does not allow them.

    What a killed process has taken stays taken. An object that is larger than a whole day's budget is read where
    nothing else was before it: it would be verified never. Raises NotYet where another job has taken the run over while
    this one gave no sign of life: two would else read beside each other.
    """
    run = _lock(uow, day, task)
    if run.ended_at is not None:
        return False
    if run.holder != holder:
        raise NotYet(f"{task} of {day} is being done by another job: it is tried again in a moment")
    if run.bytes_read and run.bytes_read + size > budget:
        return False
    run.bytes_read += size
    run.heartbeat_at = uow.now
    return True


def return_bytes(uow: UnitOfWork, day: str, task: str, size: int) -> None:
    """Return to the day's budget what was taken for an object that the store did not give."""
    run = _lock(uow, day, task)
    run.bytes_read = max(run.bytes_read - size, 0)


def count(uow: UnitOfWork, day: str, task: str, **more: int) -> None:
    """Add to the counts of a run."""
    run = _lock(uow, day, task)
    run.counts = {**run.counts, **{name: run.counts.get(name, 0) + number for name, number in more.items()}}


def set_counts(uow: UnitOfWork, day: str, task: str, counts: Mapping[str, int]) -> None:
    """Set counts of a run: one that begins anew counts anew."""
    run = _lock(uow, day, task)
    run.counts = {**run.counts, **counts}


def get_counts(uow: UnitOfWork, day: str, task: str) -> dict[str, Any]:
    """Return what a run has counted so far."""
    return dict(_lock(uow, day, task).counts)


def give_back(uow: UnitOfWork, day: str, task: str) -> None:
    """Let another job go on with a run that could not be ended."""
    _lock(uow, day, task).holder = None


def end(uow: UnitOfWork, day: str, task: str) -> Mapping[str, Any]:
    """End the run: the day's task is done. Return its counts."""
    run = _lock(uow, day, task)
    if run.ended_at is None:
        run.ended_at, run.holder = uow.now, None
    return dict(run.counts)


def _lock(uow: UnitOfWork, day: str, task: str) -> MaintenanceRun:
    return uow.session.get_one(MaintenanceRun, (day, task), with_for_update=True, populate_existing=True)

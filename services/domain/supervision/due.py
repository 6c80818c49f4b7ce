"""Begin the inspection of the period that has ended, or ask management for a valid group (R60, R63)."""

from datetime import datetime, timedelta

from sqlalchemy import func, select

from services.database.leases import Lease, Leased
from services.database.tables.applications import Application
from services.database.tables.inspections import GroupInspection
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.supervision import findings, groups, periods, service
from services.domain.supervision.periods import Period
from services.runtime.errors import Refused
from services.runtime.logs import get_logger
from services.runtime.periodic import Periodic

log = get_logger(__name__)
ACTOR = Actor("system", "inspections")
EVERY = timedelta(minutes=10)


def begin(uow: UnitOfWork) -> str | None:
    """Open the inspection of the last complete period unless it is there; return its number, or None.

    Of a quarter of which a month is inspected already, the other months are inspected, so that nothing is left out.
    Without a valid group a work order asks the management for one, once for each period. Nothing is asked where nobody
    had submitted anything before the end of the period, nor until the audit trail has a checkpoint of after it.
    """
    period = _find_due(uow)
    if period is None:
        return None
    used = select(Application.id).where(Application.listed_at < period.end, Application.submitted_at.is_not(None))
    if uow.session.scalar(used.limit(1)) is None:
        return None
    refusal = groups.refusal_of(uow, groups.find_current(uow))
    if refusal is not None:
        findings.open_without_group(uow, period.name, refusal.en)
        return None
    try:
        return service.open_due(uow, period).number
    except Refused as refused:
        if refused.code != "no-seed":
            raise
        log.info("no inspection is begun yet: no checkpoint was signed since the period", period=period.name)
        return None


def _find_due(uow: UnitOfWork) -> Period | None:
    """Return the last complete period where nothing of it is inspected, else the first month of it that is not."""
    last = periods.last_complete(uow.now, uow.rules.inspection_period, uow.rules.zone)
    if not service.is_overlapped(uow, last):
        return last
    if periods.length_of(last) == periods.MONTH:
        return None
    # a month of the quarter was inspected while the rule said so: the others are inspected one by one
    months = periods.months_of(last, uow.rules.zone)
    return next((month for month in months if not service.is_overlapped(uow, month)), None)


def unsigned_since(uow: UnitOfWork) -> datetime | None:
    """Return when the oldest period has ended whose report nobody has signed or refused; None where there is none.

    A period that was never inspected counts too, from the first one behind those that were.
    """
    unsigned = select(func.min(GroupInspection.period_to)).where(
        GroupInspection.signed_as.is_(None), GroupInspection.closed_at.is_(None)
    )
    open_since = uow.session.scalar(unsigned)
    begin = uow.session.scalar(select(func.max(GroupInspection.period_to)))
    begin = begin or uow.session.scalar(select(func.min(Application.submitted_at)))
    ends = [open_since] if open_since is not None else []
    if begin is not None:
        ends.append(periods.containing(begin, uow.rules.inspection_period, uow.rules.zone).end)
    return min((end for end in ends if end <= uow.now), default=None)


def inspections(database: Database) -> Periodic:
    """Return the task that begins them; one process at a time."""

    async def run() -> bool:
        await database.run(ACTOR, begin)
        return False

    return Leased(Lease.between_runs(database, "inspections", EVERY), EVERY, run)

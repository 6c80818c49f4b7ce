"""Begin the inspections that are due, and keep a valid group on each, or ask management for one (R60, R63)."""

from datetime import datetime, timedelta

from sqlalchemy import Select, func, select

from services.database.leases import Lease, Leased
from services.database.tables.applications import Application
from services.database.tables.inspections import GroupInspection
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.supervision import findings, groups, periods, service, successions
from services.domain.supervision.periods import Period
from services.runtime.errors import Refused
from services.runtime.logs import get_logger
from services.runtime.periodic import Periodic, run_each

log = get_logger(__name__)
ACTOR = Actor("system", "inspections")
EVERY = timedelta(minutes=10)


def begin(uow: UnitOfWork) -> str | None:
    """Open the inspection that is due, unless it is there; return its number, or None.

    That is the last complete period, and before it each one that was left out since the first inspection: nobody
    chooses by waiting which period is not looked at. Those are begun one after another, each while no inspection is
    open. Of a quarter of which a month is inspected already, the other months are inspected.
    Without a valid group a work order asks the management for one, once for each period. Nothing is asked where nobody
    had submitted anything before the end of the period, nor until the audit trail has a checkpoint of after it.
    """
    periods_due = _list_uninspected(uow)
    if not periods_due:
        return None
    refusal = groups.refusal_of(uow, groups.find_current(uow))
    if refusal is not None:
        if _is_used(uow, periods_due[-1]):
            findings.open_without_group(uow, periods_due[-1].name, refusal.en)
        return None
    if not _is_none_open(uow):
        last = periods.last_complete(uow.now, uow.rules.inspection_period, uow.rules.zone)
        periods_due = [period for period in periods_due if period.start >= last.start]
    for period in periods_due:
        if not _is_used(uow, period):
            continue
        try:
            return service.open_due(uow, period).number
        except Refused as refused:
            if refused.code != "no-seed":
                raise
            log.info("no inspection is begun yet: no checkpoint was signed since the period", period=period.name)
    return None


def _is_used(uow: UnitOfWork, period: Period) -> bool:
    used = select(Application.id).where(Application.listed_at < period.end, Application.submitted_at.is_not(None))
    return uow.session.scalar(used.limit(1)) is not None


def _is_none_open(uow: UnitOfWork) -> bool:
    is_open = select(GroupInspection.id).where(GroupInspection.closed_at.is_(None))
    return uow.session.scalar(is_open.limit(1)) is None


def _list_uninspected(uow: UnitOfWork) -> list[Period]:
    """List the complete periods of which nothing is inspected, from the first inspection on, the oldest first.

    Before the first inspection there is the last complete period alone. A month stands for itself where another month
    of its quarter is inspected.
    """
    length, zone = uow.rules.inspection_period, uow.rules.zone
    last = periods.last_complete(uow.now, length, zone)
    inspected = uow.session.execute(
        select(GroupInspection.period_from, GroupInspection.period_to).order_by(GroupInspection.period_from)
    ).all()

    def is_left_out(period: Period) -> bool:
        return all(period_from >= period.end or period_to <= period.start for period_from, period_to in inspected)

    found = []
    first = inspected[0].period_from if inspected else last.start
    period = periods.containing(first, length, zone)
    while period.end <= last.end:
        if is_left_out(period):
            found.append(period)
        elif length == periods.QUARTER:
            # a month of it was inspected while the rule said so: the others are inspected one by one
            found += filter(is_left_out, periods.months_of(period, zone))
        period = periods.containing(period.end, length, zone)
    return [one for one in found if one.start >= first or one.start >= last.start]


def unsigned_since(uow: UnitOfWork) -> datetime | None:
    """Return when the oldest period has ended whose report nobody has signed or refused; None where there is none.

    A period that was never inspected counts too, from the first inspection on.
    """
    unsigned = select(func.min(GroupInspection.period_to)).where(
        GroupInspection.signed_as.is_(None), GroupInspection.closed_at.is_(None)
    )
    open_since = uow.session.scalar(unsigned)
    ends = [open_since] if open_since is not None else []
    if uow.session.scalar(select(GroupInspection.id).limit(1)) is not None:
        ends += [period.end for period in _list_uninspected(uow)]
    elif (first := uow.session.scalar(_first_submitted())) is not None:
        ends.append(periods.containing(first, uow.rules.inspection_period, uow.rules.zone).end)
    return min((end for end in ends if end <= uow.now), default=None)


def _first_submitted() -> Select[datetime | None]:
    """Select when the first case was submitted, which is listed by that moment: an index begins with it."""
    submitted = Application.submitted_at
    return select(submitted).where(submitted.is_not(None)).order_by(Application.listed_at).limit(1)


def inspections(database: Database) -> Periodic:
    """Return the task that begins them; one process at a time."""

    async def run() -> bool:
        await run_each(
            "inspections", (lambda: database.run(ACTOR, successions.take_over), lambda: database.run(ACTOR, begin))
        )
        return False

    return Leased(Lease.between_runs(database, "inspections", EVERY), EVERY, run)

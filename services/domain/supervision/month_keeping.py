"""Count the months that are over as soon as they are, for the statistics and the reports (R62, R63)."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeAlias

from services.database.leases import Lease, Leased
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.supervision import month_totals, statistics
from services.domain.supervision.statistics import MOST_MONTHS, Months
from services.runtime.periodic import Periodic

ACTOR = Actor("system", "statistics")
NAME = "statistics"
EVERY = timedelta(minutes=10)


Rows: TypeAlias = list[dict[str, Any]]


async def keep_apart(database: Database, actor: Actor, months: Callable[[UnitOfWork], Months]) -> None:
    """Keep what ``keep_over`` keeps; nobody who writes waits while it is counted."""
    missing, counted = await database.read(actor, lambda uow: count_missing(uow, months(uow)))
    if missing:
        await database.run(actor, month_totals.keep, missing, counted)


def keep_over(uow: UnitOfWork, period: Months) -> None:
    """Count and keep those months of the period that are over and not kept yet: three statements at most."""
    missing, counted = count_missing(uow, period)
    if missing:
        month_totals.keep(uow, missing, counted)


def count_missing(uow: UnitOfWork, period: Months) -> tuple[list[str], Rows]:
    """Return the months of the period that are over and not kept yet, and what is to be kept of them."""
    over = [name for name, end in zip(period.names, period.bounds[1:], strict=True) if end <= uow.now]
    kept = month_totals.read(uow, over)
    missing = [name for name in over if name not in kept]
    if not missing:
        return [], []
    first = period.names.index(missing[0])
    rest = Months(period.first_days[first:], period.bounds[first:])
    counted = statistics.count_measures(uow, rest, of_reader=False)
    return missing, [
        {
            **{"month": rest.names[one.month], "measure": one.measure, "department_id": one.department},
            **{"kind": one.kind, "number": one.number},
        }
        for one in counted
        if rest.names[one.month] in missing
    ]


def keep_due(uow: UnitOfWork) -> bool:
    """Keep all months that the statistics can show and are over; add up stages; return whether more are left."""
    keep_over(uow, _shown(uow))
    return month_totals.add_up_stages(uow)


def _shown(uow: UnitOfWork) -> Months:
    return statistics.months_before(uow.now, uow.rules.zone, MOST_MONTHS)


def kept_statistics(database: Database) -> Periodic:
    """Return the task that does so; one process at a time."""

    async def run() -> bool:
        await keep_apart(database, ACTOR, _shown)
        return await database.run(ACTOR, keep_due)

    return Leased(Lease.between_runs(database, NAME, EVERY), EVERY, run)

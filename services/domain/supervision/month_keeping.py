"""Count the months that are over as soon as they are, for the statistics and the reports (R62, R63)."""

from datetime import timedelta

from services.database.leases import Lease, Leased
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.supervision import month_totals, statistics
from services.domain.supervision.statistics import MOST_MONTHS, Months
from services.runtime.periodic import Periodic

ACTOR = Actor("system", "statistics")
NAME = "statistics"
EVERY = timedelta(minutes=10)


def keep_over(uow: UnitOfWork, period: Months) -> None:
    """Count and keep those months of the period that are over and not kept yet: three statements at most."""
    over = [name for name, end in zip(period.names, period.bounds[1:], strict=True) if end <= uow.now]
    kept = month_totals.read(uow, over)
    missing = [name for name in over if name not in kept]
    if not missing:
        return
    first = period.names.index(missing[0])
    rest = Months(period.first_days[first:], period.bounds[first:])
    counted = statistics.count_measures(uow, rest, of_reader=False)
    month_totals.keep(
        uow,
        missing,
        [
            {
                **{"month": rest.names[one.month], "measure": one.measure, "department_id": one.department},
                **{"kind": one.kind, "number": one.number},
            }
            for one in counted
            if rest.names[one.month] in missing
        ],
    )


def keep_due(uow: UnitOfWork) -> bool:
    """Keep all months that the statistics can show and are over; add up stages; return whether more are left."""
    keep_over(uow, statistics.months_before(uow.now, uow.rules.zone, MOST_MONTHS))
    return month_totals.add_up_stages(uow)


def kept_statistics(database: Database) -> Periodic:
    """Return the task that does so; one process at a time."""

    async def run() -> bool:
        return await database.run(ACTOR, keep_due)

    return Leased(Lease.between_runs(database, NAME, EVERY), EVERY, run)

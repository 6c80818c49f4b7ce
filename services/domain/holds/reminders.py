"""Remind the owners of holds of their review (F14)."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import or_, select

from services.database.leases import Lease, Leased
from services.database.tables.holds import Hold
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.runtime.periodic import Periodic

ACTOR = Actor("system", "hold-reviews")
EVERY = timedelta(minutes=10)
AGAIN = timedelta(days=7)
AT_ONCE = 50


def remind(uow: UnitOfWork) -> bool:
    """Notify the owners of holds that are due for review, and again each week; return whether there may be more.

    Of an owner who has left, the head of the department is notified.
    """
    due = (
        select(Hold)
        .where(
            Hold.lifted_at.is_(None),
            Hold.review_at <= uow.now,
            or_(Hold.reminded_at.is_(None), Hold.reminded_at <= uow.now - AGAIN),
        )
        .order_by(Hold.review_at, Hold.id)
        .limit(AT_ONCE)
    )
    rows = uow.session.scalars(due).all()
    for hold in rows:
        hold.reminded_at = uow.now
        notification_service.mark_done(uow, "hold", subject_id=hold.id)  # one open notice is enough
        notification_service.notify(
            uow, hold.owner_id, "hold-review-due", application_id=hold.application_id, subject_id=hold.id
        )
        audit_trail.record(uow, "hold-review-due", "hold", hold.id, application_id=hold.application_id)
    return len(rows) == AT_ONCE


def hold_reviews(database: Database, *acts: Callable[[UnitOfWork], bool]) -> Periodic:
    """Return the task that reminds, and does ``acts`` about holds besides; one process at a time.

    Each of these returns whether there may be more.
    """

    async def run() -> bool:
        return any([await database.run(ACTOR, act) for act in (remind, *acts)])

    return Leased(Lease.between_runs(database, "hold-reviews", EVERY), EVERY, run)

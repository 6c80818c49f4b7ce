"""End what asks for an explanation of a day's findings, once none of them is left (R13, R30)."""

from collections.abc import Collection

from sqlalchemy import select

from services.database.tables.maintenance import ReconciliationFinding
from services.database.unit_of_work import UnitOfWork
from services.domain.notifications import service as notification_service
from services.domain.storage.differences import UNRESOLVED


def end_settled(uow: UnitOfWork, days: Collection[str]) -> None:
    """End the notices of those of these days of which every finding is explained or gone."""
    left = select(ReconciliationFinding.first_day).where(
        ReconciliationFinding.first_day.in_(days), ReconciliationFinding.state.in_(UNRESOLVED)
    )
    settled = set(days) - set(uow.session.scalars(left.distinct()))
    notification_service.mark_done(uow, "findings", subject_ids=settled)

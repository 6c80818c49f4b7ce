"""The rows of grants: which there are of a loan, and how those of named recipients end (R55, R57).

Below ``grants`` and ``suspensions``, which both end them.
"""

from sqlalchemy import select

from services.database.tables.copies import Copy, Grant
from services.database.tables.custody import HandOver
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service


def list_of_hand_over(uow: UnitOfWork, hand_over_id: str) -> list[Grant]:
    return list(
        uow.session.scalars(
            select(Grant)
            .join(Copy, Copy.id == Grant.copy_id)
            .where(Copy.hand_over_id == hand_over_id)
            .order_by(Grant.id)
        )
    )


def list_of_recipients(uow: UnitOfWork, hand_over: HandOver) -> list[Grant]:
    """List the rights of others than the custodian that have not ended."""
    return [
        grant
        for grant in list_of_hand_over(uow, hand_over.id)
        if grant.ended_at is None and grant.person_id != hand_over.custodian_id
    ]


def end_of_recipients(uow: UnitOfWork, hand_over: HandOver, because: str, *, person_id: str | None = None) -> bool:
    """End the rights of named recipients, or of one of them; return whether there was any."""
    ending = [grant for grant in list_of_recipients(uow, hand_over) if person_id in (None, grant.person_id)]
    for grant in ending:
        end(uow, hand_over, grant, because)
    return bool(ending)


def end(uow: UnitOfWork, hand_over: HandOver, grant: Grant, because: str) -> None:
    """End one grant for good."""
    grant.ended_at, grant.ended_because = uow.now, because
    record(uow, hand_over, grant, "grant-ended", because)
    if grant.person_id != hand_over.custodian_id:
        notification_service.mark_done(uow, "viewing", subject_id=hand_over.id, person_id=grant.person_id)


def record(uow: UnitOfWork, hand_over: HandOver, grant: Grant, action: str, because: str) -> None:
    """Record in the audit trail what became of a grant."""
    audit_trail.record(
        uow,
        action,
        "copy",
        grant.copy_id,
        application_id=hand_over.application_id,
        person=grant.person_id,
        granted=grant.action,
        because=because,
    )

"""The end of matters whose subject has ended: in the same act, so that nobody decides what nobody takes (P11).

The process of such a matter is told as well; what it still asks of the database then changes nothing.
"""

from sqlalchemy import select

from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.domain.process import outbox
from services.domain.process.messages import MATTER_MOOT
from services.domain.reviews import tasks

MOOT = "moot"
# Kinds that go on after the loan and the case have ended.
OUTLIVING = ("violation", "hold", "lift-hold", "appeal")


def end_of_loan(uow: UnitOfWork, application_id: str, because: str) -> None:
    """End the open matters of a case whose loan is over."""
    query = (
        select(Matter)
        .where(Matter.application_id == application_id, Matter.closed_at.is_(None), Matter.kind.not_in(OUTLIVING))
        .order_by(Matter.id)
        .with_for_update()
    )
    for matter in uow.session.scalars(query).all():
        close(uow, matter, MOOT, {"because": because})
        outbox.publish(
            uow,
            MATTER_MOOT,
            matter.id,
            application_id=application_id,
            matter_id=matter.id,
            message_id=f"{MATTER_MOOT}:{matter.id}",
            variables={},
        )


def close(uow: UnitOfWork, matter: Matter, closed_as: str, outcome: dict[str, object]) -> None:
    """Close a matter and what is open of it, and tell whoever asked."""
    matter.closed_at, matter.closed_as, matter.outcome = uow.now, closed_as, outcome
    tasks.close_of_matter(uow, matter, f"matter-{closed_as}")
    audit_trail.record(
        uow,
        "matter-closed",
        "matter",
        matter.id,
        application_id=matter.application_id,
        number=matter.number,
        kind=matter.kind,
        closed_as=closed_as,
    )
    for person_id in sorted(filter(None, {matter.opened_by, matter.counterpart_id})):
        notification_service.notify(
            uow,
            person_id,
            f"matter-{closed_as}",
            application_id=matter.application_id,
            subject_id=matter.id,
        )

"""The end of matters whose subject has ended: in the same act, so that nobody decides what nobody takes (P11).

The process of such a matter is told as well; what it still asks of the database then changes nothing.
"""

from sqlalchemy import select

from services.database.tables.matters import Matter
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.domain.process import outbox
from services.domain.process.messages import APPLICATION_APPROVED, APPLICATION_REFUSED, MATTER_MOOT
from services.domain.reviews import tasks

MOOT = "moot"
ASKED_BACK = "asked-back"  # why a matter is moot that was withdrawn
URGENT = "urgent"
# Kinds that go on after the loan and the case have ended.
OUTLIVING = ("violation", "hold", "lift-hold", "appeal", "disposal")


def end_of_loan(uow: UnitOfWork, application_id: str, because: str, *, by_matter: str | None = None) -> None:
    """End the open matters of a case whose loan is over, save the one ``by_matter`` that has ended it."""
    query = (
        select(Matter)
        .where(Matter.application_id == application_id, Matter.closed_at.is_(None), Matter.kind.not_in(OUTLIVING))
        .order_by(Matter.id)
        .with_for_update()
    )
    for matter in uow.session.scalars(query).all():
        if matter.id == by_matter:
            continue
        if _is_shown(uow, matter):  # its own process ends what people see, and says why
            _tell(uow, matter, APPLICATION_REFUSED)
            continue
        close(uow, matter, MOOT, {"because": because})
        _tell(uow, matter, MATTER_MOOT)


def ask_back(uow: UnitOfWork, matter: Matter) -> None:
    """End a matter that the acting person withdraws, of which nothing is decided yet."""
    audit_trail.record(
        uow,
        "matter-withdrawn",
        "matter",
        matter.id,
        application_id=matter.application_id,
        number=matter.number,
        kind=matter.kind,
    )
    outcome: dict[str, object] = {"because": ASKED_BACK, "by": uow.actor.id}
    _end(uow, matter, MOOT, outcome)
    _notify(uow, matter, "matter-withdrawn", besides=uow.actor.id)
    _tell(uow, matter, MATTER_MOOT)


def application_approved(uow: UnitOfWork, application_id: str) -> None:
    """Tell the process of an urgent retrieval that its application is approved; one that nobody has released ends."""
    query = select(Matter).where(
        Matter.application_id == application_id, Matter.kind == URGENT, Matter.closed_at.is_(None)
    )
    for matter in uow.session.scalars(query.with_for_update()).all():
        if _is_shown(uow, matter):
            _tell(uow, matter, APPLICATION_APPROVED)
        else:
            close(uow, matter, MOOT, {"because": "approved"})
            _tell(uow, matter, MATTER_MOOT)


def _is_shown(uow: UnitOfWork, matter: Matter) -> bool:
    """Whether it is an urgent retrieval that is released, so that people may have seen its footage."""
    released = select(Decision.id).where(Decision.matter_id == matter.id, Decision.outcome == "approved")
    return matter.kind == URGENT and uow.session.scalar(released.limit(1)) is not None


def _tell(uow: UnitOfWork, matter: Matter, name: str) -> None:
    """Send a message to the process of a matter, once."""
    message_id = f"{name}:{matter.id}"
    if uow.session.scalar(select(OutboxMessage.id).where(OutboxMessage.message_id == message_id)) is None:
        outbox.publish(
            uow,
            name,
            matter.id if name == MATTER_MOOT else matter.application_id,
            application_id=matter.application_id,
            matter_id=matter.id,
            message_id=message_id,
            variables={},
        )


def close(uow: UnitOfWork, matter: Matter, closed_as: str, outcome: dict[str, object]) -> None:
    """Close a matter and what is open of it, and tell whoever asked."""
    _end(uow, matter, closed_as, outcome)
    _notify(uow, matter, f"matter-{closed_as}")


def _end(uow: UnitOfWork, matter: Matter, closed_as: str, outcome: dict[str, object]) -> None:
    matter.closed_at, matter.closed_as, matter.outcome = uow.now, closed_as, outcome
    tasks.close_of_matter(uow, matter, f"matter-{closed_as}")
    notification_service.mark_done(uow, "matter", subject_id=matter.id)
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


def _notify(uow: UnitOfWork, matter: Matter, code: str, *, besides: str | None = None) -> None:
    for person_id in sorted({*filter(None, (matter.opened_by, matter.counterpart_id))} - {besides}):
        notification_service.notify(uow, person_id, code, application_id=matter.application_id, subject_id=matter.id)

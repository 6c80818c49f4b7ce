"""What has to be so before a work order is done, and what follows once it is, by its kind (R47, R59, F14)."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.custody import HandOver
from services.database.tables.holds import Hold
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.custody import heads
from services.domain.notifications import service as notification_service
from services.domain.work_orders import service
from services.domain.work_orders.kinds import ACTED_ON
from services.runtime.translations import Message


def register() -> None:
    """Register what follows for the kinds of this capability; again is no error."""
    service.WHEN_DONE["check-in"] = follow_check_in
    service.WHEN_DONE["hold-review"] = follow_hold_review
    service.REQUIREMENTS["agreement-renewal"] = require_agreement_renewed
    service.REQUIREMENTS["check-in"] = require_loan_held


def follow_check_in(uow: UnitOfWork, order: WorkOrder) -> None:
    """A custodian who does not have the copies, or has passed them on, is a finding; Security is told at once (R47)."""
    given = _last_answers(uow, order)
    if any(given.get(code, {}).get("answer") == "no" for code in ACTED_ON["check-in"]):
        order.finding_due_at = order.finding_due_at or uow.now
        loan = uow.session.get_one(HandOver, order.subject_id)
        service.notify(uow, order, heads.list_of_security(uow, loan), "work-order-check-in-no")


def follow_hold_review(uow: UnitOfWork, order: WorkOrder) -> None:
    """A hold that is still needed is reviewed again after the usual time; another one is lifted by two people (F14)."""
    hold = uow.session.get(Hold, order.subject_id, with_for_update=True)
    [code] = ACTED_ON["hold-review"]
    needed = _last_answers(uow, order).get(code, {}).get("answer") == "yes"
    if hold is not None and hold.lifted_at is None and needed:
        hold.review_at, hold.reminded_at = uow.now + uow.rules.hold_review, None
        notification_service.mark_done(uow, "hold", subject_id=hold.id)
        audit_trail.record(
            uow,
            "hold-reviewed",
            "hold",
            hold.id,
            application_id=hold.application_id,
            review_at=hold.review_at.isoformat(),
            work_order=order.number,
        )


def require_agreement_renewed(uow: UnitOfWork, order: WorkOrder) -> Message | None:
    """Return why the renewal is not done yet: the person has no agreement that lasts beyond the one that ends (R59)."""
    if order.doer_id is not None and not has_later_agreement(uow, order):
        return Message("Sign the confidentiality agreement first: this work order is done once you have.")
    return None


def require_loan_held(uow: UnitOfWork, order: WorkOrder) -> Message | None:
    """Return why nobody reports of the loan any more (R47)."""
    hand_over = uow.session.get(HandOver, order.subject_id)
    if hand_over is None or is_over(hand_over):
        return Message("The loan has ended: there is nothing left to report.")
    return None


def _last_answers(uow: UnitOfWork, order: WorkOrder) -> dict[str, Any]:
    query = select(WorkOrderAttempt.answers).where(
        WorkOrderAttempt.work_order_id == order.id, WorkOrderAttempt.attempt == order.attempt
    )
    return uow.session.scalar(query) or {}


def has_later_agreement(uow: UnitOfWork, order: WorkOrder) -> bool:
    """Return whether its doer has an agreement that lasts beyond the one that ends."""
    valid = access_queries.get_valid_agreement(uow, str(order.doer_id))
    expires = datetime.fromisoformat(order.facts["facts"]["expiresAt"])
    return valid is not None and valid.expires_at > expires


def is_over(hand_over: HandOver) -> bool:
    """Return whether nobody holds the copies of the loan any more."""
    return any(moment is not None for moment in (hand_over.ended_at, hand_over.returned_at, hand_over.lost_at))

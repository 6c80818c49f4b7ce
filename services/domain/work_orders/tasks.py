"""What the jobs of a work order do. The rows decide, never the job: sent by hand or twice, it changes nothing (R64)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.reviews import Reminder
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.process import messages, outbox, permissions
from services.domain.reviews.tasks import Opened, is_reminder_due
from services.domain.stages.catalogue import STAGES
from services.domain.work_orders import fitness, policy, roles, service
from services.domain.work_orders.service import AGAIN, CANCELLED, DONE, STAGE, VERIFIED
from services.domain.working_calendar import deadlines
from services.runtime.canonical_json import hash_of
from services.runtime.errors import Fatal, NotPermitted

ESCALATED_EVERY = timedelta(days=7)  # while it is overdue; the model's timer says the same
ESCALATIONS_BEFORE_FINDING = 2


@dataclass(frozen=True)
class Waiting:
    """What the process waits with: the number of the attempt, which its message is keyed by, and its timers."""

    attempt: int
    due_at: datetime
    first_reminder_at: datetime
    verified: bool


def start(uow: UnitOfWork, work_order_id: str, process_instance_key: int) -> Waiting:
    """Note the process instance that handles the work order; a second run of it finds the same.

    Raises NotPermitted for another process instance.
    """
    order = _lock(uow, work_order_id, "start the work order")
    if order.process_instance_key not in (None, process_instance_key):
        raise _refusal(order, "start the work order", "another process instance handles it already")
    order.process_instance_key = process_instance_key
    _settle(uow, order, "the work order is started", messages.WORK_ORDER_OPENED)
    return _waiting(order, _attempt(uow, order))


def remind(uow: UnitOfWork, work_order_id: str, job_key: int) -> None:
    """Remind who does it, once for each job and period; nothing once it is done or closed."""
    order = _lock(uow, work_order_id, "remind of the work order")
    attempt = _attempt(uow, order)
    if order.closed_at is not None or attempt.done_at is not None:
        return
    if not permissions.is_over(uow, attempt.first_reminder_at):
        raise _refusal(order, "remind of the work order", f"the first reminder is at {attempt.first_reminder_at}")
    if not is_reminder_due(uow, job_key, service.SUBJECT_KIND, order.id):
        return
    uow.session.add(Reminder(job_key=job_key, kind=service.SUBJECT_KIND, subject_id=order.id, sent_at=uow.now))
    service.give_to_fit(uow, order)
    people = service.tell_doers(uow, order, "work-order-reminder")
    service.record(uow, order, "work-order-reminded", reminded=people)


def escalate(uow: UnitOfWork, work_order_id: str, job_key: int) -> None:
    """It is overdue: tell its doer and the head above, and substitutes may do it; the second time a finding is due.

    Raises NotPermitted before the due date, and before another week is over.
    """
    act = "escalate the work order"
    order = _lock(uow, work_order_id, act)
    attempt = _attempt(uow, order)
    if order.closed_at is not None or attempt.done_at is not None or uow.session.get(Reminder, job_key) is not None:
        return
    due = attempt.due_at + attempt.escalations * ESCALATED_EVERY
    if not permissions.is_over(uow, due):
        raise _refusal(order, act, f"it is not overdue before {due.isoformat()}")
    uow.session.add(Reminder(job_key=job_key, kind="work-order-overdue", subject_id=order.id, sent_at=uow.now))
    attempt.escalations += 1
    order.escalations += 1
    if order.escalations >= ESCALATIONS_BEFORE_FINDING and order.finding_due_at is None:
        order.finding_due_at = uow.now
    service.give_to_fit(uow, order)
    directory, role = access_queries.load_directory(uow), service.doer_of(order)
    doers = service.list_doers(uow, order, all_groups=True)
    above = roles.heads_above(directory, role, doers, without=fitness.list_concerned(uow, order))
    service.notify(uow, order, doers, "work-order-overdue")
    service.notify(uow, order, above, "work-order-overdue-below")
    service.record(
        uow,
        order,
        "work-order-escalated",
        attempt=attempt.attempt,
        escalations=order.escalations,
        told=[*doers, *above],
        finding_due=order.finding_due_at is not None,
    )


def require_stage(work_order_id: str, stage: str) -> None:
    """Raise NotPermitted for any stage but the verification."""
    if stage != STAGE:
        raise NotPermitted(
            f"could not open the review {stage} | work order {work_order_id} | a work order asks {STAGE} alone | "
            "correct the model, then resolve the incident"
        )


def open_verification(uow: UnitOfWork, work_order_id: str, *, job_key: int) -> Opened:
    """Ask who verifies what was done, once for each job and attempt.

    Raises NotPermitted where nothing was done or nobody is to verify it, Fatal where nobody may.
    """
    act = f"open the review {STAGE}"
    order = _lock(uow, work_order_id, act)
    attempt = _attempt(uow, order)
    if attempt.review_id is None:
        if order.closed_at is not None:
            raise _refusal(order, act, f"it is closed as {order.closed_as}")
        if attempt.done_at is None:
            raise _refusal(order, act, "its doer has not signed it")
        if not order.is_verified:
            raise _refusal(order, act, "nobody verifies it")
        _settle(uow, order, "its verification is asked for", messages.WORK_ORDER_OPENED, messages.WORK_ORDER_DONE)
        deadline = deadlines.compute(uow, STAGES[STAGE])
        attempt.review_id, attempt.job_key, attempt.asked_at = new_id(), job_key, uow.now
        attempt.verify_until = deadline.due_at
        people = _require_verifiers(uow, order, late=False)
        service.notify(uow, order, people, "work-order-to-verify")
        service.record(uow, order, "work-order-verification-opened", attempt=attempt.attempt, candidates=people)
    elif attempt.job_key != job_key:
        raise _refusal(order, act, "it is asked already")
    asked_at, until = attempt.asked_at, attempt.verify_until
    if asked_at is None or until is None:
        raise _refusal(order, act, "its row lacks the moment of the question: restore it from a backup")
    limit = until - asked_at
    reminder = asked_at + min(uow.rules.first_reminder_after, limit / 2)
    return Opened(str(attempt.review_id), reminder, limit, order.number)


def find_verification(uow: UnitOfWork, review_id: str) -> str | None:
    """Return the work order whose verification has this id."""
    return uow.session.scalar(select(WorkOrderAttempt.work_order_id).where(WorkOrderAttempt.review_id == review_id))


def remind_verifier(uow: UnitOfWork, review_id: str, job_key: int) -> None:
    """Remind who may verify it, once for each job and period."""
    order, attempt = _of_review(uow, review_id, "remind of the verification")
    if order.closed_at is not None or attempt.outcome is not None:
        return
    if not is_reminder_due(uow, job_key, "verification", review_id):
        return
    uow.session.add(Reminder(job_key=job_key, kind="verification", subject_id=review_id, sent_at=uow.now))
    people = _verifiers(uow, order, late=attempt.verification_escalated_at is not None)
    service.notify(uow, order, people, "work-order-verification-reminder")
    service.record(uow, order, "work-order-verification-reminded", reminded=people)


def escalate_verification(uow: UnitOfWork, review_id: str, job_key: int) -> None:
    """The limit is reached: substitutes may verify it as well. NotPermitted before the limit."""
    act = "escalate the verification"
    order, attempt = _of_review(uow, review_id, act)
    if order.closed_at is not None or attempt.outcome is not None:
        return
    if attempt.verify_until is None or not permissions.is_over(uow, attempt.verify_until):
        raise _refusal(order, act, f"its limit is {attempt.verify_until}")
    if not is_reminder_due(uow, job_key, "verification-overdue", review_id):
        return
    uow.session.add(Reminder(job_key=job_key, kind="verification-overdue", subject_id=review_id, sent_at=uow.now))
    attempt.verification_escalated_at = uow.now
    people = _require_verifiers(uow, order, late=True)
    service.notify(uow, order, people, "work-order-verification-overdue")
    service.record(uow, order, "work-order-verification-escalated", candidates=people)


def reopen(uow: UnitOfWork, work_order_id: str) -> Waiting:
    """Begin the next attempt where the verifier has asked for it, once; the new dates come with it (P4).

    Raises NotPermitted where nobody has signed that it is to be done again.
    """
    act = "reopen the work order"
    order = _lock(uow, work_order_id, act)
    attempt = _attempt(uow, order)
    if order.closed_at is not None:
        raise _refusal(order, act, f"it is closed as {order.closed_as}")
    if attempt.outcome is None and attempt.done_at is None and attempt.attempt > 1:
        return _waiting(order, attempt)  # a second run
    _require_verified(order, attempt, AGAIN, act)
    _settle(uow, order, "the work order is reopened", messages.REVIEW_DECIDED, messages.WORK_ORDER_DONE)
    next_due = max(attempt.next_due_at or uow.now, uow.now + timedelta(days=1))  # the job may come late
    order.attempt += 1
    following = service.add_attempt(uow, order, next_due)
    service.record(uow, order, "work-order-reopened", attempt=order.attempt, due_at=next_due.isoformat())
    service.give_to_fit(uow, order)
    service.tell_doers(uow, order, "work-order-again")
    return _waiting(order, following)


def close(uow: UnitOfWork, work_order_id: str, closed_as: str) -> None:
    """Close a work order that is done, and verified where somebody verifies it; nothing where it is cancelled already.

    Raises NotPermitted where the rows have no reason for it.
    """
    act = "close the work order"
    order = _lock(uow, work_order_id, act)
    if order.closed_at is not None:
        if order.closed_as != closed_as:
            raise _refusal(order, act, f"it is closed as {order.closed_as}")
        _settle(uow, order, "the work order is closed")
        return
    if closed_as != DONE:
        raise _refusal(order, act, f"nobody has {CANCELLED} it")
    attempt = _attempt(uow, order)
    if attempt.done_at is None:
        raise _refusal(order, act, "its doer has not signed it")
    _require_unchanged(order, act)
    if order.is_verified:
        _require_verified(order, attempt, VERIFIED, act)
    _settle(uow, order, "the work order is closed")
    service.finish(uow, order)


def _require_verified(order: WorkOrder, attempt: WorkOrderAttempt, outcome: str, act: str) -> None:
    """Raise NotPermitted unless a fit person has signed this outcome over what the doer has signed."""
    if attempt.outcome is None:
        raise _refusal(order, act, "nobody has verified it")
    if attempt.outcome != outcome:
        raise _refusal(order, act, f"it was verified as {attempt.outcome}")
    represented = (attempt.done_signature or {}).get("statement", {}).get("represented", [])
    did = (attempt.done_by, attempt.stands_in_for, *represented, order.doer_id, order.opened_by)
    if attempt.verified_by in did:
        raise _refusal(order, act, "who has verified it has done or opened it")
    statement = (attempt.verified_signature or {}).get("statement", {})
    if (statement.get("form"), statement.get("done")) != (order.facts_sha256, attempt.done_sha256):
        raise _refusal(order, act, "its verification is bound to other facts")
    _require_unchanged(order, act)


def _require_unchanged(order: WorkOrder, act: str) -> None:
    if hash_of(order.facts) != order.facts_sha256:
        raise _refusal(order, act, "its facts are not those that were signed: restore the row from a backup")


def _verifiers(uow: UnitOfWork, order: WorkOrder, *, late: bool) -> list[str]:
    directory = access_queries.load_directory(uow)
    return policy.verifiers(directory, service.verifier_of(order), service.parts_of(uow, order), late=late)


def _require_verifiers(uow: UnitOfWork, order: WorkOrder, *, late: bool) -> list[str]:
    people = _verifiers(uow, order, late=late)
    if not people:
        raise Fatal(
            f"nobody may verify | work order {order.number} | nobody holds the post but who did or opened it | appoint "
            "somebody, then raise the retries and resolve the incident",
            runbook="incidents-pending#nobody-may-decide",
        )
    return people


def _of_review(uow: UnitOfWork, review_id: str, act: str) -> tuple[WorkOrder, WorkOrderAttempt]:
    work_order_id = find_verification(uow, review_id)
    if work_order_id is None:
        raise NotPermitted(
            f"could not {act} | {review_id} | the database does not have it | correct reviewId, "
            "then resolve the incident"
        )
    order = _lock(uow, work_order_id, act)
    attempt = uow.session.scalars(select(WorkOrderAttempt).where(WorkOrderAttempt.review_id == review_id)).one()
    return order, attempt


def _lock(uow: UnitOfWork, work_order_id: str, act: str) -> WorkOrder:
    order = uow.session.get(WorkOrder, work_order_id, with_for_update=True, populate_existing=True)
    if order is None:
        raise NotPermitted(
            f"could not {act} | {work_order_id} | the database does not have this work order | "
            "find out who sent this job"
        )
    return order


def _attempt(uow: UnitOfWork, order: WorkOrder) -> WorkOrderAttempt:
    query = select(WorkOrderAttempt).where(
        WorkOrderAttempt.work_order_id == order.id, WorkOrderAttempt.attempt == order.attempt
    )
    return uow.session.scalars(query.with_for_update().execution_options(populate_existing=True)).one()


def _waiting(order: WorkOrder, attempt: WorkOrderAttempt) -> Waiting:
    return Waiting(attempt.attempt, attempt.due_at, attempt.first_reminder_at, order.is_verified)


def _settle(uow: UnitOfWork, order: WorkOrder, because: str, *names: str) -> None:
    outbox.settle_subject(uow, service.process_subject(order), because, *names)


def _refusal(order: WorkOrder, act: str, cause: str) -> NotPermitted:
    return NotPermitted(
        f"could not {act} | {order.number} | {cause} | find out who sent this job; where the work order is to go on, "
        "remove the cause, then resolve the incident"
    )

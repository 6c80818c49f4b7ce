"""The hand-over and the loan that follows: offer, receipt, loss, reminders, suspension (R42, R45 to R51, T3, T11)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import func, select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.people import Person
from services.database.tables.reviews import Reminder, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access.queries import require_agreement
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import ways
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import holds
from services.domain.custody import (
    copies,
    grants,
    heads,
    loan_documents,
    locks,
    log,
    on_site,
    suspensions,
    use_period,
)
from services.domain.notifications import service as notification_service
from services.domain.process import outbox, permissions
from services.domain.process.messages import COPY_LOST, LOAN_CLOSED, REVIEW_DECIDED, written
from services.domain.process.permissions import CaseState
from services.domain.retrieval import masters
from services.domain.retrieval.records import get_record
from services.domain.reviews import moot_matters
from services.domain.reviews import service as review_service
from services.domain.reviews.tasks import is_reminder_due
from services.domain.rules import agreed_limits
from services.runtime.errors import Fatal, Refused
from services.runtime.rules import iso

LOST = "lost"


@dataclass(frozen=True)
class Offer:
    """What the process needs of a hand-over; durations are ISO 8601."""

    hand_over_id: str
    take_up_period: str
    grace_period: str
    reminder_lead: str


@dataclass(frozen=True)
class OfferExpiry:
    """``due_at``, ISO 8601, where the copies were accepted before the time was over."""

    accepted_meanwhile: bool
    due_at: str | None


def offer(uow: UnitOfWork, application_id: str) -> Offer:
    """Offer the copies to the named custodian, for the days that were granted (R49).

    Raises NotPermitted where the case does not allow it, Fatal where a setting or the custodian is missing (R14, R35,
    R46, R50).
    """
    state = permissions.lock(uow, application_id, "hand over")
    hand_over = state.hand_over
    if hand_over is None:
        hand_over = _offer(uow, state)
    take_up = hand_over.take_up_until - hand_over.offered_at
    return Offer(
        hand_over.id, iso(take_up), iso(agreed_limits.get_grace_period(uow, hand_over)), iso(uow.rules.reminder_lead)
    )


def _offer(uow: UnitOfWork, state: CaseState) -> HandOver:
    application, act = state.application, "hand over"
    permissions.require_running(state, act)
    permissions.require_filed(state, act)
    permissions.require_released(state, act)
    permissions.require_accepted(state, act)
    if uow.rules.max_use_days is None:
        raise _fatal(
            application.id,
            "the maximum use period is not set, and nothing is handed out without one (T3, R50)",
            "let an administrator set the maximum use period among the rules, then resolve the incident",
        )
    before = _replaced(uow, application)
    # who held copies that are replaced is named by the re-issue; one of an earlier release named nobody
    held_by = application.custodian_id if before is None else before.custodian_id
    custodian_id = application.named_custodian_id or held_by
    custodian = None
    if custodian_id:  # locked: nobody deactivates a person whom copies are just offered to
        custodian = uow.session.get(Person, custodian_id, with_for_update={"read": True}, populate_existing=True)
    if custodian is None or not custodian.active:
        raise _fatal(
            application.id,
            "no custodian is named who may still work here (R46)",
            "let the head of the department, or the head of Security, name another custodian on the page of the case",
            runbook="incidents-pending#no-custodian",
        )
    offered = copies.list_in_scope(uow, application.id)
    copied = {copy.item_id for copy in offered}
    for item in state.retrieved:
        if item.id not in copied:
            raise permissions.refusal(act, application.id, f"there is no copy of the item {item.id} to hand over")
    for copy in offered:
        if get_record(uow, copy.item_id) is None:
            raise permissions.refusal(act, application.id, f"the item {copy.item_id} has no retrieval record (R35)")
        master = masters.require(uow, application.id, copy.item_id)
        if application.backup_needed and uow.rules.replica_required and master.replica_verified_at is None:
            raise permissions.refusal(
                act,
                application.id,
                f"the backup of the item {copy.item_id} is not verified, and the footage is important (R14)",
            )
    # what was granted stays granted: a rule that has changed since the filing does not shorten it
    most = uow.rules.max_use_days if application.granted_use_days is None else None
    limits = (application.granted_use_days, application.max_use_days, most)
    days = min(limit for limit in limits if limit is not None)
    if before is not None:
        days = min(days, agreed_limits.remaining_days(uow, application))
        if days < 1:
            raise _fatal(
                application.id,
                "the longest use period counts from the first hand-over and is used up (R50)",
                "let the department withdraw the application and submit a new one",
            )
    if days < 1:
        raise _fatal(application.id, f"a use period of {days} days is none (R49)", "decide on one day or more")
    hand_over = HandOver(
        id=new_id(),
        application_id=application.id,
        issue=application.issue,
        custodian_id=custodian.id,
        purpose=None if before is None else before.purpose,
        way_of_use=None if before is None else before.way_of_use,
        offered_at=uow.now,
        take_up_until=uow.now + uow.rules.take_up_period,
        use_days=days,
        grace_seconds=uow.rules.grace_period // timedelta(seconds=1),
    )
    uow.session.add(hand_over)
    for copy in offered:
        copy.hand_over_id = hand_over.id
    hashes = {copy.id: copy.sealed["sha256Cipher"] for copy in offered}
    log.append(uow, hand_over, "offered", copies=hashes, **_taken_over(uow, before, hand_over))
    notification_service.notify(
        uow, hand_over.custodian_id, "copy-offered", application_id=application.id, subject_id=hand_over.id
    )
    return hand_over


def _replaced(uow: UnitOfWork, application: Application) -> HandOver | None:
    """Return the hand-over whose copies had to be replaced by those of the present issue."""
    return uow.session.scalar(
        select(HandOver)
        .where(HandOver.application_id == application.id, HandOver.replaced_at.is_not(None))
        .order_by(HandOver.issue.desc())
        .limit(1)
    )


def _taken_over(uow: UnitOfWork, before: HandOver | None, hand_over: HandOver) -> dict[str, Any]:
    """Let the downloads of replaced copies be accounted for at the return of those that replace them (T2)."""
    if before is None:
        return {}
    downloads = copies.list_downloads(uow, before.id)
    for download in downloads:
        download.hand_over_id = hand_over.id
    return {"issue": hand_over.issue, "replaces": before.id, "downloads": [download.id for download in downloads]}


def accept(uow: UnitOfWork, hand_over_id: str, *, conditions_version: str, proof: Proof) -> HandOver:
    """Accept the copies for their custodian, signed, up to the due date (R45, R46, R59)."""
    hand_over = log.get_mine(uow, hand_over_id)
    if hand_over.accepted_at is not None:
        return hand_over
    review = _open_receipt(uow, hand_over)
    agreement = require_agreement(uow, uow.actor.id)
    if any(row.cause == suspensions.RECALLED for row in suspensions.list_open(uow, hand_over)):
        raise Refused(
            "offer-recalled",
            "Security recalls these copies: they cannot be accepted unless the recall is refused or nobody signs it.",
        )
    causes = {row.cause for row in suspensions.of_person(uow, uow.actor.id)}
    if suspensions.CUSTODIAN_LEFT in causes:
        raise Refused(
            "custodian-left",
            "You are recorded as leaving: let the head of your department, or the head of Security, name another "
            "custodian on the page of the case.",
            status=403,
        )
    if causes:  # since the custodian was named
        raise Refused(
            "access-suspended",
            "Your access to footage is suspended: let the head of your department, or the head of Security, name "
            "another custodian on the page of the case.",
            status=403,
        )
    if conditions_version != uow.rules.policy_version:
        raise Refused(
            "conditions-outdated",
            "The conditions of use are now version {policy_version}: read them, then accept.",
            field="conditionsVersion",
            policy_version=uow.rules.policy_version,
        )
    hand_over.accepted_at, hand_over.agreement_id = uow.now, agreement.id
    hand_over.conditions_version = conditions_version
    # whole seconds: the process counts with the same moment as the grants
    since = signature_signing.signing_moment(uow, proof)
    due_at = agreed_limits.first_due(uow, hand_over, since)
    if due_at <= uow.now:
        raise Refused(
            "use-period-used-up",
            "The longest use period is used up. Submit a new application if you still need the footage.",
        )
    hand_over.due_at = due_at
    offered = copies.list_lent(uow, hand_over.id)
    application = uow.session.get_one(Application, hand_over.application_id)
    way = on_site.way_of(application, hand_over)
    if way == ways.ON_SITE:
        on_site.require_companion(uow, uow.actor.id)
    grants.create(uow, hand_over, offered, grants.actions_for(way))
    receipt: dict[str, Any] = {
        "agreementVersion": agreement.version,
        "conditionsVersion": conditions_version,
        "copies": {copy.id: copy.sealed["sha256Cipher"] for copy in offered},
        "dueAt": hand_over.due_at.isoformat(),
        "handOver": hand_over.id,
    }
    log.append(uow, hand_over, "received", person_id=uow.actor.id, **receipt)
    notification_service.mark_done(uow, "offer", subject_id=hand_over.id)
    notification_service.mark_done(uow, "replacement", application_id=hand_over.application_id)
    _decide(uow, review, "accepted", receipt, proof, due_at=written(hand_over.due_at))
    loan_documents.write_receipt(uow, hand_over, review)
    locks.extend_loan(uow, hand_over.application_id, hand_over.due_at, agreed_limits.get_grace_period(uow, hand_over))
    return hand_over


def decline(uow: UnitOfWork, hand_over_id: str, *, reason: str, proof: Proof) -> HandOver:
    """Decline the copies; the case ends without a hand-over."""
    hand_over = log.get_mine(uow, hand_over_id)
    if hand_over.declined_at is not None:
        return hand_over
    review = _open_receipt(uow, hand_over)
    hand_over.declined_at = uow.now
    log.append(uow, hand_over, "declined", person_id=uow.actor.id)
    notification_service.mark_done(uow, "offer", subject_id=hand_over.id)
    _decide(
        uow,
        review,
        "declined",
        {"handOver": hand_over.id},
        proof,
        reason=reason,
        due_at=written(signature_signing.signing_moment(uow, proof)),
    )
    return hand_over


def expire_offer(uow: UnitOfWork, application_id: str, hand_over_id: str) -> OfferExpiry:
    """End the time to take the copies up; a receipt that was signed before wins, later ones are refused (R46).

    Raises NotPermitted before the time is over.
    """
    act = "end the time to take up"
    state = permissions.lock(uow, application_id, act)
    hand_over = log.lock(uow, hand_over_id, application_id)
    if hand_over.accepted_at is not None:
        permissions.require_running(state, act)
        outbox.settle(uow, application_id, "the process found the receipt in the database", REVIEW_DECIDED)
        return OfferExpiry(True, written(hand_over.due_at) if hand_over.due_at else None)
    if hand_over.declined_at is None and hand_over.ended_at is None:
        if not permissions.is_over(uow, hand_over.take_up_until):
            until = hand_over.take_up_until.isoformat()
            raise permissions.refusal(act, application_id, f"its copies may be taken up until {until}")
        # the engine's clock may be a little ahead: from here on nobody accepts any more
        hand_over.take_up_until = min(hand_over.take_up_until, uow.now)
    return OfferExpiry(False, None)


def report_loss(uow: UnitOfWork, hand_over_id: str, *, kind: str, what_happened: str) -> HandOver:
    """Report a loss (R48): access stops at once, the process is notified.

    Damage and a leak are no loss but problems, which Security answers: ``matters.problems`` opens a report of them.
    Refused to whose signatures are held: a loss destroys the key of the copies, and they can be returned meanwhile.
    """
    hand_over = log.get_mine(uow, hand_over_id)
    if hand_over.lost_at is not None:
        return hand_over
    require_held(hand_over)
    if kind != LOST:
        raise Refused(
            "loss-kind",
            "Only a loss ends the loan at once: report damage or a leak as a problem.",
            status=422,
            field="kind",
        )
    if not what_happened.strip():
        raise Refused("loss-facts", "Describe what happened.", status=422, field="whatHappened")
    holds.check(uow, uow.actor.id)
    hand_over.lost_at, hand_over.loss = uow.now, {"kind": kind, "whatHappened": what_happened.strip()}
    suspensions.open_once(uow, hand_over, suspensions.LOST)
    log.append(uow, hand_over, "lost", person_id=uow.actor.id, kind=kind)
    moot_matters.end_of_loan(uow, hand_over.application_id, "copy-lost")
    notification_service.mark_done(uow, "return", subject_id=hand_over.id)
    notification_service.mark_done(uow, "custodian", "recall", application_id=hand_over.application_id)
    # a case keeps the model that it began on, and may move to a newer one: each of the two waits for its own message
    for name, variables in ((LOAN_CLOSED, {"loanOutcome": "lost"}), (COPY_LOST, {})):
        outbox.publish(
            uow,
            name,
            hand_over.id,
            application_id=hand_over.application_id,
            message_id=f"{name}:{hand_over.id}",
            variables=variables,
        )
    return hand_over


def remind(uow: UnitOfWork, application_id: str, hand_over_id: str, job_key: int) -> int:
    """Remind the custodian of the return, once for each job and period; how many reminders were sent so far (R51).

    Nobody is reminded while a problem report freezes the copies: they cannot be returned then.
    After the due date the head of the department is reminded too.
    """
    hand_over = _lock_accepted(uow, application_id, hand_over_id, "remind of the return")
    awaited = not suspensions.is_over(hand_over) and not suspensions.is_frozen(uow, hand_over)
    if awaited and is_reminder_due(uow, job_key, "return", hand_over_id):
        uow.session.add(Reminder(job_key=job_key, kind="return", subject_id=hand_over_id, sent_at=uow.now))
        log.append(uow, hand_over, "reminded", due_at=hand_over.due_at.isoformat() if hand_over.due_at else None)
        _ask_for_return(uow, hand_over)
    uow.session.flush()
    count = select(func.count()).where(Reminder.subject_id == hand_over_id, Reminder.kind == "return")
    return uow.session.scalar(count) or 0


def follow_custodian(uow: UnitOfWork, hand_over: HandOver) -> None:
    """Let what asks for the return follow the copies to their new custodian.

    Where the due date is near, or over, the new one is asked at once.
    """
    notification_service.mark_done(uow, "return", subject_id=hand_over.id)
    notification_service.mark_done(uow, "custodian", "recall", application_id=hand_over.application_id)
    if hand_over.due_at is not None and uow.now >= hand_over.due_at - uow.rules.reminder_lead:
        _ask_for_return(uow, hand_over)


def _ask_for_return(uow: UnitOfWork, hand_over: HandOver) -> None:
    """Ask the custodian for the return, after the due date the department's heads too."""
    told = {"application_id": hand_over.application_id, "subject_id": hand_over.id}
    late = hand_over.due_at is not None and uow.now >= hand_over.due_at
    code = "return-overdue" if late else "return-due-soon"
    notification_service.notify(uow, hand_over.custodian_id, code, **told)
    for person_id in heads.list_of_department(uow, hand_over) if late else ():
        if person_id != hand_over.custodian_id:
            notification_service.notify(uow, person_id, "department-overdue", **told)


def suspend(uow: UnitOfWork, application_id: str, hand_over_id: str) -> bool:
    """Stop access at the due date, unless the copies are back or the date has moved; whether it is stopped (R51).

    A freeze or a violation has stopped it already, and weighs more: then nothing is added.
    """
    hand_over = _lock_accepted(uow, application_id, hand_over_id, "suspend access")
    moved = hand_over.due_at is not None and not permissions.is_over(uow, hand_over.due_at)
    causes = {row.cause for row in suspensions.list_open(uow, hand_over)}
    known = causes & {suspensions.USE_PERIOD_OVER, *suspensions.OVER_THE_DUE_DATE}
    if suspensions.is_over(hand_over) or moved or known:
        return bool(causes)
    suspensions.open_once(uow, hand_over, suspensions.USE_PERIOD_OVER)
    notification_service.notify(
        uow, hand_over.custodian_id, "access-suspended", application_id=application_id, subject_id=hand_over_id
    )
    return True


def resume(
    uow: UnitOfWork,
    application_id: str,
    hand_over_id: str,
    due_at: datetime | None = None,
    grace_period: str | None = None,
) -> None:
    """Open access again after the use period was changed (R50); nothing when the new one is over too.

    It lifts the end of the use period alone: whoever opened another suspension lifts it. ``due_at`` and
    ``grace_period`` (ISO 8601): what the process goes by; where the use period was changed again since, it is told once
    more.
    """
    hand_over = _lock_accepted(uow, application_id, hand_over_id, "resume access")
    use_period.settle_changes(uow, hand_over, "resume-access", due_at, grace_period)
    if not suspensions.is_over(hand_over):
        use_period.follow_due_date(uow, hand_over)


def _lock_accepted(uow: UnitOfWork, application_id: str, hand_over_id: str, act: str) -> HandOver:
    hand_over = log.lock(uow, hand_over_id, application_id)
    if hand_over.accepted_at is None:
        raise permissions.refusal(act, application_id, f"nobody has accepted the hand-over {hand_over_id}")
    return hand_over


def require_held(hand_over: HandOver) -> None:
    """Raise Refused unless the custodian holds the copies now."""
    if hand_over.accepted_at is None:
        raise Refused("not-accepted", "You have not accepted the copy.")
    if hand_over.returned_at is not None:
        raise Refused("copy-returned", "The copy has already been returned.")
    if hand_over.lost_at is not None:
        raise Refused(
            "copy-lost",
            "The copy was reported lost, damaged or leaked: contact Security.",
        )
    if hand_over.ended_at is not None:
        raise Refused("loan-ended", "The loan has ended.")


def _open_receipt(uow: UnitOfWork, hand_over: HandOver) -> Review:
    if hand_over.accepted_at is not None or hand_over.declined_at is not None or hand_over.ended_at is not None:
        raise Refused("receipt-closed", "The copy has already been accepted, declined or withdrawn.")
    if uow.now >= hand_over.take_up_until:
        raise Refused(
            "take-up-over",
            "The acceptance deadline has passed: submit a new application if you still need the footage.",
        )
    review = uow.session.scalar(
        select(Review).where(Review.hand_over_id == hand_over.id, Review.stage == "receipt", Review.closed_at.is_(None))
    )
    if review is None:
        raise Refused("receipt-not-open", "The copies cannot be accepted yet: try again shortly.")
    return review


def _decide(
    uow: UnitOfWork,
    review: Review,
    outcome: Literal["accepted", "declined"],
    answers: dict[str, Any],
    proof: Proof,
    *,
    due_at: str,
    reason: str | None = None,
) -> None:
    review_service.decide(
        uow,
        review.id,
        outcome=outcome,
        answers=answers,
        reason=reason,
        proof=proof,
        extra_variables={"dueAt": due_at},
    )
    audit_trail.record(
        uow, f"receipt-{outcome}", "hand-over", str(review.hand_over_id), application_id=review.application_id
    )


def _fatal(application_id: str, cause: str, next_step: str, *, runbook: str | None = None) -> Fatal:
    return Fatal(
        f"could not hand over | application {application_id} | {cause} | {next_step}, then resolve the incident",
        runbook=runbook,
    )

"""A review as a task: opened, claimed, put back, reminded, escalated; what is done before it is decided."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.tables.reviews import BRANCH_ENDED, PASSED, Decision, Reminder, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.access import reviews as access_reviews
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.domain.process import messages, outbox, permissions
from services.domain.stages.catalogue import STAGES
from services.domain.working_calendar import deadlines
from services.runtime.errors import Fatal, NotFound, NotPermitted, Refused
from services.runtime.translations import Message

RECEIPT, NOT_ACCEPTED = "receipt", "declined"  # the stage, and its answer for copies that nobody takes
RECALLED = "offer-recalled"  # why a receipt was closed


@dataclass(frozen=True)
class Opened:
    """What the process waits with: the id that the decision is keyed by, its timers, and the case's number."""

    review_id: str
    first_review_reminder_at: datetime
    review_limit: timedelta
    application_number: str


def open_review(
    uow: UnitOfWork,
    application_id: str,
    stage: str,
    *,
    job_key: int,
    process_instance_key: int,
    hand_over_id: str | None = None,
) -> Opened:
    """Open one review of the application for each job and notify those who may decide; a second run finds it.

    The receipt of an offer that was recalled meanwhile is answered, and put to nobody.

    Raises NotPermitted where the case does not ask it now, Fatal where nobody may decide: somebody has to be appointed.
    Whoever lacks nothing but a valid confidentiality agreement is asked to sign it, and may decide then (R59).
    """
    if stage not in STAGES:
        raise NotPermitted(
            f"could not open the review | stage {stage} of application {application_id} | there is no such stage | "
            "correct the variables of the job, then resolve the incident"
        )
    state = permissions.lock(uow, application_id, f"open the review {stage}")
    application = state.application
    review = _find_of_job(uow, job_key)
    if review is None:
        review = _new(uow, application, stage, job_key=job_key, process_instance_key=process_instance_key)
        review.hand_over_id = hand_over_id
        permissions.require_running(state, f"open the review {stage}")
        if stage == RECEIPT and state.hand_over is not None and _is_recalled(state.hand_over, hand_over_id):
            uow.session.add(review)
            uow.session.flush()
            _answer_receipt(uow, review)
            return _opened(uow, review, application.number or "")
        permissions.require_stage(uow, state, stage, hand_over_id)
        _open(uow, application, review, state.hand_over)
    else:
        _require_same(review, application_id, stage)
        _answer_again(uow, review)
    return _opened(uow, review, application.number or "")


def open_of_matter(
    uow: UnitOfWork, application: Application, matter: Matter, stage: str, *, job_key: int, process_instance_key: int
) -> Opened:
    """Open a review of a matter as ``open_review`` does; the caller has locked it, and found that it asks the stage."""
    review = _find_of_job(uow, job_key)
    if review is None:
        review = _new(uow, application, stage, job_key=job_key, process_instance_key=process_instance_key)
        review.matter_id, review.hand_over_id = matter.id, matter.hand_over_id
        _open(uow, application, review, None)
    else:
        _require_same(review, application.id, stage, matter.id)
        _answer_again(uow, review)
    return _opened(uow, review, matter.number)


def open_answered(
    uow: UnitOfWork, application: Application, matter: Matter, stage: str, *, job_key: int, process_instance_key: int
) -> Opened:
    """Answer the review that a job asks for after its matter has ended: nobody is asked, and the process goes on."""
    review = _new(uow, application, stage, job_key=job_key, process_instance_key=process_instance_key)
    review.matter_id, review.hand_over_id = matter.id, matter.hand_over_id
    uow.session.add(review)
    uow.session.flush()
    _answer_unasked(uow, review, matter)
    return _opened(uow, review, matter.number)


def _find_of_job(uow: UnitOfWork, job_key: int) -> Review | None:
    return uow.session.scalar(select(Review).where(Review.job_key == job_key))


def _answer_again(uow: UnitOfWork, review: Review) -> None:
    """Send the answer to a job that runs again after the review was decided: the process did not wait for it yet."""
    if review.closed_at is not None:
        outbox.reopen(uow, messages.REVIEW_DECIDED, review.id)


def _new(uow: UnitOfWork, application: Application, stage: str, *, job_key: int, process_instance_key: int) -> Review:
    deadline = deadlines.compute(uow, STAGES[stage])
    return Review(
        application_id=application.id,
        stage=stage,
        round=application.round,
        issue=application.issue,
        job_key=job_key,
        process_instance_key=process_instance_key,
        opened_at=uow.now,
        due_at=deadline.due_at,
        first_reminder_at=deadline.first_reminder_at,
        due_reason=deadline.reason,
    )


def _require_same(review: Review, application_id: str, stage: str, matter_id: str | None = None) -> None:
    """Raise NotPermitted where the review that has the job's key is another question."""
    if (review.application_id, review.stage, review.matter_id) != (application_id, stage, matter_id):
        raise permissions.refusal(
            f"open the review {stage}", application_id, "another question has the key of this job"
        )


def _opened(uow: UnitOfWork, review: Review, number: str) -> Opened:
    limit = review.due_at - review.opened_at
    reminder = review.first_reminder_at or review.opened_at + min(uow.rules.first_reminder_after, limit / 2)
    return Opened(review.id, reminder, limit, number)


def _open(uow: UnitOfWork, application: Application, review: Review, hand_over: HandOver | None) -> None:
    # this job proves that the process has taken what was decided before, and was published
    outbox.settle(
        uow,
        application.id,
        f"the review {review.stage} is open",
        messages.APPLICATION_SUBMITTED,
        messages.APPLICATION_CORRECTED,
        messages.MATTER_ASKED,
        messages.REVIEW_DECIDED,
        matter_id=review.matter_id,
    )
    if review.stage == RECEIPT and hand_over is not None:
        review.due_at = max(hand_over.take_up_until, uow.now)
        review.first_reminder_at = review.due_reason = None
    uow.session.add(review)
    uow.session.flush()
    candidates, unsigned = _require_candidates(uow, review)
    audit_trail.record(
        uow,
        "review-opened",
        "review",
        review.id,
        application_id=application.id,
        stage=review.stage,
        round=review.round,
        due_at=review.due_at.isoformat(),
        candidates=candidates,
        **({"matter": review.matter_id} if review.matter_id else {}),
        **_waiting(unsigned),
        **({"due_reason": review.due_reason} if STAGES[review.stage].limit_counts == "working-time" else {}),
    )
    _notify(uow, review, candidates, "review-opened")
    _notify(uow, review, unsigned, "review-needs-agreement")


def remind(uow: UnitOfWork, review_id: str, job_key: int) -> None:
    """Remind the one who has claimed the review, else all who may decide it; once for each job and period.

    The process reminds daily: on a day off nobody is reminded of a review that counts working time.
    """
    review = _lock(uow, review_id)
    matter = uow.session.get(Matter, review.matter_id) if review.matter_id is not None else None
    if review.closed_at is None and matter is not None and matter.closed_at is not None:
        _answer_unasked(uow, review, matter)  # an appeal that an earlier release granted has left it open
        return
    if review.closed_at is not None or not is_reminder_due(uow, job_key, "review", review_id):
        return
    if deadlines.is_paused(uow, review.due_reason):
        return
    uow.session.add(Reminder(job_key=job_key, kind="review", subject_id=review_id, sent_at=uow.now))
    people, unsigned = ([review.claimed_by], []) if review.claimed_by else _candidates(uow, review)
    audit_trail.record(
        uow,
        "review-reminded",
        "review",
        review_id,
        application_id=review.application_id,
        reminded=people,
        **_waiting(unsigned),
    )
    _notify(uow, review, people, "review-reminder")
    _notify(uow, review, unsigned, "review-needs-agreement")


def escalate(uow: UnitOfWork, review_id: str, job_key: int) -> None:
    """The limit is reached: the substitutes may decide as well, and a claim no longer holds them off.

    Raises NotPermitted before the limit.
    """
    review = _lock(uow, review_id)
    if review.closed_at is not None:
        return
    permissions.require_due(uow, review)
    if not is_reminder_due(uow, job_key, "escalation", review_id):
        return
    uow.session.add(Reminder(job_key=job_key, kind="escalation", subject_id=review_id, sent_at=uow.now))
    review.escalated_at, review.claimed_by, review.claimed_at = uow.now, None, None
    candidates, unsigned = _require_candidates(uow, review)
    audit_trail.record(
        uow,
        "review-escalated",
        "review",
        review_id,
        application_id=review.application_id,
        candidates=candidates,
        **_waiting(unsigned),
    )
    _notify(uow, review, candidates, "review-escalated")
    _notify(uow, review, unsigned, "review-needs-agreement")
    if review.stage == RECEIPT:
        # nobody can receive in the custodian's place; the department's head is liable and is notified (R45)
        department = uow.session.get_one(Person, candidates[0]).department_id
        _notify(uow, review, access_queries.load_directory(uow).holders(department, "head"), "receipt-overdue")


def is_reminder_due(uow: UnitOfWork, job_key: int, kind: str, subject_id: str) -> bool:
    """Return whether this job reminds people: once for each job, and of one subject once in ``REMINDERS_APART``."""
    last = select(Reminder.job_key).where(
        Reminder.kind == kind,
        Reminder.subject_id == subject_id,
        Reminder.sent_at > uow.now - permissions.REMINDERS_APART,
    )
    return uow.session.get(Reminder, job_key) is None and uow.session.scalar(last.limit(1)) is None


def claim(uow: UnitOfWork, review_id: str) -> Review:
    """Claim the review, so that nobody else works on it; Refused with the reason."""
    review = lock_open(uow, review_id)
    require_may_decide(uow, review)
    if review.claimed_by != uow.actor.id:
        review.claimed_by, review.claimed_at = uow.actor.id, uow.now
        audit_trail.record(uow, "review-claimed", "review", review_id, application_id=review.application_id)
    return review


def unclaim(uow: UnitOfWork, review_id: str) -> Review:
    """Return a claimed review to all who may decide it; Refused for anybody but who claimed it."""
    review = lock_open(uow, review_id)
    if review.claimed_by != uow.actor.id:
        raise Refused("not-claimed", "You have not claimed this review.")
    review.claimed_by = review.claimed_at = None
    audit_trail.record(uow, "review-unclaimed", "review", review_id, application_id=review.application_id)
    return review


def pass_on(uow: UnitOfWork, application_id: str, person_id: str) -> None:
    """Give the application's open reviews on from who decides them no more: claims end, and who decides now is told."""
    query = select(Review).where(
        Review.application_id == application_id, Review.matter_id.is_(None), Review.closed_at.is_(None)
    )
    for review in uow.session.scalars(query.order_by(Review.opened_at).with_for_update()):
        directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, application_id)
        pools = access_policy.pools_of(directory, facts, review)
        if access_policy.is_own(STAGES[review.stage]) or not any(person_id in pool for pool in pools):
            continue
        if review.claimed_by == person_id:
            review.claimed_by = review.claimed_at = None
            audit_trail.record(uow, "review-unclaimed", "review", review.id, application_id=application_id)
        candidates, unsigned = _candidates(uow, review)
        notified = set(uow.session.scalars(select(Notice.person_id).where(Notice.subject_id == review.id)))
        _notify(uow, review, [one for one in candidates if one not in notified], "review-opened")
        _notify(uow, review, [one for one in unsigned if one not in notified], "review-needs-agreement")


def check_stages(uow: UnitOfWork) -> None:
    """Raise Fatal where cases have a stage that the file of stages does not have any more."""
    gone = sorted(set(uow.session.scalars(select(Review.stage).distinct())) - set(STAGES))
    if gone:
        raise Fatal(
            f"could not read the review stages | {', '.join(gone)} | cases have had it and the file has it no more | "
            "put it back into review-stages.json, as retired where no model asks it"
        )


def close_open(uow: UnitOfWork, application_id: str, because: str) -> int:
    """Close every open review of the application, because nobody needs to answer any more; how many."""
    rows = uow.session.scalars(
        select(Review)
        .where(Review.application_id == application_id, Review.matter_id.is_(None), Review.closed_at.is_(None))
        .with_for_update()
    ).all()
    for review in rows:
        close(uow, review, because)
    return len(rows)


def close_of_matter(uow: UnitOfWork, matter: Matter, because: str) -> None:
    """Close the open reviews of a matter that has ended: an answer would be taken by nobody."""
    query = select(Review).where(Review.matter_id == matter.id, Review.closed_at.is_(None))
    for review in uow.session.scalars(query.with_for_update()).all():
        close(uow, review, because)


def answer_of_matter(uow: UnitOfWork, matter: Matter) -> None:
    """Close the open reviews of a matter that has ended, and answer each, since the process goes on.

    Where the process ends with its matter, ``close_of_matter`` is enough.
    """
    query = select(Review).where(Review.matter_id == matter.id, Review.closed_at.is_(None))
    for review in uow.session.scalars(query.with_for_update()).all():
        _answer_unasked(uow, review, matter)


def _answer_unasked(uow: UnitOfWork, review: Review, matter: Matter) -> None:
    """Close a review that nobody has to answer any more, and tell its process the outcome against what was asked."""
    stage = STAGES[review.stage].asked_about(matter.kind)
    close(uow, review, f"matter-{matter.closed_as}")
    outbox.publish(
        uow,
        messages.REVIEW_DECIDED,
        review.id,
        application_id=review.application_id,
        matter_id=matter.id,
        message_id=f"{messages.REVIEW_DECIDED}:{review.id}",
        variables={"decision": next(outcome for outcome in stage.outcomes if outcome != stage.favourable)},
    )


def end_receipts(uow: UnitOfWork, hand_over: HandOver) -> None:
    """Close what asks the custodian to accept copies whose offer is recalled; the process hears that they are not."""
    query = select(Review).where(
        Review.hand_over_id == hand_over.id, Review.stage == RECEIPT, Review.closed_at.is_(None)
    )
    for review in uow.session.scalars(query.with_for_update()).all():
        _answer_receipt(uow, review)


def _is_recalled(hand_over: HandOver, hand_over_id: str | None) -> bool:
    """Return whether it is this offer, and has ended before anybody has accepted or declined it."""
    answered = hand_over.accepted_at is not None or hand_over.declined_at is not None
    return hand_over.id == hand_over_id and hand_over.ended_at is not None and not answered


def _answer_receipt(uow: UnitOfWork, review: Review) -> None:
    close(uow, review, RECALLED)
    outbox.publish(
        uow,
        messages.REVIEW_DECIDED,
        review.id,
        application_id=review.application_id,
        message_id=f"{messages.REVIEW_DECIDED}:{review.id}",
        variables={"decision": NOT_ACCEPTED, "dueAt": messages.written(uow.now)},
    )


def answer_siblings(uow: UnitOfWork, review: Review, decision: Decision) -> None:
    """Close what else asks the same of the case in this round, and give its process the same answer.

    The engine may ask a question more than once: there is one answer to it, whichever of them people have decided.
    """
    siblings = select(Review).where(
        Review.application_id == review.application_id,
        Review.matter_id == review.matter_id,
        Review.stage == review.stage,
        Review.round == review.round,
        Review.id != review.id,
        Review.closed_at.is_(None),
    )
    for sibling in uow.session.scalars(siblings.with_for_update()).all():
        close(uow, sibling, f"answered:{review.id}")
        outbox.publish(
            uow,
            messages.REVIEW_DECIDED,
            sibling.id,
            application_id=review.application_id,
            matter_id=review.matter_id,
            message_id=f"{decision.id}:{sibling.id}",
            variables=decision.variables,
        )


def close(uow: UnitOfWork, review: Review, because: str) -> None:
    """Close a review without a decision; a claim ends with it."""
    claimed = {"claimed_by": review.claimed_by} if review.claimed_by else {}
    review.claimed_by = review.claimed_at = None
    end(uow, review, because)
    audit_trail.record(
        uow, "review-closed", "review", review.id, application_id=review.application_id, because=because, **claimed
    )


def end(uow: UnitOfWork, review: Review, because: str) -> None:
    """Close the review, and with it the notices that ask for it."""
    review.closed_at, review.closed_because = uow.now, because
    notification_service.mark_done(uow, "review", "question", subject_id=review.id)


def lock_open(uow: UnitOfWork, review_id: str) -> Review:
    """Lock and return the review with its case; NotFound for strangers, Refused when it is closed."""
    application_id = uow.session.scalar(select(Review.application_id).where(Review.id == review_id))
    if application_id is None:
        raise NotFound(Message("review"), review_id)
    application = uow.session.get_one(Application, application_id, with_for_update=True, populate_existing=True)
    review = uow.session.get_one(Review, review_id, with_for_update=True, populate_existing=True)
    access_queries.discard_loaded(uow)  # others may have acted while this unit waited for the locks
    if uow.actor.kind == "person":
        access_reviews.require_readable(uow, review)
    if review.matter_id is not None:
        matter = uow.session.get_one(Matter, review.matter_id, with_for_update=True, populate_existing=True)
        if review.closed_at is not None or matter.closed_at is not None:
            raise closed_refusal(review)
        return review
    if review.closed_at is not None or application.closed_at is not None:
        raise closed_refusal(review)
    if application.withdrawn_at is not None:
        raise Refused("withdrawn", "The application was withdrawn: there is nothing left to decide.")
    if permissions.is_past(uow, review):
        raise _no_longer_asked()
    return review


def closed_refusal(review: Review) -> Refused:
    """Return why a closed review, or one of a closed case, is decided no more."""
    if review.closed_because == PASSED:
        return _no_longer_asked()
    if review.closed_because == BRANCH_ENDED:
        return Refused(
            "no-longer-asked", "The process ended this question without an answer: there is nothing left to decide."
        )
    return Refused("review-closed", "This review is already closed: there is nothing left to decide.")


def _no_longer_asked() -> Refused:
    return Refused("no-longer-asked", "The case has continued without this review: there is nothing left to decide.")


def require_may_decide(uow: UnitOfWork, review: Review, *, second: bool = False) -> None:
    """Raise Refused when the actor may not decide the review, or somebody else has claimed it."""
    if uow.actor.kind != "person":
        raise Refused("not-a-person", "A review must be decided by a person.", status=403)
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, review.application_id)
    refusal = access_policy.refusal_for(directory, facts, review, uow.actor.id, second=second)
    if refusal is not None:
        raise refusal
    claimed = review.claimed_by
    if not second and claimed not in (None, uow.actor.id) and not access_queries.is_absent(uow, str(claimed)):
        raise Refused(
            "claimed",
            "Another person has claimed this review: ask that person to unclaim it.",
        )


def _candidates(uow: UnitOfWork, review: Review) -> tuple[list[str], list[str]]:
    """Return who may decide now, and whose turn it is but for the agreement."""
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, review.application_id)
    return (
        access_policy.candidates(directory, facts, review),
        access_policy.lacking_agreement(directory, facts, review),
    )


def _require_candidates(uow: UnitOfWork, review: Review) -> tuple[list[str], list[str]]:
    candidates, unsigned = _candidates(uow, review)
    if not candidates and not unsigned:
        raise Fatal(
            f"nobody may decide | stage {review.stage} of application {review.application_id} | separation of duties "
            "or absences leave nobody | appoint somebody, then raise the retries and resolve the incident",
            runbook="incidents-pending#nobody-may-decide",
        )
    return candidates, unsigned


def _waiting(unsigned: list[str]) -> dict[str, list[str]]:
    return {"without_agreement": unsigned} if unsigned else {}


def _notify(uow: UnitOfWork, review: Review, people: list[str], code: str) -> None:
    for person_id in people:
        notification_service.notify(uow, person_id, code, application_id=review.application_id, subject_id=review.id)


def _lock(uow: UnitOfWork, review_id: str) -> Review:
    review = uow.session.get(Review, review_id, with_for_update=True, populate_existing=True)
    if review is None:
        raise NotPermitted(
            f"could not find the review | {review_id} | the database does not have it | "
            "correct reviewId, then resolve the incident"
        )
    return review

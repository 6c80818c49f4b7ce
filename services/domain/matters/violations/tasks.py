"""What the jobs of a violation do. The rows decide, never the job: sent by hand or twice, it changes nothing.

Its facts grow until somebody is asked to decide: by the assessment, and by each reply. From then on they stay.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.reviews import Decision, Reminder, Review
from services.database.tables.violations import Sanction, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.access import holds as hold_policy
from services.domain.access import queries as access_queries
from services.domain.access import violations as policy
from services.domain.audit import trail as audit_trail
from services.domain.custody import suspensions, violation_ends, violations
from services.domain.custody.violations import CLEARED, SETTLED, UPHELD
from services.domain.holds import service as hold_service
from services.domain.matters import permissions
from services.domain.matters.permissions import Subject, bind_instance, first_decisions_of, refusal, require_signed
from services.domain.matters.violations import assessment, documents
from services.domain.matters.violations.assessment import DECIDING, Assessment, Inputs
from services.domain.notifications import service as notification_service
from services.domain.process import outbox
from services.domain.process.messages import (
    REFERRAL_RECEIVED,
    REVIEW_DECIDED,
    VIOLATION_OPENED,
    VIOLATION_REPLIED,
)
from services.domain.process.permissions import is_over
from services.domain.reviews import judgements
from services.domain.reviews import tasks as review_tasks
from services.domain.stages.catalogue import STAGES
from services.runtime.canonical_json import hash_of
from services.runtime.errors import Fatal

REFERRAL = "referral"  # the stage, and the cause of the hold
LEGAL = "legal-sanction"
APPROVED = "approved"
HANDLED = "handled"  # what the process closes it as; the register knows whether it is upheld or settled


def lock(uow: UnitOfWork, matter_id: str, act: str) -> tuple[Subject, Violation]:
    """Lock a violation by the id of its matter, with the matter and the case; NotPermitted where there is none."""
    subject = permissions.lock(uow, matter_id, act, noun=violations.MATTER)
    query = select(Violation).where(Violation.matter_id == matter_id).with_for_update()
    violation = uow.session.scalar(query.execution_options(populate_existing=True))
    if violation is None:
        raise permissions.unknown(matter_id, act, noun=violations.MATTER)
    return subject, violation


def assess(uow: UnitOfWork, matter_id: str, process_instance_key: int) -> Inputs:
    """Find what the severity table reads; a second run of the same process finds it again."""
    act = "assess the violation"
    subject, violation = lock(uow, matter_id, act)
    matter = subject.matter
    bind_instance(matter, process_instance_key, act)
    _require_open(matter, act)
    outbox.settle(uow, matter.application_id, "the violation is assessed", VIOLATION_OPENED, matter_id=matter.id)
    return assessment.find_inputs(uow, violation, subject.state)


def serve(uow: UnitOfWork, matter_id: str, given: Assessment) -> timedelta:
    """Suspend what the assessment asks for, and serve the facts on the accused; return how long they may reply.

    Raises NotPermitted for an assessment that is milder than the register's. A second run changes nothing.
    """
    act = "serve the violation"
    subject, violation = lock(uow, matter_id, act)
    matter = subject.matter
    _require_open(matter, act)
    if violation.served_at is not None and violation.reply_until is not None:
        return violation.reply_until - violation.served_at
    if matter.process_instance_key is None:
        raise refusal(matter, act, "its facts are not assessed yet")
    inputs = assessment.find_inputs(uow, violation, subject.state)
    problem = assessment.obstacle(inputs, given)
    if problem is not None:
        raise refusal(matter, act, f"{problem}: correct violation-severity.dmn and deploy it")
    period = uow.rules.violation_reply_period
    violation.severity, violation.served_at, violation.reply_until = given.severity, uow.now, uow.now + period
    matter.route = [given.deciding_stage]
    _suspend(uow, matter, violation, given)
    facts = {
        "severity": given.severity,
        "decidingStage": given.deciding_stage,
        "suspendPerson": given.suspend_person,
        "referralAsked": given.referral_asked,
        "importance": inputs.importance,
        "daysLate": inputs.days_late,
        "leaked": inputs.leaked,
        "repeats": inputs.repeats,
        "securityInvolved": inputs.security_involved,
        "managementInvolved": inputs.management_involved,
        "servedAt": uow.now.isoformat(),
        "replyUntil": violation.reply_until.isoformat(),
    }
    change_facts(uow, matter, {**matter.facts, "assessment": facts}, "violation-served")
    for person_id in _list_parties(uow, subject):
        notify(uow, subject, person_id, "violation-served")
    return period


def expire_reply(uow: UnitOfWork, matter_id: str) -> bool:
    """Close the hearing when the time for replies is over; return whether all accused have replied meanwhile (P13).

    Raises NotPermitted before that time by the database's clock.
    """
    act = "end the time for replies"
    subject, violation = lock(uow, matter_id, act)
    matter = subject.matter
    outbox.settle(uow, matter.application_id, "the hearing is over", VIOLATION_REPLIED, matter_id=matter.id)
    if violation.heard_at is not None:
        return violations.have_all_replied(uow, matter.id)
    if violation.reply_until is None:
        raise refusal(matter, act, "its facts were not served yet")
    if not is_over(uow, violation.reply_until):
        raise refusal(matter, act, f"the accused may reply until {violation.reply_until.isoformat()}")
    violation.heard_at = uow.now
    record(uow, matter, "violation-hearing-closed")
    return False


def require_stage(uow: UnitOfWork, matter: Matter, stage: str, act: str) -> None:
    """Raise NotPermitted unless the violation asks this stage now."""
    violation = uow.session.scalars(select(Violation).where(Violation.matter_id == matter.id)).one()
    outbox.settle(uow, matter.application_id, "somebody is asked", VIOLATION_REPLIED, matter_id=matter.id)
    if violation.heard_at is None:
        raise refusal(matter, act, "the accused have not replied, and their time is not over")
    decided = first_decisions_of(uow, matter)
    if stage in DECIDING:
        if stage != matter.facts["assessment"]["decidingStage"]:
            raise refusal(matter, act, f"the assessment names {matter.facts['assessment']['decidingStage']}")
        if any(one in decided for one in DECIDING):
            raise refusal(matter, act, "it is decided already")
        return
    judged = upheld(decided)
    if judged is None:
        raise refusal(matter, act, "nobody has upheld it")
    if stage == LEGAL and not needs_legal(judged):
        raise refusal(matter, act, "no sanction of it needs the approval of Legal")
    if stage == REFERRAL and (not (judged.judgement or {}).get("referral") or violation.sanctioned_at is None):
        raise refusal(matter, act, "it is not to be referred, or its sanctions are not recorded yet")
    if stage in decided:
        raise refusal(matter, act, "it is decided already")


def clear(uow: UnitOfWork, matter_id: str) -> None:
    """End a violation that was found to be unfounded: access is given back with the days, and the timers run anew."""
    act = "clear the violation"
    subject, violation = lock(uow, matter_id, act)
    matter = subject.matter
    if matter.closed_as == CLEARED:
        return
    _require_open(matter, act)
    decided = _require_signed(uow, subject, act)
    judged = next((decided[stage] for stage in DECIDING if stage in decided), None)
    if judged is None or judged.outcome == STAGES[judged.stage].favourable:
        raise refusal(matter, act, "nobody has decided that it is unfounded")
    _end(uow, subject, violation, CLEARED, {"decision": judged.id})


@dataclass(frozen=True)
class Recorded:
    """What follows a decision: whether a loss is to be made good, and whether an authority is to be told."""

    loss: bool
    referral: bool


def record_sanctions(uow: UnitOfWork, matter_id: str) -> Recorded:
    """Record the sanctions that were decided, once; those that Legal does not approve, or rules forbid, are dropped.

    Raises NotPermitted unless the violation is upheld, signed over these facts, and Legal has answered where it must;
    Fatal where there is a loss and nobody who may record its settlement.
    """
    act = "record the sanctions"
    subject, violation = lock(uow, matter_id, act)
    matter = subject.matter
    decided = _require_signed(uow, subject, act)
    judged = upheld(decided)
    if judged is None:
        raise refusal(matter, act, "nobody has upheld it")
    judgement = judged.judgement or {}
    recorded = Recorded(bool(judgement["loss"]), bool(judgement["referral"]))
    if violation.sanctioned_at is not None:
        return recorded
    _require_open(matter, act)
    if needs_legal(judged) and LEGAL not in decided:
        raise refusal(matter, act, "one of the sanctions needs the approval of Legal, who has not answered")
    if recorded.loss:
        _require_handlers(uow, subject, "record the settlement of the loss")
    outbox.settle(uow, matter.application_id, "the sanctions are recorded", REVIEW_DECIDED, matter_id=matter.id)
    approved = LEGAL not in decided or decided[LEGAL].outcome == APPROVED
    for sanction in judgement["sanctions"]:
        uow.session.add(
            Sanction(
                id=new_id(),
                matter_id=matter.id,
                decision_id=judged.id,
                person_id=sanction["personId"],
                kind=sanction["kind"],
                amount=sanction.get("amount"),
                currency=sanction.get("currency"),
                note=sanction.get("note"),
                recorded_at=uow.now,
                dropped_because=judgements.dropped_because(uow.rules, sanction["kind"], approved=approved),
            )
        )
    violation.severity, violation.sanctioned_at = judgement["severity"], uow.now
    record(uow, matter, "violation-sanctioned", decision=judged.id)
    for person_id in _list_parties(uow, subject):
        notify(uow, subject, person_id, "violation-upheld")
    return recorded


def begin_referral(uow: UnitOfWork, matter_id: str) -> str:
    """Hold the evidence for the authority, and ask Legal to hand it over; the id of the hold, the same each time.

    Nothing where an appeal has cleared the violation meanwhile.

    Raises NotPermitted unless the referral is decided, signed over these facts; Fatal where nobody may hand it
    over.
    """
    act = "refer the violation"
    subject, violation = lock(uow, matter_id, act)
    matter = subject.matter
    decided = _require_signed(uow, subject, act)
    decision = decided.get(REFERRAL)
    if decision is None or decision.outcome != APPROVED:
        raise refusal(matter, act, "nobody has decided to refer it")
    if violation.closed_as == CLEARED or (violation.referral or {}).get("handedAt"):
        # the process has not waited yet for what was recorded meanwhile, and what was sent may have expired
        outbox.reopen(uow, REFERRAL_RECEIVED, matter.id)
    if violation.referral is not None:
        return str(violation.referral["hold"])
    if violation.closed_as == CLEARED:
        return ""  # an appeal has cleared it meanwhile: nothing is handed over
    _require_open(matter, act)
    handlers = _require_handlers(uow, subject, "hand the evidence over")
    outbox.settle(uow, matter.application_id, "it is being referred", REVIEW_DECIDED, matter_id=matter.id)
    owner = _owner_of_hold(uow, subject, decision)
    hold = hold_service.place(
        uow,
        subject.application,
        cause=REFERRAL,
        reason=f"{matter.number} {(decision.judgement or {}).get('authority') or ''}",
        placed_by=decision.decided_by,
        owner_id=owner,
        matter_id=matter.id,
    )
    violation.referral = {
        "hold": hold.id,
        "authority": (decision.judgement or {}).get("authority"),
        "decision": decision.id,
        "begunAt": uow.now.isoformat(),
    }
    record(uow, matter, "violation-referral-begun", hold=hold.id)
    for person_id in handlers:
        notify(uow, subject, person_id, "violation-refer")
    return hold.id


def remind(uow: UnitOfWork, matter_id: str, job_key: int) -> int:
    """Remind whoever the violation waits for: of the receipt of its referral, or that the loss is made good.

    Once for each job, and not more often than people are reminded of anything; the number of people. Raises Fatal where
    nobody is left who may record it.
    """
    subject, violation = lock(uow, matter_id, "remind of the violation")
    matter = subject.matter
    awaited = awaits(uow, matter, violation)
    if awaited is None or not review_tasks.is_reminder_due(uow, job_key, "violation", matter.id):
        return 0
    handlers = _require_handlers(uow, subject, f"record the {awaited}")
    uow.session.add(Reminder(job_key=job_key, kind="violation", subject_id=matter.id, sent_at=uow.now))
    people = handlers if awaited == REFERRAL else sorted({*handlers, *violations.list_accused(uow, matter.id)})
    code = "violation-refer" if awaited == REFERRAL else "violation-settlement-due"
    for person_id in people:
        notify(uow, subject, person_id, code)
    record(uow, matter, "violation-reminded", of=awaited)
    return len(people)


def close(uow: UnitOfWork, matter_id: str, closed_as: str) -> None:
    """End a violation that was upheld, when all that was decided is done.

    Raises NotPermitted while its sanctions, its referral or the settlement of the loss lack.
    """
    act = "close the violation"
    subject, violation = lock(uow, matter_id, act)
    matter = subject.matter
    if closed_as != HANDLED:
        raise refusal(matter, act, f"a violation is closed as {HANDLED!r}, not as {closed_as!r}")
    if matter.closed_at is not None:
        # an appeal has cleared it meanwhile, and has told the process that nothing is waited for
        outbox.settle(uow, matter.application_id, f"it is {matter.closed_as}", matter_id=matter.id)
        return
    decided = _require_signed(uow, subject, act)
    judged = upheld(decided)
    if judged is None or violation.sanctioned_at is None:
        raise refusal(matter, act, "it is not upheld, or its sanctions are not recorded")
    awaited = awaits(uow, matter, violation)
    if awaited is not None:
        raise refusal(matter, act, f"its {awaited} is not done yet")
    _end(uow, subject, violation, SETTLED if violation.settlement else UPHELD, {"decision": judged.id})


def awaits(uow: UnitOfWork, matter: Matter, violation: Violation) -> str | None:
    """Return what an upheld violation still waits for: its referral, then the settlement; None where nothing lacks."""
    return awaited_of(first_decisions_of(uow, matter), matter, violation)


def awaited_of(decided: Mapping[str, Decision], matter: Matter, violation: Violation) -> str | None:
    """Return the same, by decisions that the caller has read."""
    judged = upheld(decided)
    if judged is None or violation.sanctioned_at is None or matter.closed_at is not None:
        return None
    judgement = judged.judgement or {}
    refused = REFERRAL in decided and decided[REFERRAL].outcome != APPROVED
    if judgement.get("referral") and not refused and not (violation.referral or {}).get("handedAt"):
        return REFERRAL
    if judgement.get("loss") and violation.settlement is None:
        return "settlement"
    return None


def upheld(decided: Mapping[str, Decision]) -> Decision | None:
    """Return the decision that has upheld the violation."""
    judged = next((decided[stage] for stage in DECIDING if stage in decided), None)
    return judged if judged is not None and judged.outcome == STAGES[judged.stage].favourable else None


def needs_legal(judged: Decision) -> bool:
    """Return whether one of the sanctions takes effect only once Legal has approved it (T14)."""
    return bool(judged.variables.get(judgements.LEGAL_NEEDED))


def change_facts(uow: UnitOfWork, matter: Matter, facts: dict[str, Any], action: str) -> None:
    """Write the facts anew; NotPermitted once somebody is asked to decide on them."""
    asked = select(Review.id).where(Review.matter_id == matter.id)
    if uow.session.scalar(asked.limit(1)) is not None:
        raise refusal(matter, "change the facts", "somebody is asked to decide on them already")
    matter.facts, matter.facts_sha256 = facts, hash_of(facts)
    audit_trail.record(
        uow, action, "matter", matter.id, application_id=matter.application_id, facts=matter.facts_sha256
    )


def notify(uow: UnitOfWork, subject: Subject, person_id: str, code: str) -> None:
    notification_service.notify(
        uow, person_id, code, application_id=subject.matter.application_id, subject_id=subject.matter.id
    )


def _require_open(matter: Matter, act: str) -> None:
    if matter.closed_at is not None:
        raise refusal(matter, act, f"it is closed as {matter.closed_as}")


def _require_signed(uow: UnitOfWork, subject: Subject, act: str) -> dict[str, Decision]:
    """Return the decisions, each of which is signed over the facts as they are."""
    decided = first_decisions_of(uow, subject.matter)
    require_signed(subject.matter, decided, act)
    return decided


def _suspend(uow: UnitOfWork, matter: Matter, violation: Violation, given: Assessment) -> None:
    """Suspend the copies, which opening has done, and the accused where the assessment says so.

    Without a loan there are no copies to suspend.
    """
    if violation.hand_over_id is not None:
        hand_over = uow.session.get_one(HandOver, violation.hand_over_id)
        suspensions.open_once(uow, hand_over, suspensions.VIOLATION, violation_id=violation.id)
    for person_id in violations.list_accused(uow, matter.id) if given.suspend_person else ():
        suspensions.open_for_person(uow, person_id, suspensions.VIOLATION, matter.id)


def _end(uow: UnitOfWork, subject: Subject, violation: Violation, closed_as: str, outcome: dict[str, Any]) -> None:
    """Close violation and matter, lift what was suspended of people, write the sheet, and tell the parties."""
    matter = subject.matter
    outbox.settle(uow, matter.application_id, f"it is {closed_as}", matter_id=matter.id)
    violation_ends.lift_people(uow, violation, cleared=closed_as == CLEARED)
    violation_ends.close(uow, violation, closed_as)
    matter.closed_at, matter.closed_as, matter.outcome = uow.now, closed_as, outcome
    review_tasks.close_of_matter(uow, matter, f"matter-{closed_as}")
    notification_service.mark_done(uow, "violation", subject_id=matter.id)
    record(uow, matter, "matter-closed", number=matter.number, kind=matter.kind, closed_as=closed_as)
    documents.write_violation(uow, matter, violation, first_decisions_of(uow, matter))
    people = {*_list_parties(uow, subject), *filter(None, [matter.opened_by])}
    for person_id in sorted(people):
        notify(uow, subject, person_id, "violation-cleared" if closed_as == CLEARED else "violation-closed")


def _list_parties(uow: UnitOfWork, subject: Subject) -> list[str]:
    """List who is notified of each step: the accused, and the head of their department."""
    accused = violations.list_accused(uow, subject.matter.id)
    return sorted({*accused, *policy.list_heads(uow, subject.matter, accused)})


def _handlers(uow: UnitOfWork, subject: Subject) -> list[str]:
    """List who hands the evidence over and records the settlement: who leads Legal, else Security, not accused."""
    directory = access_queries.load_directory(uow)
    barred = {
        *violations.list_accused(uow, subject.matter.id),
        *subject.application.subject_ids,
        *directory.administrators,
    }
    for kind in ("legal", "security"):
        found = [one for one in directory.holders_in(kind, "head", "deputy") if one not in barred]
        if found:
            return found
    return []


def _require_handlers(uow: UnitOfWork, subject: Subject, what: str) -> list[str]:
    """Return who hands over and records; Fatal where all who lead Legal and Security are barred, or there is nobody."""
    handlers = _handlers(uow, subject)
    if not handlers:
        raise Fatal(
            f"nobody may {what} | {subject.matter.number} | whoever leads Legal or Security is accused or concerned, "
            "or the posts are vacant | appoint somebody, then raise the retries and resolve the incident",
            runbook="incidents-pending#nobody-may-decide",
        )
    return handlers


def _owner_of_hold(uow: UnitOfWork, subject: Subject, decision: Decision) -> str:
    """Return who reviews the hold: the one who has decided it where they read holds, else who leads Legal."""
    directory = access_queries.load_directory(uow)
    if hold_policy.may_read(directory, decision.decided_by):
        return decision.decided_by
    return next(iter(_handlers(uow, subject)), decision.decided_by)


def record(uow: UnitOfWork, matter: Matter, action: str, **detail: Any) -> None:
    """Record in the audit trail what was done about a violation."""
    audit_trail.record(uow, action, "matter", matter.id, application_id=matter.application_id, **detail)

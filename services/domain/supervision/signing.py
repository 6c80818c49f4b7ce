"""The question to the group whether the report is right: the leader signs first, then every member (R63)."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from services.database.tables.inspections import GroupInspection, InspectionSignature
from services.database.tables.reviews import Reminder
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures import signing
from services.domain.accounts.signatures.given import Proof
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.domain.process import outbox, permissions
from services.domain.process.messages import REVIEW_DECIDED
from services.domain.reviews.tasks import Opened, is_reminder_due
from services.domain.stages.catalogue import STAGES
from services.domain.supervision import groups, reports, service
from services.domain.working_calendar import deadlines
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

STAGE = "inspection-signature"


def open_review(uow: UnitOfWork, inspection_id: str, *, job_key: int) -> Opened:
    """Ask the group to sign the report, once; a second run of the job finds the question.

    Raises NotPermitted before the report is written, and for another job than the one that has asked.
    """
    act = f"open the review {STAGE}"
    inspection = service.lock(uow, inspection_id, act)
    if inspection.signing_job_key != job_key:
        service.require_open(inspection, act)
        if inspection.report is None:
            raise service.not_permitted(inspection, act, "its report is not written")
        if inspection.signing_job_key is not None:
            raise service.not_permitted(inspection, act, "the group is asked already")
        deadline = deadlines.compute(uow, STAGES[STAGE])
        inspection.signing_job_key, inspection.signing_opened_at = job_key, uow.now
        inspection.signing_due_at, inspection.signing_reminder_at = deadline.due_at, deadline.first_reminder_at
        _record(uow, "inspection-signing-opened", inspection, due_at=deadline.due_at.isoformat())
        _notify_next(uow, inspection)
    elif inspection.signed_as is not None:  # the job runs again: the process did not wait for the answer yet
        outbox.reopen(uow, REVIEW_DECIDED, inspection.id)
    opened_at, due_at = _moments(inspection)
    return Opened(inspection.id, inspection.signing_reminder_at or due_at, due_at - opened_at, inspection.number)


def sign(
    uow: UnitOfWork, inspection_id: str, outcome: str, report_sha256: str, *, proof: Proof, reason: str | None = None
) -> GroupInspection:
    """Sign the report, or refuse with a reason. The last signature files it; one refusal ends the signing.

    Refused to who is not asked now, and for another report than the one that was read. Where the group is no valid one
    any more, it can only refuse.
    """
    inspection = uow.session.get(GroupInspection, inspection_id, with_for_update=True, populate_existing=True)
    if inspection is None:
        raise NotFound(Message("inspection"), inspection_id)
    refusal = refusal_for(uow, inspection)
    if refusal is not None:
        raise refusal
    group = groups.get(uow, inspection.group_id)
    broken = groups.composition_refusal(uow, group)
    if broken is not None and outcome != service.REFUSED:
        raise Refused(
            "group-invalid",
            "The supervision group is not valid now, so its report cannot be signed: {because}",
            because=broken.message,
        )
    if inspection.report_sha256 != report_sha256:
        raise Refused("report-changed", "The report has changed since you read it: read it again, then sign.")
    stage, reason = STAGES[STAGE], (reason or "").strip() or None
    if outcome not in stage.outcomes:
        raise Refused("outcome", "Sign the report, or refuse to.", status=422, field="outcome")
    if outcome in stage.reason_for and reason is None:
        raise Refused("missing", "Enter a reason.", status=422, field="reason")
    me = uow.actor.id
    part = groups.LEADER if me == groups.leader_of(group) else groups.MEMBER
    statement = {
        "kind": "inspection-report",
        "inspection": inspection.number,
        "report": inspection.report_sha256,
        "outcome": outcome,
        "reason": reason,
        "part": part,
        "person": me,
        "decidedAt": signing.signing_moment(uow, proof).isoformat(),
    }
    signed = signing.sign(uow, statement, proof, level=stage.level)
    uow.session.add(
        InspectionSignature(
            inspection_id=inspection.id,
            person_id=me,
            part=part,
            outcome=outcome,
            reason=reason,
            signed_at=uow.now,
            statement_sha256=signed.sha256,
            signature=signed.signature,
        )
    )
    uow.session.flush()
    notification_service.mark_done(uow, "supervision", subject_id=inspection.id, person_id=me)
    _record(uow, "inspection-report-answered", inspection, outcome=outcome, part=part, **signed.event_fields)
    if outcome == service.REFUSED:
        _end(uow, inspection, service.REFUSED)
    elif list_asked(uow, inspection):
        _notify_next(uow, inspection)
    else:
        _end(uow, inspection, service.SIGNED)
    return inspection


def refusal_for(uow: UnitOfWork, inspection: GroupInspection) -> Refused | None:
    """Return why the acting person may not sign now, or None."""
    if inspection.signing_opened_at is None or inspection.signed_as is not None:
        return Refused("not-open", "The report is not to be signed now.")
    if uow.actor.id not in groups.people_of(groups.get(uow, inspection.group_id)):
        return Refused("not-yours", "You are not a member of the supervision group.", status=403)
    if uow.actor.id not in list_asked(uow, inspection):
        return Refused("not-yet", "You have signed already, or the leader has to sign first.")
    return None


def list_asked(uow: UnitOfWork, inspection: GroupInspection) -> list[str]:
    """List who is to sign now: the leader alone, and after that all the others who have not."""
    people = groups.people_of(groups.get(uow, inspection.group_id))
    query = select(InspectionSignature.person_id).where(InspectionSignature.inspection_id == inspection.id)
    signed = set(uow.session.scalars(query))
    return people[:1] if people[0] not in signed else [one for one in people if one not in signed]


def ask_anew(uow: UnitOfWork, inspection: GroupInspection) -> None:
    """Ask the present group, where another one was asked before."""
    notification_service.mark_done(uow, "supervision", subject_id=inspection.id)
    if inspection.signing_opened_at is not None:
        _notify_next(uow, inspection)


def remind(uow: UnitOfWork, inspection: GroupInspection, job_key: int) -> None:
    """Remind who is to sign; once for each job and period."""
    if inspection.signed_as is not None or not is_reminder_due(uow, job_key, "review", inspection.id):
        return
    uow.session.add(Reminder(job_key=job_key, kind="review", subject_id=inspection.id, sent_at=uow.now))
    _record(uow, "inspection-signing-reminded", inspection)
    _notify_next(uow, inspection)


def escalate(uow: UnitOfWork, inspection: GroupInspection, job_key: int) -> None:
    """The limit is reached: the leader and who is to sign are told; nobody signs in their place."""
    if inspection.signed_as is not None:
        return
    if not permissions.is_over(uow, _moments(inspection)[1]):
        raise service.not_permitted(inspection, "escalate the signing", "it is not overdue")
    if not is_reminder_due(uow, job_key, "escalation", inspection.id):
        return
    uow.session.add(Reminder(job_key=job_key, kind="escalation", subject_id=inspection.id, sent_at=uow.now))
    _record(uow, "inspection-signing-escalated", inspection)
    group = groups.get(uow, inspection.group_id)
    for person_id in dict.fromkeys([groups.leader_of(group), *list_asked(uow, inspection)]):
        _notify(uow, person_id, "inspection-overdue", inspection)


def find(uow: UnitOfWork, review_id: str) -> GroupInspection:
    """Return the inspection whose report is asked about by this review, locked."""
    return service.lock(uow, review_id, "remind of the report")


def _end(uow: UnitOfWork, inspection: GroupInspection, outcome: str) -> None:
    inspection.signed_as = outcome
    uow.session.flush()
    notification_service.mark_done(uow, "supervision", subject_id=inspection.id)
    reports.file(uow, inspection)
    outbox.publish(
        uow,
        REVIEW_DECIDED,
        inspection.id,
        application_id=None,
        subject=service.subject_of(inspection),
        message_id=f"inspection-signed:{inspection.id}",
        variables={"decision": outcome},
    )


def _moments(inspection: GroupInspection) -> tuple[datetime, datetime]:
    if inspection.signing_opened_at is None or inspection.signing_due_at is None:
        raise ValueError("an open question has its moments")
    return inspection.signing_opened_at, inspection.signing_due_at


def _notify_next(uow: UnitOfWork, inspection: GroupInspection) -> None:
    for person_id in list_asked(uow, inspection):
        _notify(uow, person_id, "inspection-to-sign", inspection)


def _notify(uow: UnitOfWork, person_id: str, code: str, inspection: GroupInspection) -> None:
    notification_service.notify(uow, person_id, code, application_id=None, subject_id=inspection.id)


def _record(uow: UnitOfWork, action: str, inspection: GroupInspection, **detail: Any) -> None:
    audit_trail.record(uow, action, "inspection", inspection.id, number=inspection.number, **detail)

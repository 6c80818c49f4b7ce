"""Joint applications: every department named in the form has to say who the applicant is before it counts (R17).

Handing in asks each department's head; where the head drafted the form, is concerned by it or is absent, the deputy,
then the head of the department above. The process begins with the last consent. A refusal, a change of the form and a
time that runs out end the consultation, and the form is the drafter's again.
"""

from datetime import datetime, timedelta

from sqlalchemy import select

from services.database.leases import Lease, Leased
from services.database.tables.applications import Application
from services.database.tables.consents import Consent, Consultation
from services.database.tables.people import Department
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access import consents
from services.domain.access import queries as access_queries
from services.domain.access.policy import all_before_in_department, consent_givers, heads_represented
from services.domain.accounts.signatures import signing as signature_signing
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import filing, forms
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.runtime.errors import NotFound, Refused
from services.runtime.periodic import Periodic
from services.runtime.translations import Bilingual, Message, Text

MOST_DEPARTMENTS = 10  # departments of one application beside the applicant's own
REMIND_BEFORE = timedelta(days=1)
ACTOR = Actor("system", "consents")
EVERY = timedelta(minutes=1)
AT_ONCE = 50  # consultations in one unit of work


def request_consents(uow: UnitOfWork, application: Application, round_: int) -> bool:
    """Ask the departments whose consent the form still needs; whether it has to wait for them.

    The same form is not asked for twice, and a form that all have consented to waits for nobody.
    """
    if not application.joint_department_ids:
        if consents.end_open(uow, application.id, "changed") is not None:
            notification_service.mark_done(uow, "consent", application_id=application.id)
        return False
    form = consents.consented_part(forms.to_json(uow, application))
    sha256 = consents.hash_form(form)
    running = consents.get_open(uow, application.id)
    if running is not None and running.sha256 == sha256:
        return True
    _end(uow, application, "changed")
    if consents.find_consented(uow, application.id, sha256) is not None:
        return False
    asked = {
        department_id: require_answerers(uow, application, department_id)
        for department_id in application.joint_department_ids
    }
    due_at = uow.now + uow.rules.correction_period
    if application.correction_until is not None:
        due_at = min(due_at, application.correction_until)
    consultation = Consultation(
        application_id=application.id,
        round=round_,
        asked_by=uow.actor.id,
        asked_at=uow.now,
        due_at=due_at,
        form=form,
        sha256=sha256,
    )
    uow.session.add(consultation)
    uow.session.flush()
    audit_trail.record(
        uow,
        "consents-asked",
        "consultation",
        consultation.id,
        application_id=application.id,
        form=sha256,
        departments=list(asked),
    )
    for department_id, people in asked.items():
        consent = Consent(consultation_id=consultation.id, application_id=application.id, department_id=department_id)
        uow.session.add(consent)
        uow.session.flush()
        _notify(uow, application, people, "consent-asked", consent.id)
    return True


def end_if_changed(uow: UnitOfWork, application: Application) -> None:
    """End a consultation whose form is not the application's any more: earlier consents are void."""
    running = consents.get_open(uow, application.id)
    if running is not None and running.sha256 != consents.hash_form(forms.to_json(uow, application)):
        _end(uow, application, "changed")


def cancel(uow: UnitOfWork, application: Application) -> bool:
    """End the consultation for its drafter; return whether there was one."""
    return _end(uow, application, "withdrawn") is not None


def consent(uow: UnitOfWork, consent_id: str, proof: Proof) -> Consent:
    """Consent for the department, signed; the last consent submits the form."""
    row, consultation, application = _answerable(uow, consent_id, proof.form_sha256)
    _sign(uow, row, consultation, "consented", proof)
    if all(answer.answer == "consented" for answer in consents.list_answers(uow, consultation)):
        consultation.ended_at, consultation.ended_because = uow.now, "consented"
        if application.submitted_at is None:
            filing.submit(uow, application, consultation.asked_by)
        else:
            filing.resubmit(uow, application, consultation.asked_by)
        notification_service.notify(uow, application.drafter_id, "consents-complete", application_id=application.id)
    return row


def refuse(uow: UnitOfWork, consent_id: str, reason: str, proof: Proof) -> Consent:
    """Refuse for the department, signed, with a reason; the form goes back to the drafter."""
    if not reason.strip():
        raise Refused("reason-missing", "Enter a reason for refusing.", status=422, field="reason")
    row, consultation, application = _answerable(uow, consent_id, proof.form_sha256)
    _sign(uow, row, consultation, "refused", proof, reason=reason.strip())
    _end(uow, application, "refused")
    notification_service.notify(uow, application.drafter_id, "consent-refused", application_id=application.id)
    return row


def check_deadlines(uow: UnitOfWork) -> bool:
    """Remind of consents a day before they lapse, and let lapse what was not given in time.

    It does so for ``AT_ONCE`` consultations at most; returns whether more are due.
    """
    running = select(Consultation).where(Consultation.ended_at.is_(None))
    soon = (
        running.with_only_columns(Consultation.id, Consultation.asked_at, Consultation.due_at, Consultation.reminded_at)
        .where(Consultation.due_at <= uow.now + REMIND_BEFORE)
        .order_by(Consultation.due_at, Consultation.id)
    )
    due = [
        row.id
        for row in uow.session.execute(soon)
        if uow.now >= (row.due_at if row.reminded_at else _reminder_at(row.asked_at, row.due_at))
    ]
    locked = running.where(Consultation.id.in_(due[:AT_ONCE])).order_by(Consultation.due_at, Consultation.id)
    for consultation in uow.session.scalars(locked.with_for_update()).all() if due else ():
        application = uow.session.get_one(Application, consultation.application_id)
        if uow.now >= consultation.due_at:
            _end(uow, application, "lapsed")
            notification_service.notify(uow, application.drafter_id, "consents-lapsed", application_id=application.id)
            continue
        consultation.reminded_at = uow.now
        for answer in consents.list_answers(uow, consultation):
            if answer.answer is None:
                people = answerers(uow, application, answer.department_id)
                _notify(uow, application, people, "consent-reminder", answer.id)
    return len(due) > AT_ONCE


def _reminder_at(asked_at: datetime, due_at: datetime) -> datetime:
    return due_at - min(REMIND_BEFORE, (due_at - asked_at) / 2)


def _end(uow: UnitOfWork, application: Application, because: str) -> Consultation | None:
    ended = consents.end_open(uow, application.id, because)
    if ended is not None:
        notification_service.mark_done(uow, "consent", application_id=application.id)
        audit_trail.record(
            uow,
            "consultation-ended",
            "consultation",
            ended.id,
            application_id=application.id,
            because=because,
        )
    return ended


def get_consent(uow: UnitOfWork, consent_id: str) -> tuple[Consent, Consultation, Application]:
    """Return the consent for those who may give it, or gave it; NotFound for everybody else."""
    consent = uow.session.get(Consent, consent_id)
    if consent is not None:
        application = uow.session.get_one(Application, consent.application_id)
        running = uow.session.get_one(Consultation, consent.consultation_id)
        asked = running.ended_at is None and uow.actor.id in answerers(uow, application, consent.department_id)
        if asked or uow.actor.id == consent.person_id:
            return consent, running, application
    raise NotFound(Message("consent"), consent_id)


def _answerable(uow: UnitOfWork, consent_id: str, form_sha256: str) -> tuple[Consent, Consultation, Application]:
    consent, consultation, application = get_consent(uow, consent_id)
    # the case first, as everybody locks it: a redraft at the same moment waits or is waited for
    uow.session.refresh(application, with_for_update=True)
    uow.session.refresh(consultation, with_for_update=True)
    uow.session.refresh(consent, with_for_update=True)
    refusal = refusal_for(uow, consent, consultation, application)
    if refusal is not None:
        raise refusal
    if form_sha256 != consultation.sha256:
        raise Refused(
            "form-changed",
            "The form has changed since you read it: reload the page and read it again.",
            field="formSha256",
        )
    return consent, consultation, application


def refusal_for(
    uow: UnitOfWork, consent: Consent, consultation: Consultation, application: Application
) -> Refused | None:
    """Return why the actor may not answer now, or None."""
    if consent.answer is not None:
        return Refused("answered", "Your department has already answered.")
    if consultation.ended_at is not None or uow.now >= consultation.due_at:
        return Refused(
            "consultation-over",
            "This consultation has ended (form changed, refused by another department, or expired): there is "
            "nothing to answer.",
        )
    if application.closed_at is not None or application.withdrawn_at is not None:
        return Refused("withdrawn", "The application was withdrawn or has ended.")
    if uow.actor.id not in answerers(uow, application, consent.department_id):
        return Refused("not-yours", "You are not authorised to give this consent.", status=403)
    return None


def _sign(
    uow: UnitOfWork, row: Consent, consultation: Consultation, answer: str, proof: Proof, *, reason: str | None = None
) -> None:
    application = uow.session.get_one(Application, row.application_id)
    directory = access_queries.load_directory(uow)
    statement = {
        "kind": "consent",
        "consent": row.id,
        "application": row.application_id,
        "form": consultation.sha256,
        "department": row.department_id,
        "applicant": consultation.form["department"]["id"],
        "answer": answer,
        "reason": reason,
        "person": uow.actor.id,
        "represented": all_before_in_department(directory, row.department_id, uow.actor.id),
        "decidedAt": signature_signing.signing_moment(uow, proof).isoformat(),
    }
    signed = signature_signing.sign(uow, statement, proof)
    row.answer, row.person_id, row.answered_at, row.reason = answer, uow.actor.id, uow.now, reason
    row.statement_sha256, row.signature = signed.sha256, signed.signature
    notification_service.mark_done(uow, "consent", subject_id=row.id)
    audit_trail.record(
        uow,
        f"consent-{answer}",
        "consent",
        row.id,
        application_id=row.application_id,
        department=row.department_id,
        **signed.event_fields,
        reason=reason,
    )
    for person_id in heads_represented(directory, row.department_id, uow.actor.id, _outside(application)):
        notification_service.notify(uow, person_id, "signed-in-your-place", application_id=application.id)


def _notify(uow: UnitOfWork, application: Application, people: list[str], code: str, consent_id: str) -> None:
    for person_id in access_queries.load_directory(uow).present(people) or people:
        notification_service.notify(uow, person_id, code, application_id=application.id, subject_id=consent_id)


def check_departments(uow: UnitOfWork, department_ids: tuple[str, ...], own_department_id: str) -> None:
    """Raise Refused for departments that are not there, are named twice, are too many, or are the applicant's own."""
    if len(department_ids) > MOST_DEPARTMENTS:
        raise refused(
            "too-many-departments",
            Message("A joint application can have at most {most} departments: remove some.", most=MOST_DEPARTMENTS),
        )
    for department_id in department_ids:
        if uow.session.get(Department, department_id) is None:
            raise refused(
                "unknown",
                Message(
                    "Department {department_id} does not exist: choose one from the list.", department_id=department_id
                ),
            )
    if own_department_id in department_ids:
        raise refused(
            "own-department",
            Message("Your own department is the applicant: name only the others as joint departments."),
        )
    if len(set(department_ids)) != len(department_ids):
        raise refused("department-twice", Message("A department is named twice: remove one."))


def answerers(uow: UnitOfWork, application: Application, department_id: str) -> list[str]:
    """Return who may answer for the department now: heads, else deputies, else the heads above."""
    return consent_givers(access_queries.load_directory(uow), department_id, _outside(application))


def _outside(application: Application) -> set[str]:
    """Return who neither consents nor hears of a consent: the drafter and the subjects (T8)."""
    return {application.drafter_id, *application.subject_ids}


def require_answerers(uow: UnitOfWork, application: Application, department_id: str) -> list[str]:
    """As ``answerers``; Refused where nobody could answer for the department."""
    people = answerers(uow, application, department_id)
    if not people:
        department = uow.session.get_one(Department, department_id)
        raise refused(
            "nobody-consents",
            Message(
                "{name} has no head or deputy who can consent: ask the administrator to assign one first.",
                name=Bilingual(department.name_zh, department.name_en),
            ),
        )
    return people


def refused(code: str, message: Text) -> Refused:
    """Return a refusal of the form's list of departments."""
    return Refused(code, message, status=422, field="jointDepartmentIds")


def consent_deadlines(database: Database) -> Periodic:
    """Check the deadlines every minute, in one process at a time."""

    async def check() -> bool:
        return await database.run(ACTOR, check_deadlines)

    return Leased(Lease.between_runs(database, "consents", EVERY), EVERY, check)

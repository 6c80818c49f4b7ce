"""Handing a case on: to the managers who decide it (R26, T8), and to the storage office that releases it (R30)."""

from datetime import datetime

from sqlalchemy import func, select

from services.database.tables.reviews import Decision, Reminder, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.domain.process import permissions
from services.domain.reviews import classification
from services.domain.reviews.tasks import is_reminder_due
from services.runtime.errors import Fatal, NotPermitted

DECIDED_BY = ("management", "management-other")
ESCALATE = "ask the managers"


def escalate_to_management(uow: UnitOfWork, application_id: str, decided_by: str, job_key: int) -> list[str]:
    """Name who decides: any manager, or another one than those whom the case concerns. Tells them once for each job.

    Where all of these have to sign the agreement first, it names them. Raises NotPermitted before Security has signed,
    Fatal when no manager is left.
    """
    state = permissions.lock_approval(uow, application_id, ESCALATE)
    application = state.application
    if decided_by not in DECIDED_BY:
        raise NotPermitted(
            f"could not escalate | application {application_id} | decidedBy is neither of {', '.join(DECIDED_BY)} | "
            "correct the decision table, then resolve the incident"
        )
    if not state.has_ended_with("security-signature"):
        raise permissions.refusal(ESCALATE, application_id, "Security has not signed it in this round")
    application.decided_by = classification.highest_decider(uow, application_id, decided_by)
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, application_id)
    review = Review(application_id=application_id, stage="management")
    deciders = access_policy.candidates(directory, facts, review)
    deciders = deciders or access_policy.lacking_agreement(directory, facts, review)
    if not deciders:
        raise Fatal(
            f"no manager may decide | application {application_id} | all are concerned or absent | "
            "appoint another manager, then raise the retries and resolve the incident",
            runbook="incidents-pending#nobody-may-decide",
        )
    if is_reminder_due(uow, job_key, "management", application_id):
        uow.session.add(Reminder(job_key=job_key, kind="management", subject_id=application_id, sent_at=uow.now))
        audit_trail.record(
            uow,
            "escalated-to-management",
            "application",
            application_id,
            application_id=application_id,
            decided_by=application.decided_by,
            deciders=deciders,
        )
        for person_id in deciders:
            notification_service.notify(uow, person_id, "management-decides", application_id=application_id)
    return deciders


def notify_storage(uow: UnitOfWork, application_id: str) -> datetime:
    """Notify the storage office once for each filed form; return the moment."""
    state = permissions.lock_filed(uow, application_id, "notify the storage office")
    application = state.application
    filed_at = state.form.made_at if state.form is not None else uow.now
    notified = application.storage_notified_at
    if notified is not None and notified >= filed_at:
        return notified
    operators = access_queries.load_directory(uow).holders_in("storage", "storage-operator", "head", "deputy")
    if not operators:
        raise Fatal(
            f"could not notify the storage office | application {application_id} | nobody holds a post there | "
            "appoint a storage operator, then resolve the incident",
            runbook="incidents-pending#nobody-may-decide",
        )
    told = [person_id for person_id in operators if person_id not in application.subject_ids]  # T8
    approved_at = uow.session.scalar(
        select(func.max(Decision.decided_at)).where(
            Decision.application_id == application_id,
            Decision.matter_id.is_(None),
            Decision.round == application.round,
        )
    )
    waited = uow.now - (application.reissued_at or approved_at or filed_at)
    application.storage_notified_at = uow.now
    audit_trail.record(
        uow,
        "storage-notified",
        "application",
        application_id,
        application_id=application_id,
        notified=told,
        seconds_after_approval=int(waited.total_seconds()),
        in_time=waited <= uow.rules.notify_limit,
    )
    for person_id in told:
        notification_service.notify(uow, person_id, "storage-prepare", application_id=application_id)
    return uow.now

"""Handing a case on: to the managers who decide it (R26, T8), and to the storage office that releases it (R30)."""

from datetime import datetime

from sqlalchemy import func, select

from services.database.tables.documents import Document
from services.database.tables.reviews import Decision, Reminder, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.applications import service as application_service
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.runtime.errors import Fatal

DECIDED_BY = ("management", "management-other")


def escalate_to_management(uow: UnitOfWork, application_id: str, decided_by: str, job_key: int) -> list[str]:
    """Name who decides: any manager, or another one than those whom the case concerns. Tells them once for each job.

    Raises Fatal when no manager is left.
    """
    application = application_service.lock_case(uow, application_id, "hand the case on")
    if decided_by not in DECIDED_BY:
        raise Fatal(
            f"could not escalate | application {application_id} | decidedBy is neither of {', '.join(DECIDED_BY)} | "
            "correct the decision table, then resolve the incident"
        )
    application.decided_by = decided_by
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, application_id)
    deciders = access_policy.candidates(directory, facts, Review(application_id=application_id, stage="management"))
    if not deciders:
        raise Fatal(
            f"no manager may decide | application {application_id} | all are concerned, absent, or without an "
            "agreement | appoint another manager, then raise the retries and resolve the incident",
            runbook="incidents-pending#nobody-may-decide",
        )
    if uow.session.get(Reminder, job_key) is None:
        uow.session.add(Reminder(job_key=job_key, kind="management", subject_id=application_id, sent_at=uow.now))
        audit_trail.record(
            uow,
            "escalated-to-management",
            "application",
            application_id,
            application_id=application_id,
            decided_by=decided_by,
            deciders=deciders,
        )
        for person_id in deciders:
            notification_service.notify(uow, person_id, "management-decides", application_id=application_id)
    return deciders


def notify_storage(uow: UnitOfWork, application_id: str) -> datetime:
    """Notify the storage office once for each filed form; return the moment."""
    application = application_service.lock_case(uow, application_id, "hand the case on")
    filed_at = uow.session.scalar(
        select(func.max(Document.made_at)).where(
            Document.application_id == application_id, Document.kind == "application-form"
        )
    )
    if filed_at is None:
        raise Fatal(
            f"could not notify the storage office | application {application_id} | it is not filed | "
            "file the application first, then resolve the incident"
        )
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
    approved_at = uow.session.scalar(
        select(func.max(Decision.decided_at)).where(
            Decision.application_id == application_id, Decision.round == application.round
        )
    )
    waited = uow.now - (approved_at or filed_at)
    application.storage_notified_at = uow.now
    audit_trail.record(
        uow,
        "storage-notified",
        "application",
        application_id,
        application_id=application_id,
        notified=operators,
        seconds_after_approval=int(waited.total_seconds()),
        in_time=waited <= uow.rules.notify_limit,
    )
    for person_id in operators:
        notification_service.notify(uow, person_id, "storage-prepare", application_id=application_id)
    return uow.now

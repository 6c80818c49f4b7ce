"""A form that counts: numbered, frozen with its consents, and published to the process (R16, R17, R22)."""

from services.database.tables.applications import Application, Revision
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.applications import forms, outsiders
from services.domain.attachments import service as attachment_service
from services.domain.audit import trail as audit_trail
from services.domain.documents import service as document_service
from services.domain.notifications import service as notification_service
from services.domain.process import messages, outbox
from services.domain.retrieval import preservations


def submit(uow: UnitOfWork, application: Application, by: str) -> None:
    """The application is submitted by ``by``: the process begins."""
    application.submitted_at = application.listed_at = uow.now
    application.number = document_service.next_number(uow, "application")
    revision = _freeze(uow, application, by)
    audit_trail.record(
        uow,
        "application-submitted",
        "application",
        application.id,
        application_id=application.id,
        number=application.number,
        form=revision.sha256,
    )
    outbox.publish(
        uow,
        messages.APPLICATION_SUBMITTED,
        application.id,
        application_id=application.id,
        message_id=application.id,
        variables={"applicationId": application.id},
    )


def resubmit(uow: UnitOfWork, application: Application, by: str) -> None:
    """The correction of a returned application: a new round begins."""
    application.round += 1
    application.correction_until = None
    if application.issue == 1:  # the form names the custodian anew; copies that are replaced go to who held them
        application.named_custodian_id = None
    revision = _freeze(uow, application, by)
    audit_trail.record(
        uow,
        "application-corrected",
        "application",
        application.id,
        application_id=application.id,
        round=application.round,
        form=revision.sha256,
    )
    # the process counts its rounds at the end of Approval, so it waits for the number that this correction makes
    key = f"{application.id}:{application.round}"
    items = preservations.items_in_scope(uow, application.id)
    outbox.publish(
        uow,
        messages.APPLICATION_CORRECTED,
        key,
        application_id=application.id,
        message_id=key,
        variables={"applicationId": application.id, "itemIds": [item.id for item in items]},
    )


def _freeze(uow: UnitOfWork, application: Application, by: str) -> Revision:
    """Freeze the form that counts from now on, with all that goes with it, and end the notice of a correction."""
    notification_service.mark_done(uow, "correction", application_id=application.id)
    access_queries.keep_departments(uow, application)
    attachment_service.bind_form(uow, application.id)
    outsiders.begin_deadlines(uow, application)
    return forms.freeze(uow, application, by)

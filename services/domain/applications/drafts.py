"""Drafts: what somebody is typing, stored as it was typed, so that nothing is lost and nobody overwrites a later save.

A draft is of a form that was never submitted, or of the correction of a returned one; it is for one round.
"""

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import delete, select, update

from services.database.tables.applications import Application, Item
from services.database.tables.consents import Consent, Consultation
from services.database.tables.drafts import Draft
from services.database.tables.notices import Notice
from services.database.tables.outsiders import Outsider
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import visibility
from services.domain.applications import forms, previews, service
from services.domain.applications.forms import Form
from services.domain.attachments import service as attachment_service
from services.domain.audit import trail as audit_trail
from services.domain.retrieval import upload_sources
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

LARGEST = 200_000  # characters of one draft as JSON: 20 items and every text at its longest


def save(
    uow: UnitOfWork,
    application_id: str,
    form: Form,
    *,
    typed: Mapping[str, Any] | None = None,
    version: int | None = None,
    previous_id: str | None = None,
) -> Draft:
    """Store what was typed; ``form`` is what of it can be read. Creates the draft where there is none.

    ``version`` is the one that the typing began from; Refused (draft-changed) where a later one was saved elsewhere.
    None overwrites whatever is there.
    """
    application = uow.session.get(Application, application_id)
    if application is None:
        application = service.create_draft(uow, form, previous_id=previous_id, application_id=_fresh(application_id))
    else:
        application = _open(uow, application_id)
        draft = _of_round(uow, application)
        if draft is not None and typed and draft.typed == dict(typed):
            return draft
        if version is not None and version != (draft.version if draft else 0):
            raise Refused(
                "draft-changed",
                "This draft was changed and saved elsewhere: choose which version to keep.",
            )
        if application.submitted_at is None:
            service.update_draft(uow, application_id, form)
        else:
            service.check_storable(uow, form, application)
    return _keep(uow, application, dict(typed or {}))


def get_editable(uow: UnitOfWork, application_id: str) -> tuple[Application, Draft | None]:
    """Return the application that may be edited, and what was typed last; Refused when it is over."""
    application = _open(uow, application_id)
    return application, _of_round(uow, application)


def submit(uow: UnitOfWork, application_id: str, form: Form) -> Application:
    """Submit the draft, or the correction, of a complete form (R16, R22). Again is no error."""
    application = service.get_own(uow, application_id, for_change=True)
    if application.submitted_at is not None and application.correction_until is None and application.closed_at is None:
        return application
    service.check_storable(uow, form, application)
    previews.require_complete(uow, form, application_id)
    if application.submitted_at is None:
        service.update_draft(uow, application_id, form)
        return service.submit(uow, application_id)
    return service.correct(uow, application_id, form)


def discard(uow: UnitOfWork, application_id: str) -> None:
    """Delete an own draft that was never submitted; the audit trail records it."""
    application = service.get_own(uow, application_id, for_change=True)
    if application.submitted_at is not None:
        raise Refused(
            "already-submitted",
            "The application was submitted: withdraw it instead of deleting it.",
        )
    attachment_service.discard_all(uow, application_id)
    for table in (Draft, Item, Consent, Consultation, Outsider):
        uow.session.execute(delete(table).where(table.application_id == application_id))
    # heads who were asked keep their notice; what it led to is no more
    uow.session.execute(update(Notice).where(Notice.application_id == application_id).values(application_id=None))
    upload_sources.release(uow, application_id)
    uow.session.delete(application)
    uow.session.flush()
    audit_trail.record(uow, "draft-discarded", "application", application_id)


def get_source(uow: UnitOfWork, application_id: str) -> tuple[Application, Form]:
    """Return an application to copy from: an own one, or the department's where the actor sees it."""
    application = visibility.get_visible(uow, application_id)
    person = uow.session.get_one(Person, uow.actor.id)
    if application.drafter_id != person.id and application.department_id != person.department_id:
        raise NotFound(Message("application"), application_id)
    form = forms.from_application(uow, application)
    # a file belongs to one case; for another it is uploaded again
    items = tuple(item for item in form.items if upload_sources.get_of_camera(uow, item.camera_id) is None)
    return application, replace(form, items=items)


def get_latest(uow: UnitOfWork) -> Application | None:
    """Return what the actor submitted last, for the proposals of a new form."""
    return uow.session.scalar(
        select(Application)
        .where(Application.drafter_id == uow.actor.id, Application.submitted_at.is_not(None))
        .order_by(Application.submitted_at.desc())
        .limit(1)
    )


def _open(uow: UnitOfWork, application_id: str) -> Application:
    application = service.get_own(uow, application_id, for_change=True)
    returned = application.correction_until is not None and application.closed_at is None
    if application.submitted_at is not None and not returned:
        raise Refused(
            "already-submitted",
            "The application was submitted: it can only be changed if it is returned for correction.",
        )
    return application


def _of_round(uow: UnitOfWork, application: Application) -> Draft | None:
    draft = uow.session.get(Draft, application.id)
    # what was typed for an earlier round has become that round's form
    return draft if draft is not None and draft.round == _round(application) else None


def _round(application: Application) -> int:
    return 0 if application.submitted_at is None else application.round + 1


def _keep(uow: UnitOfWork, application: Application, typed: dict[str, Any]) -> Draft:
    if len(json.dumps(typed, ensure_ascii=False)) > LARGEST:
        raise Refused(
            "draft-too-large",
            "The text is too long to save: shorten it.",
            status=422,
        )
    draft = _of_round(uow, application)
    if draft is None:
        uow.session.execute(delete(Draft).where(Draft.application_id == application.id))
        draft = Draft(application_id=application.id, round=_round(application), version=0)
        uow.session.add(draft)
    draft.version, draft.saved_at, draft.typed = draft.version + 1, uow.now, typed
    uow.session.flush()
    return draft


def _fresh(application_id: str) -> str:
    """Pages make the identifier of a draft before it is saved, so that two saves make one; it has to be a UUID."""
    try:
        if str(uuid.UUID(application_id)) == application_id:
            return application_id
    except ValueError:
        pass
    raise NotFound(Message("application"), application_id)

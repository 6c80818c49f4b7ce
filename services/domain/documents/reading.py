"""Who may read a document, and that every reading is on the trail (F20)."""

import json
from typing import Literal

from services.database.tables.documents import Document
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators, visibility
from services.domain.audit import trail as audit_trail
from services.domain.documents import service
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

Form = Literal["data", "page", "pdf"]


def read_document(uow: UnitOfWork, number: str, form: Form) -> Document:
    """A document of a case that the acting person may see, or an agreement of their own.

    Others' agreements are for administrators, Security's head and supervisors. NotFound for everybody else.
    """
    document = service.by_number(uow, number)
    if document is None:
        raise _not_found(number)
    if document.application_id is not None:
        visibility.get_visible(uow, document.application_id)
    elif json.loads(document.content).get("by", {}).get("id") != uow.actor.id:
        try:
            administrators.require_reader(uow)
        except Refused as refused:
            raise _not_found(number) from refused
    audit_trail.record(uow, "document-read", "document", number, application_id=document.application_id, form=form)
    return document


def _not_found(number: str) -> NotFound:
    return NotFound(Message("document"), number)

"""Record a violation of a case that the recorder does not see, by the number of the case or of one of its documents.

Legal and the supervision group learn of violations from documents; more of the case than its number is not shown (R65).
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import violations as policy
from services.domain.matters import service
from services.domain.matters.kinds.violation import ViolationKind
from services.domain.process import permissions
from services.runtime.errors import Refused


def may_record(uow: UnitOfWork) -> bool:
    """Return whether the acting person records violations: Security, who leads Legal, the supervision group."""
    if uow.actor.kind != "person":
        return False
    return policy.may_read_all(access_queries.load_directory(uow), uow.actor.id)


def require_recorder(uow: UnitOfWork) -> None:
    """Raise Refused for everybody who does not record violations, whatever number they enter."""
    if not may_record(uow):
        raise Refused("not-yours", ViolationKind().who_may(), status=403)


def record(uow: UnitOfWork, number: str, asked: Mapping[str, Any]) -> Matter:
    """Record a violation of the custodian of the case that has this number, or a document with it.

    Refused alike for a number that there is not and for a case that concerns the recorder, who must not learn of it.
    """
    require_recorder(uow)
    kind, application_id = ViolationKind(), _find(uow, number)
    read = service.parse(kind, asked)
    state = permissions.lock(uow, application_id, f"ask for {kind.code}")
    kind.require_may_open(uow, state, read)
    return kind.open_itself(uow, state, read)


def _find(uow: UnitOfWork, number: str) -> str:
    written = number.strip().upper()
    application = uow.session.scalar(select(Application).where(Application.number == written))
    if application is None:
        of_document = select(Document.application_id).where(Document.number == written)
        application_id = uow.session.scalar(of_document)
        application = uow.session.get(Application, application_id) if application_id else None
    if application is None or application.submitted_at is None or uow.actor.id in application.subject_ids:
        raise Refused(
            "number-unknown",
            "No case and no document has this number: enter it as the document shows it, such as SQ-2031-000001.",
            status=422,
            field="number",
        )
    return application.id

"""The PDFs of documents in the audit trail: what people read is held to the hash that stands there (R28, R47)."""

import json
from collections.abc import Mapping

from sqlalchemy import select

from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.documents import service

DOCUMENT_FILED = "document-filed"


def record_pdfs(uow: UnitOfWork, pdfs: Mapping[str, str]) -> None:
    """Each document's PDF by its SHA-256, under the document's number; what the trail tells already is not repeated."""
    for number, pdf_sha256 in pdfs.items():
        if pdf_sha256 in _recorded_pdfs(uow, number):
            continue
        document = service.by_number(uow, number)
        if document is None:
            raise LookupError(f"no document has the number {number}")
        audit_trail.record(
            uow,
            DOCUMENT_FILED,
            "document",
            number,
            application_id=document.application_id,
            sha256=document.sha256,
            pdf_sha256=pdf_sha256,
        )


def _recorded_pdfs(uow: UnitOfWork, number: str) -> set[str]:
    rows = select(AuditEvent.entry).where(AuditEvent.action == DOCUMENT_FILED, AuditEvent.subject_id == number)
    return {json.loads(entry)["detail"]["pdf_sha256"] for entry in uow.session.scalars(rows)}

"""The case page's data and the case's documents, as JSON and as pages to print."""

import json
from typing import Any

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

from services.portal import printing
from services.portal.api.dependencies import Books
from services.portal.api.errors import problems, problems_beside
from services.portal.api.session import Acting
from services.portal.api.shapes import Answer, Moment
from services.register import audit, cases, consent_views, documents, visibility
from services.register.documents import Document
from services.register.unit import Unit
from services.runtime.errors import NotFound

router = APIRouter(prefix="/api", tags=["cases"])


class DocumentAnswer(Answer):
    """A document with its content as it was written; ``sha256`` is of the canonical JSON (RFC 8785)."""

    number: str
    kind: str
    sha256: str
    made_at: Moment
    demo: bool
    content: dict[str, Any]


@router.get("/cases/{application_id}", responses=problems(401, 404))
async def read_case(application_id: str, actor: Acting, books: Books) -> dict[str, Any]:
    """The whole case: form, consents, items, findings, reviews with decisions, documents, custody, time line."""

    def read(unit: Unit) -> dict[str, Any]:
        return {**cases.case(unit, application_id), "consultation": consent_views.told(unit, application_id)}

    return await books.run(actor, read)


@router.get("/documents/{number:path}/print", responses=problems_beside(401, 404), response_class=HTMLResponse)
async def print_document(number: str, actor: Acting, books: Books) -> HTMLResponse:
    """The document as a page to print."""
    document = await books.run(actor, _read, number)
    return HTMLResponse(printing.page(document.kind, document.number, document.sha256, json.loads(document.content)))


@router.get("/documents/{number:path}", responses=problems(401, 404))
async def read_document(number: str, actor: Acting, books: Books) -> DocumentAnswer:
    """The document's data."""
    document = await books.run(actor, _read, number)
    return DocumentAnswer(
        number=document.number,
        kind=document.kind,
        sha256=document.sha256,
        made_at=document.made_at,
        demo=document.demo,
        content=json.loads(document.content),
    )


def _read(unit: Unit, number: str) -> Document:
    document = documents.by_number(unit, number)
    if document is None:
        raise NotFound("文件", "document", number)
    visibility.visible(unit, document.application_id)
    audit.record(unit, "document-read", "document", number, application_id=document.application_id)
    return document

"""The case page's data and the documents: as JSON, as pages to print, as PDF."""

import json
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import HTMLResponse, Response

from services.database.tables.documents import Document
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import document_layouts, document_translations, queries
from services.domain.cases.schemas.case import CaseView
from services.domain.documents import service as document_service
from services.domain.reviews import questions
from services.domain.reviews.schemas import QuestionBody
from services.rendering import pdf
from services.rendering.sheet import Sheet
from services.runtime.threads import run_in_thread
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems, problems_beside
from services.web.identity import Acting
from services.web.schemas import Answer, Moment

router = APIRouter(prefix="/api", tags=["cases"])
Language = Annotated[str, Path(max_length=16)]
PDF: dict[int | str, dict[str, Any]] = {
    200: {"description": "PDF/A-3b", "content": {"application/pdf": {}}},
    **problems_beside(401, 404),
}


class DocumentAnswer(Answer):
    """A document with its content as it was written; ``sha256`` is of the canonical JSON (RFC 8785)."""

    number: str
    kind: str
    sha256: str
    made_at: Moment
    demo: bool
    content: dict[str, Any]


@router.get("/cases/{application_id}", responses=problems(401, 404))
async def read_case(application_id: str, actor: Acting, database: GivenDatabase) -> CaseView:
    """Read the whole case: form, consents, items, findings, reviews with decisions, documents, custody, time line."""
    return await database.read(actor, queries.get_case, application_id)


@router.post("/cases/{application_id}/questions/{question_id}/answer", responses=problems(*USUAL))
async def answer_question(
    application_id: str, question_id: str, answer: QuestionBody, actor: Acting, database: GivenDatabase
) -> CaseView:
    """Answer a reviewer's question for the applicant, once, while its review is open."""

    def act(uow: UnitOfWork) -> CaseView:
        questions.answer(uow, application_id, question_id, answer.text)
        return queries.get_case(uow, application_id)

    return await database.run(actor, act)


@router.get("/documents/{number:path}/print", responses=problems_beside(401, 404), response_class=HTMLResponse)
async def print_document(number: str, actor: Acting, database: GivenDatabase) -> HTMLResponse:
    """Return the document as a page to print."""
    document = await database.read(actor, document_service.read_document, number, "page")
    content = json.loads(document.content)
    page = partial(document_layouts.render_page, document.kind, document.number, document.sha256, content)
    return HTMLResponse(await run_in_thread(page))


@router.get(
    "/documents/{number:path}/translation/{language}", responses=problems_beside(401, 404), response_class=HTMLResponse
)
async def translate_document(number: str, language: Language, actor: Acting, database: GivenDatabase) -> HTMLResponse:
    """Return the document in another language, to read beside the Chinese original, which alone is signed."""
    read = await database.read(actor, document_service.read_document, number, "translation")
    address = f"/api/documents/{read.number}"
    addresses = {
        "page": f"{address}/print",
        "pdf": f"{address}/pdf",
        "translation": f"{address}/translation/{language}/pdf",
    }

    def translated() -> str:
        return document_layouts.render_translation(*_translate(read, language), language, addresses)

    return HTMLResponse(await run_in_thread(translated))


@router.get("/documents/{number:path}/translation/{language}/pdf", responses=PDF, response_class=Response)
async def translation_as_pdf(number: str, language: Language, actor: Acting, database: GivenDatabase) -> Response:
    """Return the document in another language as PDF, which says that it is not the signed one."""
    read = await database.read(actor, document_service.read_document, number, "translation")

    def translated() -> bytes:
        return pdf.render_translation(*_translate(read, language), language, read.made_at)

    return _as_file(await run_in_thread(translated), f"{read.number}-{language}")


@router.get("/documents/{number:path}/pdf", responses=PDF, response_class=Response)
async def document_as_pdf(number: str, actor: Acting, database: GivenDatabase) -> Response:
    """Return the document as PDF/A-3, its data attached as data.json."""
    read = await database.read(actor, document_service.read_document, number, "pdf")
    made = await run_in_thread(
        document_layouts.render_pdf, read.kind, read.number, read.content, read.sha256, read.made_at
    )
    return _as_file(made, read.number)


@router.get("/documents/{number:path}", responses=problems(401, 404))
async def read_document(number: str, actor: Acting, database: GivenDatabase) -> DocumentAnswer:
    """Return the document's data."""
    document = await database.read(actor, document_service.read_document, number, "data")
    return DocumentAnswer(
        number=document.number,
        kind=document.kind,
        sha256=document.sha256,
        made_at=document.made_at,
        demo=document.demo,
        content=json.loads(document.content),
    )


def _translate(document: Document, language: str) -> tuple[Sheet, str]:
    """Return a document in the language, and the title of its original. NotFound for a language that we lack."""
    content = json.loads(document.content)
    sheet = document_translations.translate(document.kind, document.number, document.sha256, content, language)
    return sheet, str(content.get("title", ""))


def _as_file(made: bytes, name: str) -> Response:
    """Return a PDF to keep; a number with a slash names a file without."""
    headers = {"content-disposition": f'attachment; filename="{name.replace("/", "-")}.pdf"'}
    return Response(made, media_type="application/pdf", headers=headers)

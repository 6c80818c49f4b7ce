"""The case page, its diagram of one review, and the check of what the vault holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.applications import attached
from services.domain.attachments import queries as attachment_queries
from services.domain.attachments.schemas import KINDS, LARGEST, AttachmentList
from services.domain.cases import engine_timeline, event_messages, queries
from services.domain.cases import rows as case_rows
from services.domain.cases.api.timeline import GivenModels, GivenVerifier
from services.domain.cases.case_models import MAIN
from services.domain.cases.rows import CaseRows
from services.domain.cases.schemas.case import CaseEvent, CaseView, NextAct
from services.domain.cases.schemas.timeline import Timeline
from services.domain.process.api import EngineHere
from services.domain.process.engine_view import EngineInspection
from services.domain.process.model_library import ModelLibrary
from services.domain.reviews import questions
from services.domain.reviews.schemas import QuestionBody
from services.runtime.errors import Refused
from services.runtime.settings import Settings
from services.runtime.translations import Message
from services.verifier import pyz
from services.verifier.page import build as page
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/cases")

# Events of the vault that the page leaves out.
MECHANICS = ("upload-",)
PATHS: Mapping[str, str] = {
    "submit": "/applications/{}/edit",
    "correct": "/applications/{}/edit",
    "consent": "/consents/{}",
    "decide": "/reviews/{}",
    "confirm": "/reviews/{}",
    "accept": "/hand-overs/{}",
    "return": "/hand-overs/{}",
    "answer": "#question-{}",
}


@router.get("/{application_id}")
async def show(
    application_id: str,
    visitor: Visiting,
    database: GivenDatabase,
    models: GivenModels,
    settings: GivenSettings,
    *,
    engine: EngineHere,
    review: Annotated[Identifier | None, Query()] = None,
    process: Annotated[Identifier | None, Query()] = None,
) -> Response:
    """Return the case; with ``review`` or ``process`` the diagram shows that review's, or that called process."""
    shown = Shown(review, process)
    return await _page(visitor, database, application_id, models, settings, engine=engine, shown=shown)


@router.post("/{application_id}/questions/{question_id}")
async def answer_question(
    application_id: str,
    question_id: str,
    visitor: Visiting,
    typed: Typed,
    *,
    database: GivenDatabase,
    models: GivenModels,
    settings: GivenSettings,
    engine: EngineHere,
) -> Response:
    """Answer a reviewer for the applicant; a refusal shows the page again with what was typed."""
    try:
        await database.run(visitor.actor, questions.answer, application_id, question_id, typed.body(QuestionBody).text)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        answering = Answering(question_id, refusal, typed)
        return await _page(visitor, database, application_id, models, settings, engine=engine, answering=answering)
    return visitor.redirect(f"/cases/{application_id}#questions", Message("Your answer is saved."))


@dataclass(frozen=True)
class Shown:
    """What the diagram shows: a review by id, a called process by id, or without both the case's own process."""

    review: str | None = None
    process: str | None = None


@dataclass(frozen=True)
class Answering:
    """An answer that was refused, and what was typed."""

    question_id: str
    refusal: Refused
    typed: TypedForm


async def _page(
    visitor: Visitor,
    database: Database,
    application_id: str,
    library: ModelLibrary,
    settings: Settings,
    *,
    engine: EngineInspection | None,
    shown: Shown = Shown(),
    answering: Answering | None = None,
) -> Response:
    case, files, line, place = await database.read(visitor.actor, _read, application_id, library, shown)
    line = await engine_timeline.complete(line, place, engine, database=database, actor=visitor.actor, library=library)
    return visitor.page(
        "cases/case.html",
        answering.refusal.status if answering else 200,
        answering=answering,
        case=case,
        attached=files,
        attachment_kinds=KINDS,
        largest=LARGEST,
        timeline=line,
        shown_review=shown.review,
        shown_process=line.process_id if shown.process is not None and line.process_id != MAIN else None,
        path_of=path_of,
        events=[_event_line(visitor, event) for event in case.events if not event.action.startswith(MECHANICS)],
        operate=operate_link(settings.portal.operate_url, case),
        verifier=pyz.sha256(),
        verifier_page=page.sha256(),
    )


@router.post("/{application_id}/integrity")
async def check(application_id: str, visitor: Visiting, database: GivenDatabase, verifier: GivenVerifier) -> Response:
    """Begin to read again all that the vault holds of the case."""
    refusal = None
    try:
        await verifier.begin(visitor.actor, application_id)
    except Refused as error:
        if error.status == 404:
            raise
        refusal = error
    if not visitor.is_htmx:
        if refusal is not None:
            return visitor.redirect(f"/cases/{application_id}#integrity", refusal.message)
        return visitor.redirect(f"/cases/{application_id}#integrity")
    return await _integrity(application_id, visitor, database, refusal)


@router.get("/{application_id}/integrity")
async def progress(application_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return how far the check is, asked again by the page itself while it runs."""
    part = await _integrity(application_id, visitor, database, None)
    return part if visitor.is_htmx else visitor.redirect(f"/cases/{application_id}#integrity")


async def _integrity(
    application_id: str, visitor: Visitor, database: GivenDatabase, refusal: Refused | None
) -> Response:
    checked = await database.read(visitor.actor, queries.get_integrity_check, application_id)
    # htmx shows a refusal only in an answer that is none
    return visitor.part("cases/_integrity.html", application_id=application_id, checked=checked, refusal=refusal)


def path_of(act: NextAct) -> str:
    """Return the page on which the act is done."""
    return PATHS[act.kind].format(quote(act.subject_id, safe=""))


def operate_link(operate_url: str | None, case: CaseView) -> str | None:
    """Return where Operate shows the case's process instance; None where there is no Operate or no instance yet."""
    key = case.process_instance
    return f"{operate_url.rstrip('/')}/processes/{key}" if operate_url and key else None


def _read(
    uow: UnitOfWork, application_id: str, library: ModelLibrary, shown: Shown
) -> tuple[CaseView, AttachmentList, Timeline, engine_timeline.Place]:
    rows = case_rows.of_case(uow, application_id)
    return (
        queries.case_of_rows(rows),
        _attached(rows),
        *engine_timeline.timeline_of(rows, library, shown.review, shown.process),
    )


def _attached(rows: CaseRows) -> AttachmentList:
    hand_over = rows.head.hand_over
    reading = attached.reading_of(
        rows.uow,
        rows.application,
        reviews=[row.review for row in rows.reviews],
        hand_overs=[] if hand_over is None else [hand_over],
    )
    if not rows.head.attached:  # most cases have none, and the page is spared a statement
        return AttachmentList.empty(reading)
    return attachment_queries.list_for(rows.uow, "application", rows.application.id, reading)


def _event_line(visitor: Visitor, event: CaseEvent) -> dict[str, object]:
    return {
        "at": event.at,
        "actor": event.actor if event.by_person else None,
        "what": event_messages.describe(visitor.language, event.action, event.detail, visitor.zone),
        "reason": event.detail.get("reason") or event.detail.get("text"),
    }

"""One review: the form, the footage, the questions of its stage, and the signature under the decision (R22 to R27)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.attachments import queries as attachment_queries
from services.domain.attachments.schemas import KINDS, AttachmentList
from services.domain.attachments.subjects import SubjectKind
from services.domain.cases import inbox as case_inbox
from services.domain.cases import review_sheets
from services.domain.cases.review_sheets import PREVIEW_MOMENTS, SheetItem
from services.domain.process.api import EngineHere
from services.domain.reviews import assignment, ending, questions, replacements, service, tasks
from services.domain.reviews.schemas import (
    ConfirmationBody,
    DecisionBody,
    JudgementForm,
    QuestionBody,
    ReassignmentBody,
    ReturnSheet,
    ReviewView,
)
from services.domain.reviews.scopes import MARKS
from services.domain.reviews.service import Decided
from services.domain.stages.catalogue import STAGES, Stage
from services.runtime import local_times
from services.runtime.errors import NotFound, Refused
from services.runtime.labels import Label, word
from services.runtime.spans import Span
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase, GivenEngineClient
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter()

PICTURES_AT = "storage-release"
GRANTS_AT = "security"
REFERS_AT = "referral"


@dataclass(frozen=True)
class Sheet:
    """The view of one review with its items; ``return_sheet`` is there for an inspection of a return."""

    view: ReviewView
    items: list[SheetItem]
    return_sheet: ReturnSheet | None


@dataclass(frozen=True)
class GrantedLine:
    """What was asked of an item, and what Security has granted of it; None for an item that is not granted."""

    position: int
    zh: str
    en: str
    zone: str
    asked: Span
    granted: Span | None


@router.get("/reviews/{review_id}")
async def read_review(review_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return the review with everything that it is decided on."""
    return await _page(visitor, database, review_id)


@router.post("/reviews/{review_id}/claim")
async def claim(review_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Claim the review."""
    return await _act(visitor, database, review_id, tasks.claim)


@router.post("/reviews/{review_id}/unclaim")
async def unclaim(review_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return the review to all who may decide it."""
    return await _act(visitor, database, review_id, tasks.unclaim)


@router.post("/reviews/{review_id}/reassign")
async def reassign(review_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Give a claimed review to another candidate."""
    try:
        await database.run(visitor.actor, assignment.reassign, review_id, typed.body(ReassignmentBody).person_id)
    except Refused as refusal:
        return await _page(visitor, database, review_id, refusal=refusal, typed=typed)
    return visitor.redirect(f"/reviews/{review_id}", Message("The review is reassigned; the person has been notified."))


@router.post("/reviews/{review_id}/questions")
async def ask_applicant(review_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Ask the applicant; a refusal shows the page again with what was typed."""
    try:
        await database.run(visitor.actor, questions.ask, review_id, typed.body(QuestionBody).text)
    except Refused as refusal:
        return await _page(visitor, database, review_id, refusal=refusal, typed=typed)
    return visitor.redirect(f"/reviews/{review_id}#questions", Message("Question sent to the applicant."))


@router.post("/reviews/{review_id}/decide")
async def decide(
    review_id: str,
    visitor: Visiting,
    typed: Typed,
    database: GivenDatabase,
    *,
    engine: GivenEngineClient,
    here: EngineHere,
) -> Response:
    """Decide and sign; on to the next review. A refusal shows the page again with all that was typed."""
    await ending.close_if_ended(database, engine, review_id, here)
    try:
        sheet = await database.read(visitor.actor, _read, review_id)
        body = _decision(typed, sheet)
        decided = await database.run(visitor.actor, service.decide, review_id, **body.arguments())
    except Refused as refusal:
        return await _page(visitor, database, review_id, refusal=refusal, typed=typed)
    return await _redirect_to_next(visitor, database, sheet.view, decided)


@router.post("/reviews/{review_id}/confirm")
async def confirm(
    review_id: str,
    visitor: Visiting,
    typed: Typed,
    database: GivenDatabase,
    *,
    engine: GivenEngineClient,
    here: EngineHere,
) -> Response:
    """Confirm a release as the second person, or disagree."""
    await ending.close_if_ended(database, engine, review_id, here)
    try:
        sheet = await database.read(visitor.actor, _read, review_id)
        body = typed.body(ConfirmationBody)
        decided = await database.run(visitor.actor, service.confirm, review_id, **body.arguments())
    except Refused as refusal:
        return await _page(visitor, database, review_id, refusal=refusal, typed=typed)
    return await _redirect_to_next(visitor, database, sheet.view, decided, agrees=body.agrees)


def _read(uow: UnitOfWork, review_id: str) -> Sheet:
    view = case_inbox.get_review(uow, review_id)
    return Sheet(
        view,
        review_sheets.items_of(uow, view.application_id),
        review_sheets.get_return(uow, review_id) if view.stage == "return-inspection" else None,
    )


def _read_attached(uow: UnitOfWork, kind: SubjectKind, subject_id: str) -> AttachmentList | None:
    """Return the attachments of case or matter; None for who has a post for the review and sees no case."""
    try:
        return attachment_queries.get_list(uow, kind, subject_id)
    except NotFound:
        return None


def _decision(typed: TypedForm, sheet: Sheet) -> DecisionBody:
    """Return the typed decision; spans are typed in each item's zone, and items that are not granted carry no span."""
    codes = [question.code for question in sheet.view.questions]
    more: dict[str, Any] = {"answers": {code: given for code in codes if (given := typed.text(f"answers-{code}"))}}
    if sheet.view.stage == GRANTS_AT and sheet.view.matter is None:
        if typed.text("outcome") == STAGES[GRANTS_AT].favourable:
            more |= granted_scope(typed, sheet.items)
        else:  # what is returned or rejected grants nothing
            more |= {"scope": [], "removed": [], "usePeriodDays": None, "wayOfUse": None}
    if sheet.view.judgement is not None:
        upholds = typed.text("outcome") == STAGES[sheet.view.stage].favourable
        more["judgement"] = typed_judgement(typed, sheet.view.judgement) if upholds else None
    elif sheet.view.stage == REFERS_AT:
        refers = typed.text("outcome") == STAGES[REFERS_AT].favourable
        more["judgement"] = {"authority": typed.text("judgement-authority")} if refers else None
    elif sheet.view.replacements is not None:
        replaces = typed.text("outcome") == replacements.REPLACE
        more["judgement"] = {"replacements": typed_replacements(typed, sheet.items)} if replaces else None
    return typed.body(DecisionBody, **more)


def typed_replacements(typed: TypedForm, items: Sequence[SheetItem]) -> list[dict[str, Any]]:
    """Return the items that are marked as wrong, with the camera and the span that are to be retrieved."""
    found = []
    for place, item in enumerate(items):
        name = f"judgement-{replacements.FIELD}-{place}"
        if typed.text(f"{name}-itemId") != item.id:
            continue
        camera = typed.text(f"{name}-cameraId")
        start = _typed_moment(typed, f"{name}-start", item, item.granted.start)
        end = _typed_moment(typed, f"{name}-end", item, item.granted.end)
        found.append({"itemId": item.id, "start": start, "end": end, **({"cameraId": camera} if camera else {})})
    return found


def typed_judgement(typed: TypedForm, form: JudgementForm) -> dict[str, Any]:
    """Return what was typed of a judgement: the sanctions that are ticked, and the answers."""
    names = ("severity", "loss", "lossAmount", "referral")
    given = {name: text for name in names if (text := typed.text(f"judgement-{name}"))}
    sanctions = []
    for place in range(len(form.accused) * len(form.sanctions)):
        field = f"judgement-sanctions-{place}"
        kind = typed.text(f"{field}-kind")
        parts = {name: text for name in ("personId", "amount", "note") if (text := typed.text(f"{field}-{name}"))}
        if kind:
            sanctions.append({"kind": kind, **parts})
    return {**given, "sanctions": sanctions}


async def _page(
    visitor: Visitor,
    database: Database,
    review_id: str,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    if refusal is not None and refusal.status == 404:
        raise refusal
    sheet = await database.read(visitor.actor, _read, review_id)
    attached = await database.read(visitor.actor, _read_attached, "application", sheet.view.application_id)
    of_matter = None
    if sheet.view.matter is not None:
        of_matter = await database.read(visitor.actor, _read_attached, "matter", sheet.view.matter.id)
    about = sheet.view.matter.kind if sheet.view.matter is not None else None
    stage = STAGES[sheet.view.stage].asked_about(about)
    return visitor.page(
        "reviews/review.html",
        refusal.status if refusal else 200,
        attached=attached,
        attached_to_matter=of_matter,
        attachment_kinds=KINDS,
        sheet=sheet,
        view=sheet.view,
        stage=stage,
        form=sheet.view.form,
        marks=MARKS,
        outcomes=STAGES.outcomes,
        offered=_offered(stage, about_matter=sheet.view.matter is not None),
        returned=service.RETURNED,
        previews=PREVIEW_MOMENTS,
        with_pictures=stage.code == PICTURES_AT and sheet.view.why_not is None,
        reason_words=_reasons(visitor, stage, about_matter=sheet.view.matter is not None),
        with_scope=stage.code == GRANTS_AT and sheet.view.matter is None,
        spans=scope_fields(sheet.items),
        replaceable=replacement_fields(sheet.items) if sheet.view.replacements is not None else (),
        granted=granted_lines(sheet),
        refusal=refusal,
        typed=typed,
    )


def granted_lines(sheet: Sheet) -> list[GrantedLine]:
    """Return each item of the form beside what Security has granted of it; nothing before Security has approved."""
    view = sheet.view
    if view.matter is not None:
        return []
    approved = (GRANTS_AT, view.round, STAGES[GRANTS_AT].favourable)
    if not any((decision.stage, decision.round, decision.outcome) == approved for decision in view.earlier):
        return []
    granted = {item.form_item_id or item.id: item.granted for item in sheet.items}
    granted |= {item.id: item.granted for item in sheet.items}
    return [
        GrantedLine(
            position=asked["position"],
            zh=asked["camera"]["zh"],
            en=asked["camera"]["en"],
            zone=asked["zone"],
            asked=Span(datetime.fromisoformat(asked["from"]), datetime.fromisoformat(asked["to"])),
            granted=granted.get(asked["id"]),
        )
        for asked in view.form["items"]
    ]


def _offered(stage: Stage, *, about_matter: bool) -> list[str]:
    """List the outcomes of the page: a form is returned for correction, a matter is asked for anew."""
    return [code for code in stage.outcomes if not (about_matter and code == service.RETURNED)]


def _reasons(visitor: Visitor, stage: Stage, *, about_matter: bool) -> str:
    """Return for what a reason is needed, in words."""
    offered = _offered(stage, about_matter=about_matter)
    outcomes = [word(visitor.language, outcome) for outcome in stage.reason_for if outcome in offered]
    if stage.may_lower and not about_matter:
        outcomes.append(visitor.translated("lowering the class"))
    return visitor.translated(", ").join(outcomes)


async def _act(visitor: Visitor, database: Database, review_id: str, act: Any) -> Response:
    try:
        await database.run(visitor.actor, act, review_id)
    except Refused as refusal:
        return await _page(visitor, database, review_id, refusal=refusal)
    return visitor.redirect(f"/reviews/{review_id}")


async def _redirect_to_next(
    visitor: Visitor, database: Database, view: ReviewView, decided: Decided, *, agrees: bool | None = None
) -> Response:
    """Redirect to the most pressing review that waits, with what became of this one."""
    waiting, *_ = await database.read(visitor.actor, case_inbox.read_first, 1, 1)
    number = view.number or ""
    if agrees is False:
        message = Message("{number}: not confirmed, the release has to be decided again.", number=number)
    elif not decided.published:
        message = Message("{number}: signed, waiting for confirmation by the second person.", number=number)
    else:
        message = Message("{number} is decided: {outcome}.", number=number, outcome=Label(decided.outcome))
    if not waiting:
        return visitor.redirect("/inbox", Message("{done} No other reviews are waiting.", done=message))
    return visitor.redirect(
        f"/reviews/{waiting[0].id}", Message("{done} This is the next waiting review.", done=message)
    )


def scope_fields(items: Sequence[SheetItem]) -> list[dict[str, Any]]:
    """Return each item's fields: what was asked for as a browser's local times in the item's zone, and its length."""
    return [
        {
            "item": item,
            "name": f"scope-{place}",
            "start": local_times.local_text(item.asked.start, item.zone)[0],
            "end": local_times.local_text(item.asked.end, item.zone)[0],
            "seconds": int(item.asked.duration.total_seconds()),
        }
        for place, item in enumerate(items)
    ]


def replacement_fields(items: Sequence[SheetItem]) -> list[dict[str, Any]]:
    """Return each item's fields: what was granted as a browser's local times in the item's zone."""
    return [
        {
            "item": item,
            "name": f"judgement-{replacements.FIELD}-{place}",
            "start": local_times.local_text(item.granted.start, item.zone)[0],
            "end": local_times.local_text(item.granted.end, item.zone)[0],
        }
        for place, item in enumerate(items)
    ]


def granted_scope(typed: TypedForm, items: Sequence[SheetItem]) -> dict[str, Any]:
    """``scope`` and ``removed`` of a decision. Refused, naming the field, for a time that cannot be read.

    An unchanged end is the asked one to the millisecond: a browser's field knows whole seconds.
    """
    scope, removed = [], []
    for place, item in enumerate(items):
        name = f"scope-{place}"
        if f"{name}-shown" in typed and not typed.text(f"{name}-granted"):
            removed.append(item.id)
            continue
        start = _typed_moment(typed, f"{name}-start", item, item.asked.start)
        end = _typed_moment(typed, f"{name}-end", item, item.asked.end)
        if (start, end) != (item.asked.start, item.asked.end):
            scope.append({"itemId": item.id, "start": start, "end": end})
    return {"scope": scope, "removed": removed}


def _typed_moment(typed: TypedForm, name: str, item: SheetItem, asked: Any) -> Any:
    text = typed.text(name)
    before, which = local_times.local_text(asked, item.zone)
    if not text or before in {text, f"{text}:00"}:
        return asked
    try:
        return local_times.moment(text, item.zone, which=which or "first")
    except Refused as refusal:
        raise Refused(refusal.code, refusal.message, status=422, field=name) from refusal

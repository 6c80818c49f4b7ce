"""Serve the pages of work orders: the list, one of them with what is done, the form of a new one, and the schedules."""

from dataclasses import replace
from datetime import datetime
from itertools import count
from typing import Annotated, Any, ClassVar, get_args
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Response
from pydantic import Field, ValidationError
from starlette.datastructures import FormData, UploadFile

from services.database.keyset import Page
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures.bodies import FormSigning
from services.domain.attachments import queries as attachment_queries
from services.domain.attachments.schemas import IDENTITY_CARD
from services.domain.attachments.schemas import KINDS as KINDS_OF_FILES
from services.domain.stages.catalogue import STAGES
from services.domain.work_orders import api, documents, downloads, policy, queries, schedules, service
from services.domain.work_orders.kinds import ANSWERS, KINDS, Item
from services.domain.work_orders.roles import DEPARTMENT_KINDS
from services.domain.work_orders.schedules import Values
from services.domain.work_orders.schemas import (
    CancelBody,
    DownloadAccountBody,
    RoleBody,
    ScheduleView,
    WorkOrderBody,
    WorkOrderLine,
    WorkOrderSort,
)
from services.domain.work_orders.service import Answered, Done, Verdict
from services.runtime import labels, local_times
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, translate
from services.web import days, lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm, checked, whole_number
from services.web.schemas import Body, Identifier, Note, Paragraph, SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter()
SUBJECT_KINDS = (
    "recorder",
    "device",
    "camera",
    "site",
    "vault",
    "escrow",
    "loan",
    "department",
    "agreement",
    "hold",
    "group",
    "finding",
    "other",
)


def _(message: str) -> str:
    """Mark a label for translation."""
    return message


NAME = _("Work orders")
COLUMNS = (_("Number"), _("Kind"), _("Subject"), _("Doer"), _("Due"), _("Status"))


class ListQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(WorkOrderSort)
    FALLING: ClassVar = frozenset({"opened", "number"})

    whose: SearchText = queries.WAITING
    state: SearchText = ""
    kind: SearchText = ""
    subject: SearchText = ""


@router.get("/work-orders")
async def list_work_orders(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[ListQuery, Query()]
) -> Response:
    """Show the work orders that the visitor has to do, to verify, or may see."""

    def read(uow: UnitOfWork) -> tuple[Page[WorkOrderLine], bool]:
        found = queries.read(
            uow,
            wanted.listing(visitor.language),
            whose=wanted.whose,
            state=wanted.state,
            kind=wanted.kind,
            subject=wanted.subject,
        )
        return found, bool(_openable(uow))

    found, may_open = await database.read(visitor.actor, read)
    if wanted.as_csv:
        return lists.csv_answer(
            visitor, visitor.translated(NAME), [visitor.translated(one) for one in COLUMNS], _rows(visitor, found)
        )
    return visitor.page(
        "work_orders/list.html",
        kinds=KINDS.values(),
        subject_kinds=SUBJECT_KINDS,
        may_open=may_open,
        **wanted.shown_page(found),
    )


@router.get("/work-orders/new")
async def new_work_order(visitor: Visiting, database: GivenDatabase, kind: SearchText = "") -> Response:
    """Show the form of a new work order."""
    return await _form(visitor, database, kind)


@router.post("/work-orders")
async def open_work_order(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Open a work order by hand; a refusal shows the form again with what was typed."""
    try:
        due_at = days.optional(typed.text("dueDay"), visitor.zone, "dueDay", last=True)
        role = _role_typed(typed, "doer")
        more: dict[str, Any] = {"dueAt": due_at.isoformat()} if due_at is not None else {}
        fields = ("kind", "subjectKind", "subjectLabel", "title", "interim", "reason")
        given = {name: typed.text(name) for name in fields if typed.text(name)}
        body = typed.body(_Opening, doer=role, subjectId=given.get("subjectLabel", "")[:64], **given, **more)
        work_order_id = await database.run(visitor.actor, api.open_by_hand, body)
    except Refused as refusal:
        return await _form(visitor, database, typed.text("kind"), refusal=refusal, typed=typed)
    return visitor.redirect(
        f"/work-orders/{work_order_id}", Message("The work order is opened, and its doer is notified.")
    )


class _Opening(WorkOrderBody):
    """As the body of the API, with the fields by which the form says who does it and when it is due."""

    doer_post: str = ""
    doer_department_kind: str = ""
    due_day: str = ""


@router.get("/work-orders/{work_order_id}")
async def read_work_order(work_order_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show one work order."""
    return visitor.page("work_orders/work_order.html", **await _shown(visitor, database, work_order_id))


@router.post("/work-orders/{work_order_id}/done")
async def do_work_order(
    work_order_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Sign the checklist as who does it."""
    try:
        await database.run(visitor.actor, service.done, work_order_id, _said_in(typed), _proof(typed))
    except Refused as refusal:
        return await _again(visitor, database, work_order_id, refusal, typed)
    return visitor.redirect(f"/work-orders/{work_order_id}", Message("Signed: the work order is done."))


@router.post("/work-orders/{work_order_id}/downloads")
async def account_for_downloads(
    work_order_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Say what became of each download of a loan that has ended, and sign it."""
    try:
        accounts = api.accounts_of(_downloads_in(typed, visitor.zone))
        await database.run(visitor.actor, downloads.account, work_order_id, accounts, _said_in(typed), _proof(typed))
    except Refused as refusal:
        return await _again(visitor, database, work_order_id, refusal, typed)
    return visitor.redirect(
        f"/work-orders/{work_order_id}", Message("Signed: Security confirms what became of the downloads.")
    )


def _downloads_in(typed: TypedForm, zone: str) -> list[DownloadAccountBody]:
    """Read what was typed of the downloads, times in ``zone``; Refused names the field."""
    texts: list[tuple[str, str | UploadFile]] = []
    for name, text in typed.texts:
        if name.startswith("downloads-"):
            texts.append((name, _moment_in(name, text, zone) if name.endswith("-happenedAt") and text else text))
    return replace(typed, fields=FormData(texts)).body(_Downloads).downloads


def _moment_in(name: str, text: str, zone: str) -> str:
    try:
        return local_times.moment(text, zone).isoformat()
    except Refused as refusal:
        raise Refused(refusal.code, refusal.message, status=422, field=name) from refusal


class _Downloads(Body):
    downloads: Annotated[list[DownloadAccountBody], Field(min_length=1, max_length=1000)]


@router.post("/work-orders/{work_order_id}/verify")
async def verify_work_order(
    work_order_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Verify what was done, or have it done again."""
    try:
        proof = _proof(typed)
        answers = {
            question.code: typed.text(f"answer-{question.code}") == "yes"
            for question in STAGES[service.STAGE].questions
            if typed.text(f"answer-{question.code}")
        }
        due_at = days.optional(typed.text("dueDay"), visitor.zone, "dueDay", last=True)
        verdict = Verdict(typed.text("outcome"), answers, typed.words("reason", Paragraph), due_at)
        await database.run(visitor.actor, service.verify, work_order_id, verdict, proof)
    except Refused as refusal:
        return await _again(visitor, database, work_order_id, refusal, typed)
    return visitor.redirect(f"/work-orders/{work_order_id}", Message("Signed: the verification is recorded."))


@router.post("/work-orders/{work_order_id}/cancel")
async def cancel_work_order(
    work_order_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Cancel a work order with a reason."""
    try:
        await database.run(visitor.actor, service.cancel, work_order_id, typed.body(CancelBody).because)
    except Refused as refusal:
        return await _again(visitor, database, work_order_id, refusal, typed)
    return visitor.redirect(f"/work-orders/{work_order_id}", Message("The work order is cancelled."))


@router.get("/admin/schedules")
async def list_schedules(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show what is to be done how often, and by whom."""
    return await _schedules(visitor, database)


@router.post("/admin/schedules/{schedule_code}")
async def change_schedule(
    schedule_code: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Change a schedule as an administrator; it waits for a second person first."""

    def run(uow: UnitOfWork) -> None:
        values_of = {state.shipped.code: state.values for state in schedules.list_schedules(uow)}
        if schedule_code not in values_of:
            raise NotFound(Message("schedule"), schedule_code)
        before = values_of[schedule_code]
        doer = _post_of(typed, "doer") if before.doer is not None else None
        verifier = _post_of(typed, "verifier") if before.verifier is not None else None
        values = Values(
            typed.text("every"), doer, verifier, typed.text("active") == "true", _checklist_of(typed), _days_of(typed)
        )
        schedules.change_schedule(uow, schedule_code, values, typed.words("reason", Note), was=before)

    try:
        await database.run(visitor.actor, run)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _schedules(visitor, database, refusal, typed, schedule_code)
    return visitor.redirect("/admin/schedules", Message("The schedule is changed."))


def _checklist_of(typed: TypedForm) -> tuple[Item, ...] | None:
    """Read the questions of the form, without the rows that are empty; None where it has no rows."""
    if "itemCode" not in typed:
        return None
    texts = ([checked(Paragraph, text, name) for text in typed.all(name)] for name in ("itemCode", "itemZh", "itemEn"))
    rows = list(zip(*texts, strict=False))
    used = {code for code, *_ in rows}
    free = (code for number in count(1) if (code := f"question-{number}") not in used)
    return tuple(Item(code or next(free), zh.strip(), en.strip()) for code, zh, en in rows if zh.strip() or en.strip())


def _days_of(typed: TypedForm) -> int | None:
    """Read after how many days a work order is due; None where the form does not say; 0 for what is no number."""
    if "days" not in typed:
        return None
    return whole_number(typed.text("days"))


def _post_of(typed: TypedForm, name: str) -> Any:
    """Read a post of the form; Refused where it is none."""
    try:
        body = RoleBody.model_validate(_role_typed(typed, name))
    except ValidationError:
        raise Refused("role", "Choose a person or a post.", status=422, field=name) from None
    return api.role_of(body, name)


def _role_typed(typed: TypedForm, name: str) -> dict[str, str | None]:
    kind = typed.text(f"{name}DepartmentKind") or None
    return {"post": typed.text(f"{name}Post") or None, "departmentKind": kind}


def _said_in(typed: TypedForm) -> Done:
    """Read the answers to the checklist."""
    return Done(
        {
            name.removeprefix("answer-"): Answered(typed.text(name), typed.words(f"note-{name[7:]}", Note))
            for name in typed.fields
            if name.startswith("answer-")
        },
        typed.words("note", Paragraph),
    )


def _proof(typed: TypedForm) -> Any:
    given = {name: typed.text(name) for name in ("password", "code", "formSha256") if typed.text(name)}
    try:
        return FormSigning.model_validate(given).proof()
    except ValueError:
        raise Refused("missing", "Enter your password to sign.", status=422, field="password") from None


async def _again(
    visitor: Visitor, database: Database, work_order_id: str, refusal: Refused, typed: TypedForm
) -> Response:
    if refusal.status == 404:
        raise refusal
    shown = await _shown(visitor, database, work_order_id)
    return visitor.page("work_orders/work_order.html", refusal.status, **shown, refusal=refusal, typed=typed)


async def _shown(visitor: Visitor, database: Database, work_order_id: str) -> dict[str, Any]:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        view = queries.get(uow, work_order_id)
        attached = attachment_queries.get_list(uow, "work-order", work_order_id)
        return {
            "view": view,
            "attached": attached,
            "facts": _facts(view.facts, visitor),
            # what the system has written is in the catalogue, what a person has written is not
            "cancelled_because": translate(visitor.language, view.closed_because or ""),
        }

    return {
        **await database.read(visitor.actor, read),
        "attachment_kinds": {code: name for code, name in KINDS_OF_FILES.items() if code != IDENTITY_CARD},
        "attach_to": f"/work-orders/{work_order_id}",
        "stage": STAGES.get(service.STAGE),
        "outcomes": STAGES.outcomes,
        "answers": ANSWERS,
    }


def _facts(facts: dict[str, Any], visitor: Visitor) -> list[tuple[str, str]]:
    """Return the facts of a work order as lines: names by their label, lists one entry to a line."""

    def printed(at: str) -> str:
        local = datetime.fromisoformat(at).astimezone(ZoneInfo(visitor.zone))
        return f"{local:%Y-%m-%d %H:%M} {local_times.offset(local)}"

    lines = documents.fact_lines(facts, visitor.language, printed)
    return [(name, "\n".join(said) or "—") for name, said in lines]


async def _form(
    visitor: Visitor,
    database: Database,
    kind: str,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    openable = await database.read(visitor.actor, _openable)
    if not openable:
        raise NotFound(Message("kind of work order"), kind)
    return visitor.page(
        "work_orders/new.html",
        refusal.status if refusal else 200,
        kinds=[KINDS[code] for code in openable],
        kind=kind,
        subject_kinds=SUBJECT_KINDS,
        posts=_posts(),
        department_kinds=DEPARTMENT_KINDS,
        refusal=refusal,
        typed=typed,
    )


def _openable(uow: UnitOfWork) -> list[str]:
    directory = access_queries.load_directory(uow)
    return [code for code in KINDS if policy.opens(directory, str(uow.actor.id), code)]


def _posts() -> list[str]:
    return [post for post in STAGES.posts if post not in ("administrator", "member")]


async def _schedules(
    visitor: Visitor,
    database: Database,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
    refused_code: str | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> tuple[list[ScheduleView], bool]:
        administers = access_queries.load_directory(uow).holds(str(uow.actor.id), "administrator")
        return queries.list_schedules(uow), administers

    views, may_change = await database.read(visitor.actor, read)
    return visitor.page(
        "work_orders/schedules.html",
        refusal.status if refusal else 200,
        views=views,
        may_change=may_change,
        posts=_posts(),
        department_kinds=DEPARTMENT_KINDS,
        refusal=refusal,
        typed=typed,
        typed_items=_checklist_of(typed) if typed is not None else None,
        refused_code=refused_code,
    )


def _rows(visitor: Visitor, found: Page[WorkOrderLine]) -> list[tuple[str, ...]]:
    chinese = visitor.language == "zh"
    return [
        (
            line.number,
            line.kind_zh if chinese else line.kind_en,
            line.subject_zh if chinese else line.subject_en,
            line.doer_zh if chinese else line.doer_en,
            lists.written(visitor, line.due_at),
            labels.word(visitor.language, f"work-order-{line.state}"),
        )
        for line in found.lines
    ]

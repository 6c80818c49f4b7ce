"""The form that saves itself, its summary, handing in, withdrawing, deleting (R16 to R22)."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.tables.drafts import Draft
from services.portal.api.dependencies import Books
from services.portal.api.shapes import Identifier
from services.portal.pages.apply import acts, coverage_part, desk, own_list, sheet
from services.portal.pages.apply.desk import Desk
from services.portal.pages.forms import Typed, TypedForm
from services.portal.pages.visitor import Visiting, Visitor
from services.register import drafts, forms, submissions
from services.register.unit import Register, Unit
from services.runtime.errors import Refused

router = APIRouter()
router.include_router(own_list.router)
router.include_router(coverage_part.router)

LARGEST_VERSION = 2**31


@router.get("/apply")
async def begin(
    visitor: Visiting,
    books: Books,
    earlier: Annotated[Identifier | None, Query(alias="from")] = None,
    appeal: bool = False,
) -> Response:
    """A new form, with proposals or with what an earlier application says; kept as soon as something is typed."""

    def read(unit: Unit) -> Desk:
        if earlier is None:
            values = desk.fresh(unit, visitor.person.department)
        else:
            application, form = drafts.source(unit, earlier)
            values = desk.FIRST_ITEM | desk.written(unit, form)
            if appeal:
                values["previousId"] = submissions.own(unit, application.id).id
        return desk.look(unit, desk.new_id(), sheet.typed_of(values), version=0)

    return _form(visitor, await books.run(visitor.actor, read))


@router.get("/applications/{application_id}/edit")
async def edit(
    application_id: str, visitor: Visiting, books: Books, pick: Annotated[int | None, Query(ge=0, le=999)] = None
) -> Response:
    """A draft, or the correction of a returned application, as it was typed last."""
    return _form(visitor, await books.run(visitor.actor, desk.opened, application_id), picking=pick)


@router.post("/apply")
async def act(visitor: Visiting, typed: Typed, books: Books) -> Response:
    """One of the form's buttons; what is typed is saved first, whatever button it was."""
    done = acts.Done(typed, None)
    try:
        files = await books.run(visitor.actor, desk.spans, typed.text("applicationId"))
        done = acts.apply(typed, files)
        saved = await books.run(visitor.actor, _save, done.typed, overwrite=done.act == "overwrite")
    except Refused as refusal:
        if refusal.status == 404:
            raise
        shown = await books.run(visitor.actor, _unsaved, done.typed)
        return _form(visitor, shown, refusal=sheet.on_page(refusal), picking=done.picking)
    if done.act == "review":
        return visitor.go(f"/applications/{saved.application_id}/summary")
    if visitor.hurried:
        return _form(visitor, await books.run(visitor.actor, desk.opened, saved.application_id), picking=done.picking)
    place = "" if done.picking is None else f"?pick={done.picking}#items-{done.picking}"
    return visitor.go(f"/applications/{saved.application_id}/edit{place}")


@router.post("/apply/save")
async def save(visitor: Visiting, typed: Typed, books: Books) -> Response:
    """Save what is typed, and say what is still missing."""
    try:
        await books.run(visitor.actor, _save, typed)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        shown = await books.run(visitor.actor, _unsaved, typed)
        return visitor.part("apply/_saved.html", refusal.status, desk=shown, refusal=refusal)
    shown = await books.run(visitor.actor, desk.opened, typed.text("applicationId"))
    address = {"HX-Replace-Url": f"/applications/{shown.application_id}/edit"}
    return visitor.part("apply/_saved.html", headers=address, desk=shown, refusal=None)


@router.get("/applications/{application_id}/summary")
async def summary(application_id: str, visitor: Visiting, books: Books) -> Response:
    """The form as it will be handed in, to read once more."""
    return await _summary(visitor, books, application_id)


@router.post("/applications/{application_id}/submit")
async def submit(application_id: str, visitor: Visiting, typed: Typed, books: Books) -> Response:
    """Hand in what the summary showed. A second press of the button finds it handed in."""
    version = _version(typed)

    def hand_in(unit: Unit) -> str | None:
        application = submissions.own(unit, application_id)
        if application.submitted_at is not None and application.correction_until is None:
            return application.number
        shown = desk.opened(unit, application_id)
        if version != shown.version:
            raise Refused(
                "draft-changed",
                "申请内容在您阅读之后又有修改，请重新核对后提交。",
                "The form was changed after you read it: read it again, then hand it in.",
            )
        if not shown.complete:
            first = shown.missing[0].found
            raise Refused("incomplete", first.zh, first.en, status=422)
        return drafts.hand_in(unit, application_id, shown.reading.form).number

    try:
        number = await books.run(visitor.actor, hand_in)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _summary(visitor, books, application_id, refusal)
    if number is None:
        return visitor.go(
            "/applications",
            "已请各联合部门确认申请主体；全部同意后自动提交。",
            "The joint departments are asked; with the last consent the application is handed in.",
        )
    return visitor.go(
        f"/cases/{application_id}",
        f"申请已提交，编号 {number}。下一步由部门负责人初审。",
        f"Handed in as {number}. The head of your department decides next.",
    )


@router.post("/applications/{application_id}/delete")
async def delete(application_id: str, visitor: Visiting, books: Books) -> Response:
    """Delete an own draft that was never handed in."""
    await books.run(visitor.actor, drafts.discard, application_id)
    return visitor.go("/applications", "草稿已删除。", "The draft is deleted.")


@router.get("/applications/{application_id}/withdraw")
async def ask_to_withdraw(application_id: str, visitor: Visiting, books: Books) -> Response:
    """Why it is withdrawn, before it is."""
    row = await books.run(visitor.actor, submissions.own, application_id)
    return visitor.page("apply/withdraw.html", application=row)


@router.post("/applications/{application_id}/withdraw")
async def withdraw(application_id: str, visitor: Visiting, typed: Typed, books: Books) -> Response:
    """Withdraw an application of which nothing was handed over."""
    row = await books.run(visitor.actor, submissions.own, application_id)
    try:
        reason = sheet.reason_of_withdrawal(typed)
        await books.run(visitor.actor, submissions.withdraw, application_id, reason)
    except Refused as refusal:
        return visitor.page("apply/withdraw.html", refusal.status, application=row, refusal=refusal, typed=typed)
    return visitor.go("/applications", "申请已撤回。", "The application is withdrawn.")


def _form(visitor: Visitor, shown: Desk, *, refusal: Refused | None = None, picking: int | None = None) -> Response:
    if picking is None:
        picking = next((row.index for row in shown.reading.rows if row.camera is None), None)
    context = {"desk": shown, "typed": shown.typed, "refusal": refusal, "picking": picking}
    headers = {"HX-Replace-Url": f"/applications/{shown.application_id}/edit"} if shown.version else None
    return visitor.page(
        "apply/form.html",
        refusal.status if refusal else 200,
        headers=headers,
        search=shown.typed.text("cameraSearch"),
        categories=_pairs(visitor, forms.PURPOSE_CATEGORIES),
        bases=_pairs(visitor, forms.LEGAL_BASES),
        kinds=forms.SENSITIVITIES,
        **context,
    )


def _pairs(visitor: Visitor, names: Mapping[str, tuple[str, str]]) -> list[tuple[str, str]]:
    """Codes and their words in the visitor's language, for a list to choose from."""
    return [(code, en if visitor.language == "en" else zh) for code, (zh, en) in names.items()]


async def _summary(visitor: Visitor, books: Register, application_id: str, refusal: Refused | None = None) -> Response:
    shown = await books.run(visitor.actor, desk.opened, application_id)
    return visitor.page("apply/summary.html", refusal.status if refusal else 200, desk=shown, refusal=refusal)


def _save(unit: Unit, typed: TypedForm, *, overwrite: bool = False) -> Draft:
    values = sheet.kept(typed)
    reading = desk.read(unit, typed, typed.text("applicationId"))
    return drafts.save(
        unit,
        typed.text("applicationId"),
        reading.form,
        typed=values,
        version=None if overwrite else _version(typed),
        previous_id=typed.text("previousId") or None,
    )


def _unsaved(unit: Unit, typed: TypedForm) -> Desk:
    """The page of what could not be saved; whether the person may see the application was found out before."""
    return desk.look(unit, typed.text("applicationId"), typed, version=_version(typed))


def _version(typed: TypedForm) -> int:
    text = typed.text("version", "0")
    return min(int(text), LARGEST_VERSION) if text.isascii() and text.isdigit() and len(text) < 12 else 0

"""The form that saves itself, its summary, handing in, withdrawing, deleting (R16 to R22)."""

from collections.abc import Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.keyset import LONGEST_PLACE
from services.database.listing import LONGEST_TEXT
from services.database.tables.drafts import Draft
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access import consents
from services.domain.applications import directory, drafts, forms, service
from services.domain.applications.pages import form_actions, form_view, typed_form
from services.domain.applications.pages.form_view import FormView, Looking
from services.domain.attachments.schemas import KINDS
from services.domain.cameras import favourites
from services.domain.matters.kinds.urgent import UrgentRetrieval
from services.runtime.errors import Refused
from services.runtime.translations import Message, Text
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier, PlaceText, SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter()

LARGEST_VERSION = 2**31
LONGEST_ID = 64


@router.get("/apply")
async def begin(
    visitor: Visiting,
    database: GivenDatabase,
    earlier: Annotated[Identifier | None, Query(alias="from")] = None,
    appeal: bool = False,
    camera: Annotated[Identifier | None, Query()] = None,
) -> Response:
    """Show a new form, with proposals or with an earlier application's content.

    ``camera`` is the first one that is asked for.
    """

    def read(uow: UnitOfWork) -> FormView:
        if earlier is None:
            values = form_view.proposed_fields(uow, visitor.person.department)
            if camera is not None and directory.cameras(uow, [camera]):
                values["items-0-cameraId"] = camera
        else:
            application, form = drafts.get_source(uow, earlier)
            values = form_view.FIRST_ITEM | form_view.stored_fields(uow, form)
            if appeal:
                values["previousId"] = service.get_own(uow, application.id).id
        return form_view.build(uow, form_view.new_id(), typed_form.typed_of(values), version=0)

    return _form(visitor, await database.read(visitor.actor, read))


@router.get("/applications/{application_id}/edit")
async def edit(
    application_id: str,
    visitor: Visiting,
    database: GivenDatabase,
    *,
    pick: Annotated[int | None, Query(ge=0, le=999)] = None,
    find: Annotated[str, Query(max_length=40)] = "",
    search: SearchText = "",
    plan: Annotated[str, Query(max_length=64)] = "",
    after: PlaceText = "",
) -> Response:
    """Return a draft, or the correction of a returned application, as it was typed last.

    ``pick`` is the item whose camera is chosen, ``find`` the field for which a person or a ``camera`` is searched;
    ``plan`` the plan that cameras are chosen on, ``after`` where the page of cameras begins.
    """
    looking = Looking(find, search, plan, after)
    return _form(visitor, await database.read(visitor.actor, form_view.get_view, application_id, looking), picking=pick)


@router.post("/apply")
async def act(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Save what is typed, then do what the button says."""
    done = form_actions.Done(typed, None)
    try:
        files = await database.run(visitor.actor, form_view.file_fields, typed.text("applicationId"))
        done = form_actions.apply(typed, files)
        if done.camera_id:
            await database.run(visitor.actor, favourites.mark, done.camera_id, marked=done.act == "star")
        saved = await database.run(visitor.actor, _save, done.typed, overwrite=done.act == "overwrite")
    except Refused as refusal:
        if refusal.status == 404:
            raise
        shown = await database.run(visitor.actor, _unsaved, done.typed, looking=_looking(done))
        return _form(visitor, shown, refusal=typed_form.on_page(refusal), picking=done.picking)
    if done.act == "review":
        return visitor.redirect(f"/applications/{saved.application_id}/summary")
    if done.act == "attachments":
        return visitor.redirect(f"/applications/{saved.application_id}/attachments")
    if done.act == "behalf":
        return visitor.redirect(f"/applications/{saved.application_id}/on-behalf")
    looking = _looking(done)
    if visitor.is_htmx:
        shown = await database.read(visitor.actor, form_view.get_view, saved.application_id, looking)
        return _form(visitor, shown, picking=done.picking)
    return visitor.redirect(f"/applications/{saved.application_id}/edit{_place(done, looking)}")


@router.post("/apply/save")
async def save(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Save what is typed, and say what is still missing."""
    try:
        await database.run(visitor.actor, _save, typed)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        shown = await database.run(visitor.actor, _unsaved, typed)
        return visitor.part("applications/_saved.html", refusal.status, view=shown, refusal=refusal)
    shown = await database.read(visitor.actor, form_view.get_view, typed.text("applicationId"))
    address = {"HX-Replace-Url": f"/applications/{shown.application_id}/edit"}
    return visitor.part("applications/_saved.html", headers=address, view=shown, refusal=None)


@router.get("/applications/{application_id}/summary")
async def summary(application_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return the form as it will be handed in, to read once more."""
    return await _summary(visitor, database, application_id)


@router.post("/applications/{application_id}/submit")
async def submit(application_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Hand in what the summary showed. A second press of the button finds it handed in."""
    version = _version(typed)

    def submit_form(uow: UnitOfWork) -> tuple[str | None, bool]:
        """Return the number, and whether it is on behalf of people outside.

        The number is None where the joint departments are asked first, also of a correction.
        """
        application = service.get_own(uow, application_id)
        outside = application.on_behalf is not None
        if application.submitted_at is not None and application.correction_until is None:
            return application.number, outside
        shown = form_view.get_view(uow, application_id)
        if version != shown.version:
            raise Refused(
                "draft-changed",
                "The form was changed after you read it: read it again, then submit it.",
            )
        if not shown.complete:
            first = shown.missing[0].finding
            raise Refused("incomplete", first.message, status=422)
        number = drafts.submit(uow, application_id, shown.reading.form).number
        return (None if consents.get_open(uow, application_id) is not None else number), outside

    try:
        number, outside = await database.run(visitor.actor, submit_form)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _summary(visitor, database, application_id, refusal)
    if number is None:
        return visitor.redirect(
            "/applications",
            Message(
                "The joint departments were asked for consent; the application is submitted when all have consented."
            ),
        )
    told = (
        Message("Submitted as {number}. Next step: Security checks the credentials.", number=number)
        if outside
        else Message(
            "Submitted as {number}. Next step: preliminary review by the head of your department.", number=number
        )
    )
    return visitor.redirect(f"/cases/{application_id}", told)


@router.post("/applications/{application_id}/delete")
async def delete(application_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Delete an own draft that was never handed in."""
    await database.run(visitor.actor, drafts.discard, application_id)
    return visitor.redirect("/applications", Message("The draft was deleted."))


@router.get("/applications/{application_id}/withdraw")
async def ask_to_withdraw(application_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Return why it is withdrawn, before it is."""
    row = await database.read(visitor.actor, service.get_own, application_id)
    return visitor.page("applications/withdraw.html", application=row)


@router.post("/applications/{application_id}/withdraw")
async def withdraw(application_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Withdraw an application of which nothing was handed over."""
    row = await database.run(visitor.actor, service.get_own, application_id)
    try:
        reason = typed_form.reason_of_withdrawal(typed)
        await database.run(visitor.actor, service.withdraw, application_id, reason)
    except Refused as refusal:
        return visitor.page("applications/withdraw.html", refusal.status, application=row, refusal=refusal, typed=typed)
    return visitor.redirect("/applications", Message("The application was withdrawn."))


def _form(visitor: Visitor, shown: FormView, *, refusal: Refused | None = None, picking: int | None = None) -> Response:
    if picking is None:
        picking = next((row.index for row in shown.reading.rows if row.camera is None), None)
    context = {"view": shown, "typed": shown.typed, "refusal": refusal, "picking": picking}
    headers = {"HX-Replace-Url": f"/applications/{shown.application_id}/edit"} if shown.version else None
    return visitor.page(
        "applications/form.html",
        refusal.status if refusal else 200,
        headers=headers,
        search=shown.looking.text if shown.looking.field == "camera" else "",
        categories=_pairs(visitor, forms.PURPOSE_CATEGORIES),
        bases=_pairs(visitor, forms.LEGAL_BASES),
        kinds=forms.SENSITIVITIES,
        rules=shown.rules,
        attachment_kinds=KINDS,
        **context,
    )


def _pairs(visitor: Visitor, names: Mapping[str, Text]) -> list[tuple[str, str]]:
    """Codes and their words in the visitor's language, for a list to choose from."""
    return [(code, name.translate(visitor.language)) for code, name in names.items()]


async def _summary(
    visitor: Visitor, database: Database, application_id: str, refusal: Refused | None = None
) -> Response:
    def read(uow: UnitOfWork) -> tuple[form_view.FormView, bool]:
        own = service.get_own(uow, application_id)
        return form_view.get_view(uow, application_id), UrgentRetrieval().may_open(uow, own, None)

    shown, may_call = await database.read(visitor.actor, read)
    return visitor.page(
        "applications/summary.html",
        refusal.status if refusal else 200,
        view=shown,
        may_call=may_call,
        refusal=refusal,
        attachment_kinds=KINDS,
    )


def _save(uow: UnitOfWork, typed: TypedForm, *, overwrite: bool = False) -> Draft:
    values = typed_form.to_json(typed)
    reading = form_view.parse(uow, typed, typed.text("applicationId"))
    return drafts.save(
        uow,
        typed.text("applicationId"),
        reading.form,
        typed=values,
        version=None if overwrite else _version(typed),
        previous_id=typed.text("previousId") or None,
    )


def _unsaved(uow: UnitOfWork, typed: TypedForm, *, looking: Looking = form_view.NOT_LOOKING) -> FormView:
    """Return the page of what could not be saved; the caller has checked who sees it."""
    return form_view.build(uow, typed.text("applicationId"), typed, version=_version(typed), looking=looking)


def _looking(done: form_actions.Done) -> Looking:
    """Return what is looked for by a search button, which is there where no script runs."""
    field = {"find": done.people, "search": "camera", "star": "camera", "unstar": "camera"}.get(done.act, "")
    if not field:
        return Looking()
    plan = done.typed.text("cameraPlan")[:LONGEST_ID] if field == "camera" else ""
    return Looking(field, done.typed.text(f"{field}Search")[:LONGEST_TEXT], plan, done.place[:LONGEST_PLACE])


def _place(done: form_actions.Done, looking: Looking) -> str:
    """Return where on the form's page one goes on, after its address."""
    asked: dict[str, str | int] = {} if done.picking is None else {"pick": done.picking}
    if looking.field:
        asked |= {"find": looking.field, "search": looking.text}
        asked |= {name: text for name, text in (("plan", looking.plan), ("after", looking.place)) if text}
    at = f"people-{done.people}" if done.people else f"items-{done.picking}"
    there = done.people or done.picking is not None
    return (f"?{urlencode(asked)}" if asked else "") + (f"#{at}" if there else "")


def _version(typed: TypedForm) -> int:
    text = typed.text("version", "0")
    return min(int(text), LARGEST_VERSION) if text.isascii() and text.isdigit() and len(text) < 12 else 0

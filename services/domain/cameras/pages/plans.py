"""Serve the pages of floor plans: list, form, picture, and the cameras on a plan."""

import re
from typing import Annotated, Any, ClassVar, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import Field

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access import administrators
from services.domain.cameras import photographs, plans
from services.domain.cameras.pages import pictures
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import csv as web_csv
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Body, Identifier, Line, SearchText
from services.web.uploader import Uploading
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/plans")

MIDDLE = plans.WHOLE // 2
PER_PERCENT = plans.WHOLE // 100
_PERCENT = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{1,3})?", re.ASCII)


class ListQuery(lists.ListQuery):
    SORTS: ClassVar = get_args(plans.Sort)
    FALLING: ClassVar = frozenset({"cameras"})


class PlanBody(Body):
    """A plan as it is typed; a building that is named in one language has this name in both."""

    site_id: Identifier
    building_zh: Line | None = None
    building_en: Line | None = None
    floor_zh: Line
    floor_en: Line
    level: Annotated[int, Field(ge=plans.LOWEST, le=plans.HIGHEST)] = 1

    def entry(self) -> plans.PlanEntry:
        zh, en = self.building_zh or self.building_en or "", self.building_en or self.building_zh or ""
        return plans.PlanEntry(self.site_id, zh, en, self.floor_zh, self.floor_en, self.level)


@router.get("")
async def list_plans(visitor: Visiting, database: GivenDatabase, wanted: Annotated[ListQuery, Query()]) -> Response:
    """Show the plans of all sites; ``form=csv`` exports all matches."""
    lines = await database.read(visitor.actor, plans.list_plans, wanted.listing(visitor.language))
    if wanted.as_csv:
        translated = visitor.translated
        header = [
            translated("Site"), translated("Building"), translated("Floor"), translated("Order of the floor"),
            translated("Cameras"),
        ]  # fmt: skip
        rows: list[list[web_csv.Cell]] = [
            [
                line.site,
                lists.named(visitor, line.row, "building"),
                lists.named(visitor, line.row, "floor"),
                line.row.level,
                line.pins,
            ]
            for line in lines
        ]
        return lists.csv_answer(visitor, translated("Floor plans"), header, rows)
    return visitor.page("cameras/plans.html", **wanted.shown(lines))


@router.get("/new")
async def new_plan(visitor: Visiting, database: GivenDatabase, site: str = "") -> Response:
    """Show the form of a new plan."""
    return await _new(visitor, database, site)


@router.post("/new")
async def add_plan(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Add a plan and show its page, where its picture is uploaded."""
    try:
        row = await database.run(visitor.actor, plans.add, typed.body(PlanBody).entry())
    except Refused as refusal:
        if refusal.status == 403:
            raise
        return await _new(visitor, database, typed.text("siteId"), refusal, typed)
    return visitor.redirect(f"/admin/plans/{row.id}", Message("The plan was added: upload its image."))


@router.get("/{plan_id}")
async def read_plan(
    plan_id: Identifier, visitor: Visiting, database: GivenDatabase, find: SearchText = "", placed: str = ""
) -> Response:
    """Show a plan with its cameras; ``find`` looks for cameras to place, ``placed`` is the one placed last."""
    return await _page(visitor, database, plan_id, find=find, placed=placed)


@router.post("/{plan_id}")
async def change_plan(plan_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Change what is said of a plan."""
    try:
        await database.run(visitor.actor, plans.change, plan_id, typed.body(PlanBody).entry())
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _page(visitor, database, plan_id, refusal=refusal, typed=typed)
    return visitor.redirect(f"/admin/plans/{plan_id}", Message("Saved."))


@router.post("/{plan_id}/picture")
async def upload_picture(
    plan_id: Identifier, request: Request, uploader: Uploading, database: GivenDatabase
) -> Response:
    """Upload the picture of a plan, which replaces the one before."""
    await database.run(uploader.actor, plans.require_upload_allowed, plan_id)

    async def save() -> None:
        picture = await photographs.read_plan(request, uploader.check)
        await database.run(uploader.actor, plans.upload, plan_id, picture)

    return await pictures.saved(f"/admin/plans/{plan_id}", save, Message("The plan was saved. Now place the cameras."))


@router.post("/{plan_id}/pins")
async def place_cameras(plan_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Save where the cameras are, then do what the button says: place one more, take one off, or look for some."""
    act, _, camera_id = typed.text("act", "save").partition("-")
    find = typed.text("find")

    def save(uow: UnitOfWork) -> None:
        places = _places(typed)
        if act == "remove":
            places.pop(camera_id, None)
        if act == "add" and camera_id:
            places.setdefault(camera_id, (MIDDLE, MIDDLE))
        plans.place(uow, plan_id, places)
        if act == "remove":
            plans.take_off(uow, plan_id, camera_id)

    try:
        await database.run(visitor.actor, save)
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _page(visitor, database, plan_id, find=find[:200], refusal=refusal, typed=typed)
    if act == "find":
        return visitor.redirect(_address(plan_id, find=find) + "#place")
    if act == "add":
        message = Message("The camera is in the middle of the plan: move it to its place.")
        return visitor.redirect(_address(plan_id, find=find, placed=camera_id), message)
    return visitor.redirect(f"/admin/plans/{plan_id}", Message("Saved."))


@router.post("/{plan_id}/remove")
async def remove_plan(plan_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Remove a plan; its cameras stay."""
    await database.run(visitor.actor, plans.remove, plan_id)
    return visitor.redirect("/admin/plans", Message("The plan was removed."))


def _address(plan_id: str, **query: str) -> str:
    return f"/admin/plans/{plan_id}?{urlencode({name: text for name, text in query.items() if text})}".rstrip("?")


def _places(typed: TypedForm) -> dict[str, tuple[int, int]]:
    """Return the typed places by camera, in thousandths. Refused for what is no percentage."""
    typed_places = {name[2:]: (text, typed.text(f"y-{name[2:]}")) for name, text in typed.texts if name[:2] == "x-"}
    return {
        camera_id: (_thousandths(x, f"x-{camera_id}"), _thousandths(y, f"y-{camera_id}"))
        for camera_id, (x, y) in typed_places.items()
    }


def _thousandths(text: str, field: str) -> int:
    if not _PERCENT.fullmatch(text.strip()) or float(text.replace(",", ".")) > 100:
        raise Refused("pin-outside", "Enter a number from 0 to 100, such as 37.5.", status=422, field=field)
    return round(float(text.replace(",", ".")) * PER_PERCENT)


async def _new(
    visitor: Visitor,
    database: Database,
    site: str,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> list[tuple[str, str]]:
        administrators.require_administrator(uow)
        return plans.list_sites(uow)

    sites = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page("cameras/plan_new.html", status, sites=sites, site=site, refusal=refusal, typed=typed)


async def _page(
    visitor: Visitor,
    database: Database,
    plan_id: str,
    *,
    find: str = "",
    placed: str = "",
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        shown = plans.get_plan(uow, plan_id)
        may = administrators.is_administrator(uow)
        return {
            "shown": shown,
            "sites": plans.list_sites(uow, shown.row.site_id),
            "candidates": plans.list_candidates(uow, plan_id, find) if may and shown.row.sha256 else [],
            "may": may,
        }

    context = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page("cameras/plan.html", status, **context, find=find, placed=placed, refusal=refusal, typed=typed)

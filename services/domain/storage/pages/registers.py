"""Serve the pages of the registers of storage: sites, devices, media, disposal."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, get_args

from fastapi import APIRouter, Query, Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.applications import directory
from services.domain.storage import csv_import, devices, disposals, media, places, rights, sites
from services.domain.storage.schemas import (
    DeviceBody,
    DeviceImportAnswer,
    DeviceKind,
    DeviceSort,
    DisposalSort,
    HandOutBody,
    KeeperBody,
    MarkBody,
    MediumBody,
    MediumEnd,
    MediumEndBody,
    MediumKind,
    MediumSort,
    PlacesBody,
    RecorderSiteBody,
    RetireBody,
    ScanBody,
    SiteBody,
    SiteSort,
    SiteUse,
)
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message, Text
from services.web import lists
from services.web.csv import csv_answer
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier, SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/storage")

SAVED = Message("Saved.")
STATES = ("in", "out", *get_args(MediumEnd))
LIST_FORMAT: dict[str, Any] = {"columns": csv_import.COLUMNS, "kinds": get_args(DeviceKind)}
ITEM_STATES = ("listed", "left-out", "due", "kept", "held", "deleted")


class SiteQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(SiteSort)


class DeviceQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(DeviceSort)

    kind: SearchText = ""
    retired: bool = False


class MediumQuery(lists.PlacedQuery):
    """``person``: whom a medium may be handed to."""

    SORTS: ClassVar = get_args(MediumSort)

    state: SearchText = ""
    person: SearchText = ""


class BatchQuery(lists.ListQuery):
    SORTS: ClassVar = ("opened",)
    FALLING: ClassVar = frozenset({"opened"})


class ItemQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(DisposalSort)

    state: SearchText = ""


@router.get("/sites")
async def list_sites(visitor: Visiting, database: GivenDatabase, wanted: Annotated[SiteQuery, Query()]) -> Response:
    """Show the sites, who keeps each, and where vault and replica stand."""
    return await _sites(visitor, database, wanted)


@router.post("/sites")
async def add_site(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Enter a site."""
    try:
        site = await database.run(visitor.actor, sites.add, typed.body(SiteBody, uses=typed.all("uses")))
    except Refused as refusal:
        return await _sites(visitor, database, SiteQuery(), refusal, typed)
    return visitor.redirect(f"/storage/sites/{site.id}", Message("The site was entered: put a person in charge of it."))


@router.post("/places")
async def set_places(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Tell at which sites vault and replica stand."""
    try:
        told = {store: typed.text(store) or None for store in ("vault", "replica")}
        await database.run(visitor.actor, places.set_places, typed.body(PlacesBody, **told))
    except Refused as refusal:
        return await _sites(visitor, database, SiteQuery(), refusal, typed)
    return visitor.redirect("/storage/sites", SAVED)


@router.get("/sites/{site_id}")
async def read_site(site_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show one site."""
    return await _site(visitor, database, site_id)


@router.post("/sites/{site_id}")
async def change_site(site_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Change a site."""
    body = _body(typed, SiteBody, uses=typed.all("uses"))
    return await _act_on_site(visitor, database, typed, site_id, lambda uow: sites.change(uow, site_id, body()))


@router.post("/sites/{site_id}/close")
async def close_site(site_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Close a site at which nothing stands any more."""
    return await _act_on_site(visitor, database, typed, site_id, lambda uow: sites.close(uow, site_id))


@router.post("/sites/{site_id}/keepers")
async def set_keeper(site_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Put somebody in charge of a site."""

    def act(uow: UnitOfWork) -> object:
        body = typed.body(KeeperBody)
        return sites.set_keeper(uow, site_id, body.person_id, body.part)

    return await _act_on_site(visitor, database, typed, site_id, act)


@router.post("/sites/{site_id}/keepers/{keeper_id}/end")
async def end_keeper(
    site_id: Identifier, keeper_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """End somebody's charge of a site."""
    return await _act_on_site(visitor, database, typed, site_id, lambda uow: sites.end_keeper(uow, site_id, keeper_id))


@router.post("/sites/{site_id}/recorders")
async def set_recorder_site(site_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Tell that a recorder stands at this site."""

    def act(uow: UnitOfWork) -> None:
        sites.set_recorder(uow, site_id, typed.body(RecorderSiteBody).recorder_id)

    return await _act_on_site(visitor, database, typed, site_id, act)


@router.get("/devices")
async def list_devices(visitor: Visiting, database: GivenDatabase, wanted: Annotated[DeviceQuery, Query()]) -> Response:
    """Show the devices; ``form=csv`` answers with all matches for the import."""
    return await _devices(visitor, database, wanted)


@router.post("/devices")
async def add_device(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Enter a device."""
    try:
        device = await database.run(visitor.actor, devices.add, _device(typed))
    except Refused as refusal:
        return await _devices(visitor, database, DeviceQuery(), refusal, typed)
    return visitor.redirect(f"/storage/devices/{device.id}", Message("The device was entered."))


@router.get("/devices/list")
async def new_list(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the form of the CSV import."""
    await database.read(visitor.actor, rights.require_change)
    return visitor.page("storage/device_list.html", result=None, **LIST_FORMAT, refusal=None)


@router.post("/devices/list")
async def import_list(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Check or import the CSV file; every wrong line is named."""
    file, result, refused = typed.file("file"), None, None
    content = await file.read(csv_import.MAX_BYTES + 1) if file else b""

    def act(uow: UnitOfWork) -> DeviceImportAnswer:
        return csv_import.import_devices(uow, content, dry_run=typed.text("enter") != "true")

    try:
        result = await database.run(visitor.actor, act)
    except Refused as refusal:
        if refusal.status == 403:
            raise
        refused = refusal
    if result is not None and result.done:
        message = Message(
            "The list was imported: {new} new, {changed} changed.", new=result.new, changed=result.changed
        )
        return visitor.redirect("/storage/devices", message)
    status = refused.status if refused else 422 if result and result.wrong else 200
    return visitor.page("storage/device_list.html", status, result=result, **LIST_FORMAT, refusal=refused, typed=typed)


@router.get("/devices/{device_id}")
async def read_device(device_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show one device and its form."""
    return await _one_device(visitor, database, device_id)


@router.post("/devices/{device_id}")
async def change_device(device_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Change a device."""

    def act(uow: UnitOfWork) -> object:
        return devices.change(uow, device_id, _device(typed))

    return await _act_on_device(visitor, database, typed, device_id, act)


@router.post("/devices/{device_id}/retire")
async def retire_device(device_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Take a device out of service."""

    def act(uow: UnitOfWork) -> object:
        return devices.retire(uow, device_id, typed.body(RetireBody).because)

    return await _act_on_device(visitor, database, typed, device_id, act)


@router.get("/media")
async def list_media(visitor: Visiting, database: GivenDatabase, wanted: Annotated[MediumQuery, Query()]) -> Response:
    """Show the numbered media."""
    return await _media(visitor, database, wanted)


@router.post("/media")
async def add_medium(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Register a medium."""
    return await _act_on_medium(visitor, database, typed, lambda uow: media.add(uow, typed.body(MediumBody)))


@router.post("/media/scan")
async def scan_medium(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Record that a medium is back, by the number on it."""

    def act(uow: UnitOfWork) -> object:
        return media.scan(uow, typed.body(ScanBody, siteId=typed.text("siteId") or None))

    return await _act_on_medium(visitor, database, typed, act)


@router.post("/media/{medium_id}/hand-out")
async def hand_out_medium(medium_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Hand a medium to somebody of the organisation."""

    def act(uow: UnitOfWork) -> object:
        return media.hand_out(uow, medium_id, typed.body(HandOutBody))

    return await _act_on_medium(visitor, database, typed, act)


@router.post("/media/{medium_id}/end")
async def end_medium(medium_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Take a medium out of the register for good."""

    def act(uow: UnitOfWork) -> object:
        return media.end(uow, medium_id, typed.body(MediumEndBody))

    return await _act_on_medium(visitor, database, typed, act)


@router.get("/disposals")
async def list_disposals(
    visitor: Visiting, database: GivenDatabase, wanted: Annotated[BatchQuery, Query()]
) -> Response:
    """Show the batches of disposal."""
    lines = await database.read(visitor.actor, disposals.read, wanted.listing(visitor.language))
    return visitor.page("storage/disposals.html", states=ITEM_STATES, **wanted.shown(lines))


@router.get("/disposals/{matter_id}")
async def read_disposal(
    matter_id: Identifier, visitor: Visiting, database: GivenDatabase, wanted: Annotated[ItemQuery, Query()]
) -> Response:
    """Show one batch of disposal with its items."""
    return await _batch(visitor, database, matter_id, wanted)


@router.post("/disposals/{matter_id}/items/{disposal_item_id}")
async def mark_disposal_item(
    matter_id: Identifier, disposal_item_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase
) -> Response:
    """Leave an item out of a batch, or list it again."""
    try:
        because = typed.body(MarkBody).because
        await database.run(visitor.actor, disposals.mark, matter_id, disposal_item_id, because)
    except Refused as refusal:
        if refusal.status == 404:
            raise
        return await _batch(visitor, database, matter_id, ItemQuery(), refusal=refusal, typed=typed)
    return visitor.redirect(f"/storage/disposals/{matter_id}?place={typed.text('place')}", SAVED)


def _body(typed: TypedForm, model: type[SiteBody], **more: Any) -> Callable[[], SiteBody]:
    return lambda: typed.body(model, **more)


def _device(typed: TypedForm) -> DeviceBody:
    return typed.body(
        DeviceBody,
        inServiceSince=typed.text("inServiceSince") or None,
        recorderId=typed.text("recorderId") or None,
    )


async def _sites(
    visitor: Visitor,
    database: Database,
    wanted: SiteQuery,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    _raise_unless_shown(refusal)

    def read(uow: UnitOfWork) -> dict[str, Any]:
        return {
            **wanted.shown_page(sites.read(uow, wanted.listing(visitor.language))),
            "places": places.read(uow),
            "may_change": rights.may_change(uow),
            "choices": sites.list_open(uow),
        }

    shown = await database.read(visitor.actor, read)
    if wanted.as_csv:
        rows = [(line.name, line.address, ",".join(line.uses), line.area or "") for line in shown["lines"]]
        return csv_answer("sites", ("name", "address", "uses", "area"), rows)
    status = refusal.status if refusal else 200
    return visitor.page("storage/sites.html", status, **shown, refusal=refusal, typed=typed, uses=get_args(SiteUse))


async def _site(
    visitor: Visitor,
    database: Database,
    site_id: str,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        view = sites.get(uow, site_id)
        return {"view": view, "people": sites.list_fit(uow), "recorders": devices.list_recorders(uow)}

    shown = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page("storage/site.html", status, **shown, refusal=refusal, typed=typed, uses=get_args(SiteUse))


async def _act_on_site(
    visitor: Visitor, database: Database, typed: TypedForm, site_id: str, act: Callable[[UnitOfWork], object]
) -> Response:
    try:
        await database.run(visitor.actor, act)
    except Refused as refusal:
        _raise_unless_shown(refusal)
        return await _site(visitor, database, site_id, refusal, typed)
    return visitor.redirect(f"/storage/sites/{site_id}", SAVED)


async def _devices(
    visitor: Visitor,
    database: Database,
    wanted: DeviceQuery,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    _raise_unless_shown(refusal)

    def read(uow: UnitOfWork) -> dict[str, Any]:
        listing = wanted.listing(visitor.language)
        return {
            **wanted.shown_page(devices.read(uow, listing, kind=wanted.kind, retired=wanted.retired)),
            **_choices(uow),
        }

    shown = await database.read(visitor.actor, read)
    if wanted.as_csv:
        return csv_answer("devices", csv_import.COLUMNS, csv_import.rows_of(shown["lines"]))
    status = refusal.status if refusal else 200
    return visitor.page("storage/devices.html", status, **shown, refusal=refusal, typed=typed)


async def _one_device(
    visitor: Visitor,
    database: Database,
    device_id: str,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        return {"view": devices.get(uow, device_id), **_choices(uow)}

    shown = await database.read(visitor.actor, read)
    status = refusal.status if refusal else 200
    return visitor.page("storage/device.html", status, **shown, refusal=refusal, typed=typed)


async def _act_on_device(
    visitor: Visitor, database: Database, typed: TypedForm, device_id: str, act: Callable[[UnitOfWork], object]
) -> Response:
    try:
        await database.run(visitor.actor, act)
    except Refused as refusal:
        _raise_unless_shown(refusal)
        return await _one_device(visitor, database, device_id, refusal, typed)
    return visitor.redirect(f"/storage/devices/{device_id}", SAVED)


def _choices(uow: UnitOfWork) -> dict[str, Any]:
    return {
        "sites": sites.list_open(uow),
        "recorders": devices.list_recorders(uow),
        "kinds": get_args(DeviceKind),
        "may_change": rights.may_change(uow),
    }


async def _media(
    visitor: Visitor,
    database: Database,
    wanted: MediumQuery,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    _raise_unless_shown(refusal)

    def read(uow: UnitOfWork) -> dict[str, Any]:
        return {
            **wanted.shown_page(media.read(uow, wanted.listing(visitor.language), state=wanted.state)),
            "sites": sites.list_open(uow),
            "may_change": rights.may_change(uow),
            "people": directory.find_people(uow, wanted.person),
        }

    shown = await database.read(visitor.actor, read)
    if wanted.as_csv:
        rows = [(line.number, line.kind, line.state, line.site, line.holder or "") for line in shown["lines"]]
        return csv_answer("media", ("number", "kind", "state", "site", "holder"), rows)
    status = refusal.status if refusal else 200
    return visitor.page(
        "storage/media.html",
        status,
        **shown,
        refusal=refusal,
        typed=typed,
        states=STATES,
        kinds=get_args(MediumKind),
        ends=get_args(MediumEnd),
    )


async def _act_on_medium(
    visitor: Visitor, database: Database, typed: TypedForm, act: Callable[[UnitOfWork], object], done: Text = SAVED
) -> Response:
    try:
        await database.run(visitor.actor, act)
    except Refused as refusal:
        return await _media(visitor, database, MediumQuery(), refusal, typed)
    return visitor.redirect("/storage/media", done)


async def _batch(
    visitor: Visitor,
    database: Database,
    matter_id: str,
    wanted: ItemQuery,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        listing = wanted.listing(visitor.language)
        found = disposals.read_items(uow, matter_id, listing, state=wanted.state)
        return {"view": disposals.get(uow, matter_id), **wanted.shown_page(found)}

    shown = await database.read(visitor.actor, read)
    if wanted.as_csv:
        names = ("position", "number", "camera", "from", "to", "sha256", "state", "because")
        rows = [
            (
                line.position,
                line.number,
                lists.named(visitor, line, "camera"),
                line.start.isoformat(),
                line.end.isoformat(),
                line.sha256,
                line.state,
                line.because or "",
            )
            for line in shown["lines"]
        ]
        return csv_answer("disposal", names, rows)
    status = refusal.status if refusal else 200
    return visitor.page("storage/disposal.html", status, **shown, refusal=refusal, typed=typed, states=ITEM_STATES)


def _raise_unless_shown(refusal: Refused | None) -> None:
    """Raise what is no fault of what was typed: it is answered on a page of its own."""
    if refusal is not None and (refusal.status in (403, 404) or isinstance(refusal, NotFound)):
        raise refusal

"""Serve the pages of storage devices, and of their import from a CSV file (R10)."""

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, get_args

from fastapi import APIRouter, Query, Response

from services.database.tables.devices import STORES
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.storage import csv_import, devices, health, rights, sites
from services.domain.storage.pages.answers import SAVED, raise_unless_shown
from services.domain.storage.schemas import (
    DeviceBody,
    DeviceImportAnswer,
    DeviceKind,
    DeviceSort,
    RetireBody,
)
from services.runtime import csv_rows
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier, SearchText
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/storage")

LIST_FORMAT: dict[str, Any] = {"columns": csv_import.COLUMNS, "kinds": get_args(DeviceKind)}


class DeviceQuery(lists.PlacedQuery):
    SORTS: ClassVar = get_args(DeviceSort)

    kind: SearchText = ""
    retired: bool = False


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
    content = await file.read(csv_rows.MAX_BYTES + 1) if file else b""

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


def _device(typed: TypedForm) -> DeviceBody:
    return typed.body(
        DeviceBody,
        inServiceSince=typed.text("inServiceSince") or None,
        recorderId=typed.text("recorderId") or None,
        store=typed.text("store") or None,
    )


async def _devices(
    visitor: Visitor,
    database: Database,
    wanted: DeviceQuery,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    raise_unless_shown(refusal)

    def read(uow: UnitOfWork) -> dict[str, Any]:
        listing = wanted.listing(visitor.language)
        return {
            **wanted.shown_page(devices.read(uow, listing, kind=wanted.kind, retired=wanted.retired)),
            **_choices(uow),
            "read_stores": health.list_stores(uow),
        }

    shown = await database.read(visitor.actor, read)
    if wanted.as_csv:
        return lists.csv_answer(visitor, "devices", csv_import.COLUMNS, csv_import.rows_of(shown["lines"]))
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
        raise_unless_shown(refusal)
        return await _one_device(visitor, database, device_id, refusal, typed)
    return visitor.redirect(f"/storage/devices/{device_id}", SAVED)


def _choices(uow: UnitOfWork) -> dict[str, Any]:
    return {
        "sites": sites.list_open(uow),
        "recorders": devices.list_recorders(uow),
        "kinds": get_args(DeviceKind),
        "stores": STORES,
        "may_change": rights.may_change(uow),
    }

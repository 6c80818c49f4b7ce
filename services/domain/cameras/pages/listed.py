"""Serve the page on which an administrator registers cameras that a recorder lists."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response
from starlette.datastructures import FormData

from services.database.tables.cameras import Camera
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access import administrators
from services.domain.cameras import listed_cameras, plans, service
from services.domain.cameras import recorders as camera_recorders
from services.domain.cameras.api.cameras import CameraBody
from services.domain.cameras.listed_cameras import AT_ONCE, LONGEST, Comparison
from services.runtime.errors import Refused
from services.runtime.translations import Counted, Message
from services.web.dependencies import GivenDatabase, GivenRecorders
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/recorders/{recorder_id}/listed")

OF_RECORDER = "recorder"  # the site of the recorder, chosen for its cameras
OWN = ("nameZh", "nameEn", "placeZh", "placeEn", "cameraClass")


@dataclass(frozen=True)
class Row:
    """A camera that is offered; ``values`` by the names of its fields."""

    index: int
    channel: str
    also: Sequence[str]
    chosen: bool
    values: dict[str, str]


@router.get("")
async def show_listed(recorder_id: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the button that asks the recorder, and which cameras it did not list last time."""
    return await _page(visitor, database, recorder_id)


@router.post("")
async def ask(
    recorder_id: Identifier, visitor: Visiting, database: GivenDatabase, recorders: GivenRecorders
) -> Response:
    """Ask the recorder for its cameras, and offer those that the register has not."""
    found = await listed_cameras.compare(database, visitor.actor, recorders, recorder_id)
    rows = [
        Row(index, one.channel, sorted(one.also), chosen=False, values=_proposed(one.channel, one.name))
        for index, one in enumerate(found.new[:AT_ONCE])
    ]
    return await _page(visitor, database, recorder_id, rows, found=found)


@router.post("/register")
async def register(recorder_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Register the cameras that are ticked, all of them or none."""

    def act(uow: UnitOfWork) -> int:
        administrators.require_administrator(uow)
        entries = [_entry(typed, row, recorder_id) for row in _rows(typed) if row.chosen]
        return len(listed_cameras.register(uow, recorder_id, entries))

    try:
        count = await database.run(visitor.actor, act)
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _page(visitor, database, recorder_id, _rows(typed), refusal=refusal, typed=typed)
    return visitor.redirect(
        f"/admin/recorders/{recorder_id}",
        Counted("{count} camera was registered.", "{count} cameras were registered.", count),
    )


def _proposed(channel: str, name: str) -> dict[str, str]:
    called = Message("Channel {channel}", channel=channel) if not name else None
    zh, en = (called.translate(language) if called else name for language in ("zh", "en"))
    return {**dict.fromkeys(OWN, ""), "nameZh": zh[:LONGEST], "nameEn": en[:LONGEST]}


def _rows(typed: TypedForm) -> list[Row]:
    """Return the rows as they were typed."""
    found = []
    for index in range(AT_ONCE):
        channel = typed.text(f"rows-{index}-channel")
        if channel:
            values = {name: typed.text(f"rows-{index}-{name}") for name in OWN}
            chosen = typed.text(f"rows-{index}-take") == "true"
            found.append(Row(index, channel, typed.all(f"rows-{index}-also"), chosen, values))
    return found


def _entry(typed: TypedForm, row: Row, recorder_id: str) -> tuple[service.CameraEntry, frozenset[str]]:
    """Return the entry of a row, which has what is typed for all where it has nothing of its own.

    Refused with the wrong field.
    """
    shared = {name: typed.text(name) for name in ("placeZh", "placeEn", "cameraClass", "retentionDays")}
    own = {name: text for name, text in row.values.items() if text}
    values = {**shared, **own, "channel": row.channel, "recorderId": recorder_id}
    site = typed.text("siteId")
    if not site:
        raise Refused("site-missing", "Choose the site of these cameras.", status=422, field="siteId")
    if not values["cameraClass"]:
        raise Refused(
            "class-missing",
            "Choose whether the cameras show an ordinary or a sensitive area.",
            status=422,
            field="cameraClass",
        )
    if site != OF_RECORDER:
        values["siteId"] = site
    try:
        return TypedForm(FormData(list(values.items()))).body(CameraBody).entry(), frozenset(row.also)
    except Refused as refusal:
        own_field = refusal.field in ("nameZh", "nameEn") or refusal.field in own
        field = f"rows-{row.index}-{refusal.field}" if own_field else refusal.field
        raise Refused(refusal.code, refusal.message, status=refusal.status, field=field) from refusal


async def _page(
    visitor: Visitor,
    database: Database,
    recorder_id: str,
    rows: Sequence[Row] = (),
    *,
    found: Comparison | None = None,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        administrators.require_administrator(uow)
        line = camera_recorders.get_recorder(uow, recorder_id)
        cameras = service.list_cameras(uow, recorder_id=recorder_id)
        missing: list[Camera] = [one.row for one in cameras if one.row.unlisted_at is not None]
        return {"recorder": line.row, "missing": missing, "sites": plans.list_sites(uow, line.row.site_id)}

    context = await database.read(visitor.actor, read)
    return visitor.page(
        "cameras/listed.html",
        refusal.status if refusal else 200,
        **context,
        rows=rows,
        found=found,
        of_recorder=OF_RECORDER,
        classes=service.CLASSES,
        refusal=refusal,
        typed=typed,
    )

"""Serve the pages of recorders: list, form, test, retiring."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access import administrators
from services.domain.cameras import recorder_forms, recorder_probe, service
from services.domain.cameras import recorders as camera_recorders
from services.domain.cameras.api.recorders import GivenPlaces, RecorderBody
from services.domain.cameras.recorders import RecorderLine
from services.recorders import registry
from services.recorders.registry import KINDS
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import csv as web_csv
from services.web import lists
from services.web.dependencies import GivenDatabase, GivenRecorders
from services.web.forms import Typed, TypedForm
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/recorders")


class ListQuery(lists.ListQuery):
    SORTS: ClassVar = get_args(camera_recorders.Sort)
    FALLING: ClassVar = frozenset({"cameras", "clock"})

    retired: bool = False


@router.get("")
async def list_recorders(visitor: Visiting, database: GivenDatabase, query: Annotated[ListQuery, Query()]) -> Response:
    """Show recorders in use, or retired ones; ``form=csv`` exports all matches."""
    listing = query.listing(visitor.language)
    lines = await database.read(visitor.actor, camera_recorders.list_recorders, listing, retired=query.retired)
    if query.as_csv:
        return _csv(visitor, lines)
    outside = [kind for kind in KINDS.values() if kind.package is not None]
    return visitor.page(
        "cameras/recorders.html",
        kind_name=recorder_forms.get_name,
        outside=outside,
        broken=registry.OUTSIDE.broken,
        **query.shown(lines),
    )


@router.get("/new")
async def new_recorder(visitor: Visiting, database: GivenDatabase, kind: str = "folder") -> Response:
    """Show the form of a new recorder, with its kind's fields."""
    await database.read(visitor.actor, administrators.require_administrator)
    return _form(visitor, kind)


@router.post("/new")
async def add_recorder(visitor: Visiting, typed: Typed, database: GivenDatabase, places: GivenPlaces) -> Response:
    """Add a recorder and show its page, where it can be tested."""
    await database.read(visitor.actor, administrators.require_administrator)
    try:
        body = typed.body(RecorderBody)
        entry = await recorder_forms.build_entry(places, **body.model_dump())
        row = await database.run(visitor.actor, camera_recorders.add, entry)
    except Refused as refusal:
        return _form(visitor, typed.text("kind", "folder"), refusal=refusal, typed=typed)
    return visitor.redirect(f"/admin/recorders/{row.id}", Message("The recorder was added: test it."))


@router.get("/{recorder_id}")
async def read_recorder(recorder_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show a recorder: measurements, cameras, form, test button."""
    return await _page(recorder_id, visitor, database)


@router.post("/{recorder_id}")
async def change_recorder(
    recorder_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase, places: GivenPlaces
) -> Response:
    """Change a recorder from now on."""
    line = await database.run(visitor.actor, camera_recorders.get_for_change, recorder_id)
    try:
        body = typed.body(RecorderBody, kind=line.row.kind)
        entry = await recorder_forms.build_entry(places, **body.model_dump(), row=line.row)
        await database.run(visitor.actor, camera_recorders.change_recorder, recorder_id, entry)
    except Refused as refusal:
        return await _page(recorder_id, visitor, database, refusal, typed=typed)
    return visitor.redirect(f"/admin/recorders/{recorder_id}", Message("Saved: run the test again."))


@router.post("/{recorder_id}/active")
async def retire_recorder(recorder_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Retire or reactivate a recorder."""
    active = typed.text("active") == "true"
    try:
        await database.run(visitor.actor, camera_recorders.set_active, recorder_id, active)
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _page(recorder_id, visitor, database, refusal)
    message = Message("The recorder is in use again.") if active else Message("The recorder was retired.")
    return visitor.redirect(f"/admin/recorders/{recorder_id}", message)


@router.post("/{recorder_id}/test")
async def test_recorder(
    recorder_id: str, visitor: Visiting, database: GivenDatabase, recorders: GivenRecorders
) -> Response:
    """Test a recorder; htmx gets the findings alone."""
    result = await recorder_probe.test_recorder(database, visitor.actor, recorders, recorder_id)
    if visitor.is_htmx:
        return visitor.part("cameras/_findings.html", result=result)
    return await _page(recorder_id, visitor, database, result=result)


def _csv(visitor: Visitor, lines: Sequence[RecorderLine]) -> Response:
    translated = visitor.translated
    header = [
        translated("Name"), translated("Site"), translated("Type"), translated("Cameras"),
        translated("Clock offset in seconds"), translated("Last response"), translated("Problem"),
    ]  # fmt: skip
    rows: list[list[web_csv.Cell]] = [
        [
            line.row.name,
            line.row.site,
            recorder_forms.get_name(line.row.kind).translate(visitor.language),
            line.cameras,
            None if line.row.clock_offset_ms is None else line.row.clock_offset_ms / 1000,
            lists.written(visitor, line.row.last_seen_at),
            str(line.row.last_error[visitor.language]) if line.row.last_error else "",
        ]
        for line in lines
    ]
    return lists.csv_answer(visitor, translated("Recorders"), header, rows)


def _form(visitor: Visitor, kind: str, *, refusal: Refused | None = None, typed: TypedForm | None = None) -> Response:
    chosen = KINDS.get(kind, KINDS["folder"])
    return visitor.page(
        "cameras/recorder_new.html",
        refusal.status if refusal else 200,
        schema=chosen.schema,
        package=chosen.package,
        kinds=[recorder_kind.schema for recorder_kind in KINDS.values()],
        row=None,
        configuration={},
        secrets=[],
        refusal=refusal,
        typed=typed,
    )


async def _page(
    recorder_id: str,
    visitor: Visitor,
    database: Database,
    refusal: Refused | None = None,
    *,
    typed: TypedForm | None = None,
    result: Any = None,
) -> Response:
    def read(uow: UnitOfWork) -> tuple[RecorderLine, list[service.CameraLine]]:
        line = camera_recorders.get_recorder(uow, recorder_id)
        return line, service.list_cameras(uow, recorder_id=recorder_id, retired=not line.row.active)

    line, cameras = await database.read(visitor.actor, read)
    return visitor.page(
        "cameras/recorder.html",
        refusal.status if refusal else 200,
        row=line.row,
        kind_name=recorder_forms.get_name,
        package=kind.package if (kind := KINDS.get(line.row.kind)) else None,
        cameras=cameras,
        schema=recorder_forms.get_schema(line.row),
        configuration=recorder_forms.shown_configuration(line.row),
        secrets=recorder_forms.list_secrets_set(line.row),
        result=result,
        refusal=refusal,
        typed=typed,
    )

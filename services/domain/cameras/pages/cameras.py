"""Serve the pages of cameras: list, CSV import, form, reference picture."""

from typing import Annotated, Any, ClassVar, get_args

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access import administrators
from services.domain.cameras import csv_import, photographs, plans, reference_pictures, service
from services.domain.cameras import recorders as camera_recorders
from services.domain.cameras.api.cameras import CameraBody
from services.domain.cameras.pages import pictures
from services.runtime import csv_rows
from services.runtime.errors import Refused
from services.runtime.translations import Message
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.uploader import Uploading
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/cameras")


class ListQuery(lists.ListQuery):
    SORTS: ClassVar = get_args(service.Sort)
    FALLING: ClassVar = frozenset({"days"})

    retired: bool = False


@router.get("")
async def list_cameras(visitor: Visiting, database: GivenDatabase, query: Annotated[ListQuery, Query()]) -> Response:
    """Show the cameras; ``form=csv`` answers with all matches for the import."""
    listing = query.listing(visitor.language)
    lines = await database.read(visitor.actor, service.list_cameras, listing, retired=query.retired)
    if query.as_csv:
        return lists.csv_answer(visitor, "cameras", csv_import.COLUMNS, csv_import.rows_of(lines))
    return visitor.page("cameras/cameras.html", **query.shown(lines))


@router.get("/new")
async def new_camera(visitor: Visiting, database: GivenDatabase, recorder: str = "") -> Response:
    """Show the form of a new camera."""
    await database.read(visitor.actor, administrators.require_administrator)
    return await _form(visitor, database, recorder=recorder)


@router.post("/new")
async def add_camera(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Add a camera."""
    try:
        row = await database.run(visitor.actor, service.add, typed.body(CameraBody).entry())
    except Refused as refusal:
        if refusal.status == 403:
            raise
        return await _form(visitor, database, refusal=refusal, typed=typed)
    return visitor.redirect(f"/admin/cameras/{row.id}", Message("The camera was added."))


@router.get("/list")
async def new_list(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the form of the CSV import."""
    await database.read(visitor.actor, administrators.require_administrator)
    return visitor.page("cameras/camera_list.html", result=None, columns=csv_import.COLUMNS, refusal=None)


@router.post("/list")
async def import_list(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Check or import the CSV file; every wrong line is named."""
    file, result, import_refusal = typed.file("file"), None, None
    content = await file.read(csv_rows.MAX_BYTES + 1) if file else b""

    def act(uow: UnitOfWork) -> csv_import.ImportResult:
        return csv_import.import_cameras(uow, content, dry_run=typed.text("enter") != "true")

    try:
        result = await database.run(visitor.actor, act)
    except Refused as refusal:
        if refusal.status == 403:
            raise
        import_refusal = refusal
    if result is not None and result.done:
        return visitor.redirect(
            "/admin/cameras",
            Message("The list was imported: {new} new, {changed} changed.", new=result.new, changed=result.changed),
        )
    status = import_refusal.status if import_refusal else 422 if result and result.wrong else 200
    return visitor.page(
        "cameras/camera_list.html",
        status,
        result=result,
        columns=csv_import.COLUMNS,
        refusal=import_refusal,
        typed=typed,
    )


@router.get("/{camera_id}")
async def read_camera(camera_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show one camera and its form."""
    return await _form(visitor, database, camera_id)


@router.post("/{camera_id}")
async def change_camera(camera_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Change a camera from now on."""
    try:
        await database.run(visitor.actor, service.change_camera, camera_id, typed.body(CameraBody).entry())
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _form(visitor, database, camera_id, refusal=refusal, typed=typed)
    return visitor.redirect(f"/admin/cameras/{camera_id}", Message("Saved."))


@router.post("/{camera_id}/active")
async def retire_camera(camera_id: str, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Retire or reactivate a camera."""
    active = typed.text("active") == "true"
    try:
        await database.run(visitor.actor, service.set_active, camera_id, active)
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _form(visitor, database, camera_id, refusal=refusal)
    message = Message("The camera is in use again.") if active else Message("The camera was retired.")
    return visitor.redirect(f"/admin/cameras/{camera_id}", message)


@router.post("/{camera_id}/picture")
async def upload_picture(
    camera_id: Identifier, request: Request, uploader: Uploading, database: GivenDatabase
) -> Response:
    """Upload a reference picture, which replaces the previous one."""
    await database.run(uploader.actor, reference_pictures.require_upload_allowed, camera_id)

    async def save() -> None:
        picture = await photographs.read_photograph(request, uploader.check)
        await database.run(uploader.actor, reference_pictures.upload, camera_id, picture)

    return await pictures.saved(f"/admin/cameras/{camera_id}", save, Message("The reference image was saved."))


@router.post("/{camera_id}/picture/remove")
async def remove_picture(camera_id: str, visitor: Visiting, database: GivenDatabase) -> Response:
    """Remove a reference picture."""
    await database.run(visitor.actor, reference_pictures.remove, camera_id)
    return visitor.redirect(f"/admin/cameras/{camera_id}", Message("The reference image was deleted."))


async def _form(
    visitor: Visitor,
    database: Database,
    camera_id: str | None = None,
    *,
    recorder: str = "",
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        line = None if camera_id is None else service.get_camera(uow, camera_id)
        return {
            "line": line,
            "recorders": [one.row for one in camera_recorders.list_recorders(uow)],
            "sites": plans.list_sites(uow, line.row.site_id if line else None),
            "on_plans": plans.plans_of(uow, [camera_id]).get(camera_id, []) if camera_id else [],
        }

    shown = await database.read(visitor.actor, read)
    return visitor.page(
        "cameras/camera.html",
        refusal.status if refusal else 200,
        **shown,
        recorder=recorder,
        classes=service.CLASSES,
        refusal=refusal,
        typed=typed,
    )

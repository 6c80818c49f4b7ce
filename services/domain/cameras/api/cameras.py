"""Serve cameras, their reference pictures and the CSV list as JSON."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field
from starlette.requests import Request

from services.database.unit_of_work import UnitOfWork
from services.domain.cameras import csv_import, photographs, reference_pictures, service
from services.domain.cameras.api.recorders import ActiveBody
from services.web import csv as web_csv
from services.web.dependencies import GivenDatabase
from services.web.errors import problems, problems_beside
from services.web.identity import Acting
from services.web.schemas import Answer, Body, Identifier, Line, ListParameters, Moment, WrongLine

router = APIRouter(prefix="/api/admin/cameras", tags=["administration"])

CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {}}, "description": "The list"}}
FILE = {"schema": {"type": "string", "format": "binary"}}
FORM = {"schema": {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}}


class CamerasQuestion(ListParameters):
    """``text`` is searched in names, places, channels and recorders."""

    sort: service.Sort = "recorder"
    retired: bool = False


class CameraBody(Body):
    """A camera. ``retention_days``: for how long its recorder keeps recordings.

    ``site_id``: where the camera is; null for the site of its recorder.
    """

    recorder_id: Identifier
    channel: Line
    name_zh: Line
    name_en: Line
    place_zh: Line
    place_en: Line
    camera_class: Line = "ordinary"
    retention_days: Annotated[int, Field(ge=1, le=service.MAX_RETENTION_DAYS)]
    site_id: Identifier | None = None

    def entry(self) -> service.CameraEntry:
        return service.CameraEntry(**self.model_dump())


class CameraRowAnswer(Answer):
    id: str
    recorder_id: str
    recorder: str
    site: str
    channel: str
    name_zh: str
    name_en: str
    place_zh: str
    place_en: str
    camera_class: str
    retention_days: int
    site_id: str | None
    unlisted_at: Moment | None
    active: bool
    has_picture: bool


class ImportAnswer(Answer):
    """The result of an import or a dry run.

    ``done``: every camera of the file was stored.
    """

    new: int
    changed: int
    unchanged: int
    wrong: list[WrongLine]
    done: bool


def row_answer(line: service.CameraLine) -> CameraRowAnswer:
    row, recorder = line.row, line.recorder
    return CameraRowAnswer(
        id=row.id,
        recorder_id=row.recorder_id,
        recorder=recorder.name,
        site=recorder.site,
        channel=row.channel,
        name_zh=row.name_zh,
        name_en=row.name_en,
        place_zh=row.place_zh,
        place_en=row.place_en,
        camera_class=row.camera_class,
        retention_days=row.retention_days,
        site_id=row.site_id,
        unlisted_at=row.unlisted_at,
        active=row.active and recorder.active,
        has_picture=line.has_picture,
    )


@router.get("", responses=problems(401, 403))
async def list_cameras(
    question: Annotated[CamerasQuestion, Query()], actor: Acting, database: GivenDatabase
) -> list[CameraRowAnswer]:
    """List the cameras in use, or the retired ones."""
    lines = await database.read(actor, service.list_cameras, question.listing(), retired=question.retired)
    return [row_answer(line) for line in lines]


@router.get("/list.csv", response_class=Response, responses={**problems_beside(401, 403), **CSV})
async def export_cameras(actor: Acting, database: GivenDatabase) -> Response:
    """Export all cameras in use, in the columns of the import."""
    lines = await database.read(actor, service.list_cameras)
    return web_csv.csv_answer("cameras", csv_import.COLUMNS, csv_import.rows_of(lines))


@router.post(
    "/list",
    responses=problems(401, 403),
    openapi_extra={"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def import_cameras(
    request: Request, actor: Acting, database: GivenDatabase, dry_run: bool = True
) -> ImportAnswer:
    """Import cameras from the CSV file in the body.

    A dry run names every wrong line and changes nothing.
    """
    content = await request.body()

    def act(uow: UnitOfWork) -> csv_import.ImportResult:
        return csv_import.import_cameras(uow, content, dry_run=dry_run)

    return ImportAnswer.model_validate(await database.run(actor, act))


@router.get("/{camera_id}", responses=problems(401, 403, 404))
async def read_camera(camera_id: str, actor: Acting, database: GivenDatabase) -> CameraRowAnswer:
    """Return one camera."""
    return row_answer(await database.read(actor, service.get_camera, camera_id))


@router.post("", status_code=201, responses=problems(401, 403, 409))
async def add_camera(body: CameraBody, actor: Acting, database: GivenDatabase) -> CameraRowAnswer:
    """Add a camera. Administrators only."""
    row = await database.run(actor, service.add, body.entry())
    return row_answer(await database.run(actor, service.get_camera, row.id))


@router.put("/{camera_id}", responses=problems(401, 403, 404, 409))
async def change_camera(camera_id: str, body: CameraBody, actor: Acting, database: GivenDatabase) -> CameraRowAnswer:
    """Change a camera from now on."""
    await database.run(actor, service.change_camera, camera_id, body.entry())
    return row_answer(await database.run(actor, service.get_camera, camera_id))


@router.post("/{camera_id}/active", responses=problems(401, 403, 404, 409))
async def retire_camera(camera_id: str, body: ActiveBody, actor: Acting, database: GivenDatabase) -> CameraRowAnswer:
    """Retire or reactivate a camera."""
    await database.run(actor, service.set_active, camera_id, body.active)
    return row_answer(await database.run(actor, service.get_camera, camera_id))


@router.put(
    "/{camera_id}/picture",
    responses=problems(401, 403, 404, 409),
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"image/jpeg": FILE, "image/png": FILE, "multipart/form-data": FORM},
        }
    },
)
async def upload_picture(
    camera_id: Identifier, request: Request, actor: Acting, database: GivenDatabase
) -> CameraRowAnswer:
    """Upload the camera's reference picture, which replaces the previous one.

    A JPEG or PNG as the body, or as the file of a form: a photograph made at installation, shown to every applicant,
    never footage. It is stored as a new JPEG of at most 640 by 360.
    """
    await database.run(actor, reference_pictures.require_upload_allowed, camera_id)
    await database.run(actor, reference_pictures.upload, camera_id, await photographs.read_photograph(request))
    return row_answer(await database.run(actor, service.get_camera, camera_id))


@router.delete("/{camera_id}/picture", status_code=204, responses=problems(401, 403, 404))
async def remove_picture(camera_id: Identifier, actor: Acting, database: GivenDatabase) -> None:
    """Remove the camera's reference picture."""
    await database.run(actor, reference_pictures.remove, camera_id)

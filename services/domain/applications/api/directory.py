"""The directory: departments, people who may be named as custodian, cameras with the pictures to know them by."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.schemas import DepartmentAnswer
from services.domain.applications import directory
from services.domain.applications.schemas import CameraChoice, Colleague
from services.domain.cameras import reference_pictures
from services.web.dependencies import GivenDatabase
from services.web.errors import problems, problems_beside
from services.web.identity import Acting
from services.web.paging import Paged, PlaceText
from services.web.schemas import LAST_OFFSET, Answer, Identifier, SearchText

router = APIRouter(prefix="/api", tags=["directory"])

PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}, "description": "The picture"}}


class CameraQuestion(BaseModel):
    text: SearchText = ""
    limit: Annotated[int, Field(ge=1, le=1000)] | None = None
    place: PlaceText = ""


class Directory(Answer):
    departments: list[DepartmentAnswer]
    people: list[Colleague]


@router.get("/directory", responses=problems(401))
async def read_directory(
    actor: Acting, database: GivenDatabase, department_id: Identifier | None = None, text: SearchText = ""
) -> Directory:
    """Return all departments, and the people of all or of one; with `text` those whose names have it."""

    def read(uow: UnitOfWork) -> Directory:
        return Directory(
            departments=[DepartmentAnswer.model_validate(row) for row in directory.departments(uow)],
            people=directory.colleagues(uow, department_id=department_id, text=text),
        )

    return await database.read(actor, read)


@router.get("/cameras", responses=problems(401))
async def list_cameras(
    question: Annotated[CameraQuestion, Query()], actor: Acting, database: GivenDatabase, paged: Paged
) -> list[CameraChoice]:
    """Return the cameras that can be asked for, by site and name; with `text` those whose names or places have it.

    With `limit` it is a page, and the header `Link` has the addresses of the pages around it (RFC 8288).
    """
    limit = question.limit or LAST_OFFSET
    page = await database.read(actor, directory.page_of_cameras, question.text, limit=limit, place=question.place)
    return paged.lines(page)


@router.get(
    "/cameras/{camera_id}/reference", response_class=Response, responses={**problems_beside(401, 404), **PICTURE}
)
async def read_reference(camera_id: Identifier, actor: Acting, database: GivenDatabase) -> Response:
    """Return the photograph by which people know the camera's place; it is no footage."""
    return Response(await database.read(actor, reference_pictures.read, camera_id), media_type="image/jpeg")

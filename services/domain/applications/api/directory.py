"""The directory: departments, people who may be named as custodian, cameras with the pictures to know them by."""

from dataclasses import replace
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from services.database.keyset import Page
from services.database.listing import Listing
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.schemas import DepartmentAnswer
from services.domain.applications import directory
from services.domain.applications.schemas import CameraChoice, Colleague
from services.domain.cameras import reference_pictures
from services.web.dependencies import GivenDatabase
from services.web.errors import problems, problems_beside
from services.web.identity import Acting
from services.web.paging import Paged
from services.web.schemas import Answer, Identifier, PageParameters, SearchText

router = APIRouter(prefix="/api", tags=["directory"])

PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}, "description": "The picture"}}


class CameraQuestion(PageParameters):
    """``text`` is searched in names, places and sites."""

    text: SearchText = ""

    def listing(self) -> Listing:
        return replace(super().listing(), text=self.text)


class PeopleQuestion(CameraQuestion):
    """``text`` is searched in names; of all people, or of one department."""

    department_id: Annotated[Identifier | None, Field(alias="department_id")] = None


class Directory(Answer):
    departments: list[DepartmentAnswer]
    people: list[Colleague]


@router.get("/directory", responses=problems(401))
async def read_directory(
    question: Annotated[PeopleQuestion, Query()],
    actor: Acting,
    database: GivenDatabase,
    paged: Paged,
) -> Directory:
    """Return all departments, and the people of all or of one, by name; with `text` those whose names have it.

    The header `Link` has the addresses of the pages of people around this one (RFC 8288, `prev` and `next`).
    """

    def read(uow: UnitOfWork) -> tuple[list[DepartmentAnswer], Page[Colleague]]:
        rows = [DepartmentAnswer.model_validate(row) for row in directory.departments(uow)]
        return rows, directory.page_of_people(uow, question.listing(), department_id=question.department_id)

    departments, page = await database.read(actor, read)
    return Directory(departments=departments, people=paged.lines(page))


@router.get("/cameras", responses=problems(401))
async def list_cameras(
    question: Annotated[CameraQuestion, Query()], actor: Acting, database: GivenDatabase, paged: Paged
) -> list[CameraChoice]:
    """Return the cameras that can be asked for, by site and name; with `text` those whose names or places have it.

    The header `Link` has the addresses of the pages around this one (RFC 8288, `prev` and `next`).
    """
    return paged.lines(await database.read(actor, directory.page_of_cameras, question.listing()))


@router.get(
    "/cameras/{camera_id}/reference", response_class=Response, responses={**problems_beside(401, 404), **PICTURE}
)
async def read_reference(camera_id: Identifier, actor: Acting, database: GivenDatabase) -> Response:
    """Return the photograph by which people know the camera's place; it is no footage."""
    return Response(await database.read(actor, reference_pictures.read, camera_id), media_type="image/jpeg")

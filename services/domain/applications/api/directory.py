"""The directory: departments, people who may be named as custodian, cameras with the pictures to know them by."""

from dataclasses import replace
from typing import Annotated, Any, Self

from fastapi import APIRouter, Query, Response
from pydantic import Field

from services.database.keyset import Page
from services.database.listing import Listing
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.schemas import DepartmentAnswer
from services.domain.applications import directory
from services.domain.applications.schemas import CameraChoice, Colleague
from services.domain.cameras import favourites, plans, reference_pictures
from services.runtime.errors import NotFound
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.errors import problems, problems_beside
from services.web.identity import Acting
from services.web.paging import Paged
from services.web.schemas import Answer, Identifier, PageParameters, SearchText

router = APIRouter(prefix="/api", tags=["directory"])

PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/jpeg": {}}, "description": "The picture"}}


class TextQuestion(PageParameters):
    text: SearchText = ""

    def listing(self) -> Listing:
        return replace(super().listing(), text=self.text)


class CameraQuestion(TextQuestion):
    """Each word of ``text`` is searched in names, places, sites, buildings and floors.

    ``favourites``: only those that the signed-in person has marked.
    """

    favourites: bool = False


class PeopleQuestion(TextQuestion):
    """``text`` is searched in names; of all people, or of one department."""

    department_id: Annotated[Identifier | None, Field(alias="department_id")] = None


class PlanAnswer(Answer):
    """The plan of a floor; ``building`` may be empty, ``level`` orders the floors of a building."""

    id: str
    site: str
    building_zh: str
    building_en: str
    floor_zh: str
    floor_en: str
    level: int
    width: int | None
    height: int | None

    @classmethod
    def of(cls, line: plans.PlanLine) -> Self:
        row = line.row
        return cls(
            id=row.id,
            site=line.site,
            building_zh=row.building_zh,
            building_en=row.building_en,
            floor_zh=row.floor_zh,
            floor_en=row.floor_en,
            level=row.level,
            width=row.width,
            height=row.height,
        )


class PinAnswer(Answer):
    camera_id: str
    x: int
    y: int


class PlanWithPinsAnswer(PlanAnswer):
    pins: list[PinAnswer]


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

    def read(uow: UnitOfWork) -> Page[CameraChoice]:
        return directory.page_of_cameras(uow, question.listing(), favourites=question.favourites)

    return paged.lines(await database.read(actor, read))


@router.put("/cameras/{camera_id}/favourite", status_code=204, responses=problems(401, 403, 404, 409))
async def mark_favourite(camera_id: Identifier, actor: Acting, database: GivenDatabase) -> None:
    """Mark a camera as a favourite of the signed-in person."""
    await database.run(actor, favourites.mark, camera_id, marked=True)


@router.delete("/cameras/{camera_id}/favourite", status_code=204, responses=problems(401, 403))
async def unmark_favourite(camera_id: Identifier, actor: Acting, database: GivenDatabase) -> None:
    """Take the mark of a favourite off a camera."""
    await database.run(actor, favourites.mark, camera_id, marked=False)


@router.get("/plans", responses=problems(401))
async def list_plans(actor: Acting, database: GivenDatabase) -> list[PlanAnswer]:
    """Return the plans of floors on which there are cameras that can be asked for."""
    return [PlanAnswer.of(line) for line in await database.read(actor, plans.list_shown)]


@router.get("/plans/{plan_id}", responses=problems(401, 404))
async def read_plan(plan_id: Identifier, actor: Acting, database: GivenDatabase) -> PlanWithPinsAnswer:
    """Return a plan with the places of its cameras, in thousandths of its width and height."""
    shown = await database.read(actor, plans.find_shown, plan_id)
    if shown is None:
        raise NotFound(Message("floor plan"), plan_id)
    return PlanWithPinsAnswer(
        **PlanAnswer.of(plans.PlanLine(shown.row, shown.site, len(shown.pins))).model_dump(by_alias=False),
        pins=[PinAnswer(camera_id=pin.camera.id, x=pin.x, y=pin.y) for pin in shown.pins],
    )


@router.get("/plans/{plan_id}/picture", response_class=Response, responses={**problems_beside(401, 404), **PICTURE})
async def read_plan_picture(plan_id: Identifier, actor: Acting, database: GivenDatabase) -> Response:
    """Return the picture of a plan."""
    return Response(await database.read(actor, plans.read_picture, plan_id), media_type="image/jpeg")


@router.get(
    "/cameras/{camera_id}/reference", response_class=Response, responses={**problems_beside(401, 404), **PICTURE}
)
async def read_reference(camera_id: Identifier, actor: Acting, database: GivenDatabase) -> Response:
    """Return the photograph by which people know the camera's place; it is no footage."""
    return Response(await database.read(actor, reference_pictures.read, camera_id), media_type="image/jpeg")

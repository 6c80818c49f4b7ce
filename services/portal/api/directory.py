"""The directory: departments, people who may be named as custodian, cameras."""

from fastapi import APIRouter

from services.portal.api.dependencies import Books
from services.portal.api.errors import problems
from services.portal.api.session import Acting
from services.portal.api.shapes import Answer, Identifier
from services.register import directory
from services.register.unit import Unit

router = APIRouter(prefix="/api", tags=["directory"])


class DepartmentAnswer(Answer):
    id: str
    name_zh: str
    name_en: str
    kind: str
    superior_id: str | None


class ColleagueAnswer(Answer):
    """``agreement``: has a valid confidentiality agreement, without which nobody accepts a copy."""

    id: str
    name: str
    department_id: str
    agreement: bool
    may_be_custodian: bool


class Directory(Answer):
    departments: list[DepartmentAnswer]
    people: list[ColleagueAnswer]


class CameraAnswer(Answer):
    """``zone`` is the time zone that spans of this camera are typed in; ``referencePicture``: it has a still."""

    id: str
    name_zh: str
    name_en: str
    place_zh: str
    place_en: str
    camera_class: str
    site: str
    zone: str
    retention_days: int
    reference_picture: bool


@router.get("/directory", responses=problems(401))
async def read_directory(actor: Acting, books: Books, department_id: Identifier | None = None) -> Directory:
    """All departments, and the people of all or of one."""

    def read(unit: Unit) -> Directory:
        return Directory(
            departments=[DepartmentAnswer.model_validate(row) for row in directory.departments(unit)],
            people=[
                ColleagueAnswer.model_validate(row) for row in directory.colleagues(unit, department_id=department_id)
            ],
        )

    return await books.run(actor, read)


@router.get("/cameras", responses=problems(401))
async def list_cameras(actor: Acting, books: Books) -> list[CameraAnswer]:
    """The cameras that can be asked for."""
    return await books.run(actor, lambda unit: [CameraAnswer.model_validate(row) for row in directory.cameras(unit)])

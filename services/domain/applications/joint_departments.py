"""The departments of a joint application: which may be named, and who answers for each (R17)."""

from services.database.tables.applications import Application
from services.database.tables.people import Department
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.policy import consent_givers
from services.runtime.errors import Refused
from services.runtime.translations import Bilingual, Message, Text

MOST = 10  # departments of one application beside the applicant's own


def check(uow: UnitOfWork, department_ids: tuple[str, ...], own_department_id: str) -> None:
    """Refused for departments that are not there, are named twice, are too many, or are the applicant's own."""
    if len(department_ids) > MOST:
        raise refused(
            "too-many-departments",
            Message("A joint application names at most {most} departments: leave some out.", most=MOST),
        )
    for department_id in department_ids:
        if uow.session.get(Department, department_id) is None:
            raise refused(
                "unknown",
                Message(
                    "There is no department {department_id}: choose one from the list.", department_id=department_id
                ),
            )
    if own_department_id in department_ids:
        raise refused(
            "own-department",
            Message("Your own department is the applicant: name only the others as joint departments."),
        )
    if len(set(department_ids)) != len(department_ids):
        raise refused("department-twice", Message("A department is named twice: remove one."))


def answerers(uow: UnitOfWork, application: Application, department_id: str) -> list[str]:
    """Who may answer for the department now: the heads; where none can, the deputies; else the heads above."""
    outside = {application.drafter_id, *application.subject_ids}
    return consent_givers(access_queries.directory(uow), department_id, outside)


def require_answerers(uow: UnitOfWork, application: Application, department_id: str) -> list[str]:
    """As ``answerers``; Refused where nobody could answer for the department."""
    who = answerers(uow, application, department_id)
    if not who:
        department = uow.session.get_one(Department, department_id)
        raise refused(
            "nobody-consents",
            Message(
                "{name} has no head or deputy who could consent: have one named by the administrator first.",
                name=Bilingual(department.name_zh, department.name_en),
            ),
        )
    return who


def refused(code: str, message: Text) -> Refused:
    """A refusal of the form's list of departments."""
    return Refused(code, message, status=422, field="jointDepartmentIds")

"""Define departments and people of the JSON API."""

from typing import Annotated

from pydantic import Field

from services.domain.accounts.staff import Details
from services.web.language import KnownLanguage
from services.web.schemas import Answer, Body, Identifier, Line

Email = Annotated[str, Field(max_length=200, pattern=r"^[^@\s<>\"']+@[^@\s<>\"']+$")]


class PersonBody(Body):
    name: Line
    department_id: Identifier
    email: Email | None = None
    locale: KnownLanguage = "zh"

    def details(self) -> Details:
        return Details(self.name, self.department_id, self.email, self.locale)


class NewPerson(PersonBody):
    login: Line


class DepartmentAnswer(Answer):
    id: str
    name_zh: str
    name_en: str
    kind: str
    superior_id: str | None

"""Define departments and people of the JSON API."""

from typing import Annotated

from pydantic import Field

from services.domain.accounts.staff import Details
from services.web.language import KnownLanguage
from services.web.schemas import Answer, Body, Identifier, Name

Email = Annotated[str, Field(max_length=200, pattern=r"^[^@\s<>\"']+@[^@\s<>\"']+$")]

# None of what separates several people in a message's address, and not "@all", which is everybody.
ChatId = Annotated[str, Field(max_length=128, pattern=r"^[^@\s|,;<>\"'\\][^\s|,;<>\"'\\]*$")]


class PersonBody(Body):
    """``chatId``: the person's id in the organisation's chat app."""

    name: Name
    department_id: Identifier
    email: Email | None = None
    locale: KnownLanguage = "zh"
    chat_id: ChatId | None = None

    def details(self) -> Details:
        return Details(self.name, self.department_id, self.email, self.locale, self.chat_id)


class NewPerson(PersonBody):
    login: Name


class DepartmentAnswer(Answer):
    id: str
    name_zh: str
    name_en: str
    kind: str
    superior_id: str | None

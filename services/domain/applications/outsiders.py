"""On behalf of people outside: who they are, what letter they bring, and what lacks of it (R3, R21, R58).

Of the number of a card the form and all lists have the end alone; ``on_behalf`` changes what is read here.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from services.database.tables.applications import Application
from services.database.tables.attachments import Attachment
from services.database.tables.outsiders import Outsider
from services.database.tables.people import Department
from services.database.unit_of_work import UnitOfWork
from services.domain.applications.findings import CheckFinding
from services.domain.process.permissions import CREDENTIALS
from services.domain.stages.catalogue import STAGES
from services.runtime.translations import Message, Text

FORM_VERSION = 2  # of forms that say on whose behalf they are; those without are as they always were
AUTHORITY = "authority"
KINDS: Mapping[str, Message] = {
    AUTHORITY: Message("An authority (police, court, prosecutor)"),
    "filmed-person": Message("A person who was filmed"),
    "counterpart": Message("Another party (insurer, lawyer)"),
}
WITH_LETTER = (AUTHORITY, "counterpart")
CARDS: Mapping[str, Message] = {
    "police-card": Message("Police card"),
    "work-card": Message("Work card"),
    "resident-card": Message("Resident identity card"),
    "lawyer-card": Message("Lawyer card"),
    "passport": Message("Passport"),
}
LEAST_OFFICERS = 2
MOST_NAMED = 20  # people of one application


def list_of(uow: UnitOfWork, application_id: str) -> list[Outsider]:
    """List the people whom the application names, in the order in which they were added."""
    query = select(Outsider).where(Outsider.application_id == application_id)
    return list(uow.session.scalars(query.order_by(Outsider.position)))


def count(uow: UnitOfWork, application_id: str) -> int:
    query = select(func.count()).select_from(Outsider).where(Outsider.application_id == application_id)
    return uow.session.scalar(query) or 0


def last_position(uow: UnitOfWork, application_id: str) -> int:
    """Return the place of the person who was added last; 0 where there is none."""
    query = select(func.max(Outsider.position)).where(Outsider.application_id == application_id)
    return uow.session.scalar(query) or 0


def to_json(uow: UnitOfWork, application: Application) -> dict[str, Any]:
    """Return the form's part; empty for a form on nobody's behalf, which keeps its hash."""
    if application.on_behalf is None:
        return {}
    return {
        "formVersion": FORM_VERSION,
        "onBehalf": {
            "kind": application.on_behalf,
            "letter": {
                "title": application.letter_title,
                "number": application.letter_number,
                "date": application.letter_date,
                "sealChecked": bool(application.letter_seal_checked),
            },
            "outsiders": [person_to_json(row) for row in list_of(uow, application.id)],
        },
    }


def person_to_json(row: Outsider) -> dict[str, str]:
    """Return a person as signed forms and lists show them: of the card's number its end."""
    return {
        "id": row.id,
        "name": row.name,
        "unit": row.unit,
        "cardKind": row.card_kind,
        "cardTail": row.card_tail,
        "contact": row.contact,
    }


def check(uow: UnitOfWork, application: Application) -> Iterator[CheckFinding]:
    """Yield what lacks of an application on behalf of people outside."""
    if application.on_behalf is None:
        return
    if CREDENTIALS not in STAGES:
        yield _blocks(
            "stage-lacking",
            Message(
                "The review stage {stage} is not set up here: ask the administrator to add it to review-stages.json.",
                stage=CREDENTIALS,
            ),
        )
    if not _is_of_security(uow, application):
        yield _blocks(
            "outsiders-elsewhere",
            Message("Only Security asks on behalf of people outside: send them to Security."),
        )
    people = list_of(uow, application.id)
    if application.on_behalf == AUTHORITY and len(people) < LEAST_OFFICERS:
        yield _blocks(
            "officers-missing",
            Message("An authority sends at least two officers: add both with their cards."),
        )
    elif not people:
        yield _blocks("outsiders-missing", Message("Add the person on whose behalf you ask, with the card."))
    if len({(row.card_kind, row.name, row.card_tail) for row in people}) < len(people):
        yield _blocks("outsider-twice", Message("The same person is entered twice: remove one of the entries."))
    if application.on_behalf in WITH_LETTER:
        yield from _letter(uow, application)


def _letter(uow: UnitOfWork, application: Application) -> Iterator[CheckFinding]:
    for text, message in (
        (application.letter_title, Message("Enter the title of the letter.")),
        (application.letter_number, Message("Enter the number of the letter.")),
        (application.letter_date, Message("Enter the date of the letter.")),
    ):
        if not text:
            yield _blocks("letter-incomplete", message)
    today = uow.now.astimezone(ZoneInfo(uow.rules.zone)).date()
    if application.letter_date and date.fromisoformat(application.letter_date) > today:
        yield _blocks("letter-in-future", Message("The letter is dated in the future: check its date."))
    if not application.letter_seal_checked:
        yield _blocks("seal-unchecked", Message("Check the seal of the letter, then mark it as checked."))
    held = select(Attachment.id).where(Attachment.application_id == application.id, Attachment.kind == "letter")
    if uow.session.scalar(held.limit(1)) is None:
        yield CheckFinding("letter-not-attached", "warns", Message("The letter is not attached: add a scan or photo."))


def _is_of_security(uow: UnitOfWork, application: Application) -> bool:
    department = uow.session.get(Department, application.department_id)
    return department is not None and department.kind == "security"


def _blocks(code: str, message: Text) -> CheckFinding:
    return CheckFinding(code, "blocks", message)

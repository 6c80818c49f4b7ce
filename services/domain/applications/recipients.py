"""Recipients: the people to whom the custodian may show the footage, a closed list of the form (R21, R57).

The system opens copies to the custodian, and to those on the list whom the custodian lets view them.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.applications import forms
from services.domain.applications.findings import CheckFinding
from services.runtime.translations import Joined, Message


@dataclass(frozen=True)
class Recipient:
    """``agreement``: a valid confidentiality agreement, without which nobody is shown footage (R59)."""

    id: str
    name: str
    agreement: bool


def list_of(uow: UnitOfWork, application: Application) -> list[Recipient]:
    """Return whom the application names, without those who have left since."""
    return list_of_all(uow, [application])[application.id]


def list_of_all(uow: UnitOfWork, applications: Collection[Application]) -> dict[str, list[Recipient]]:
    """As ``list_of``, of each of the applications by id, in two statements."""
    named = dict.fromkeys(person_id for application in applications for person_id in application.recipients)
    active = {person.id: person for person in list_people(uow, named) if person.active}
    agreed = access_queries.list_agreed(uow, active.keys())
    return {
        application.id: [Recipient(i, active[i].name, i in agreed) for i in application.recipients if i in active]
        for application in applications
    }


def names(uow: UnitOfWork, application: Application) -> tuple[str, ...]:
    """Return the names on the list as it was handed in, whoever has left since."""
    return tuple(person.name for person in _named(uow, application))


def list_signed(uow: UnitOfWork, application_id: str) -> list[str]:
    """Return whom the newest form names that was submitted, by id: the one that decisions are signed over.

    What is only drafted, and what an earlier round named, does not count.
    """
    revision = forms.current_revision(uow, application_id)
    return [] if revision is None else [person["id"] for person in revision.form.get("recipients") or ()]


def find_unfit(uow: UnitOfWork, application: Application) -> Iterator[CheckFinding]:
    """Return findings of who may not be named: people who left, subjects (T8), administrators (R2)."""
    named = _named(uow, application)
    administrators = access_queries.load_directory(uow).administrators
    kinds = (
        ("left", Message("has left"), [person for person in named if not person.active]),
        (
            "is-subject",
            Message("is a person concerned in the case"),
            [person for person in named if person.id in application.subject_ids],
        ),
        (
            "is-administrator",
            Message("is an administrator"),
            [person for person in named if person.id in administrators],
        ),
    )
    for code, message, people in kinds:
        for person in people:
            yield CheckFinding(
                f"recipient-{code}",
                "blocks",
                Message(
                    "{name} {what} and cannot view the footage: remove the person from the list.",
                    name=person.name,
                    what=message,
                ),
            )


def find_without_agreement(uow: UnitOfWork, application: Application) -> Iterator[CheckFinding]:
    """Return findings of who has to sign the confidentiality agreement first (R59)."""
    missing = [recipient.name for recipient in list_of(uow, application) if not recipient.agreement]
    if missing:
        yield CheckFinding(
            "recipient-agreement-missing",
            "warns",
            Message(
                "No valid confidentiality agreement: {missing}. They cannot view the footage until they sign it.",
                missing=Joined(", ", missing),
            ),
        )


def list_people(uow: UnitOfWork, person_ids: Iterable[str]) -> list[Person]:
    """Return the people of these identifiers, whoever has left among them; what is no person is left out."""
    wanted = list(person_ids)
    if not wanted:
        return []
    people = {person.id: person for person in uow.session.scalars(select(Person).where(Person.id.in_(wanted)))}
    return [people[person_id] for person_id in wanted if person_id in people]


def _named(uow: UnitOfWork, application: Application) -> list[Person]:
    return list_people(uow, application.recipients)

"""What a person holds that an account must not end with: copies on loan, and copies that wait for the receipt (R46)."""

from sqlalchemy import ColumnElement, SQLColumnExpression, and_, or_, select

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.runtime.errors import Refused
from services.runtime.translations import Bilingual, Counted, Joined, Text

MOST_NAMED = 20


def list_numbers(uow: UnitOfWork, person_id: str) -> list[str]:
    """List the numbers of the cases whose copies the person has accepted and not returned, or may still accept."""
    query = (
        select(Application.number)
        .join(HandOver, HandOver.application_id == Application.id)
        .where(HandOver.custodian_id == person_id, holds(uow))
        .order_by(HandOver.offered_at, Application.id)
    )
    return [str(number) for number in uow.session.scalars(query)]


def are_held(uow: UnitOfWork, person_id: SQLColumnExpression[str]) -> ColumnElement[bool]:
    """Build the condition on a column of people's ids that ``list_numbers`` has something of them."""
    return select(HandOver.id).where(HandOver.custodian_id == person_id, holds(uow)).exists()


def holds(uow: UnitOfWork) -> ColumnElement[bool]:
    """Build the condition that a hand-over's copies are with its custodian, or may still be accepted."""
    held = and_(HandOver.accepted_at.is_not(None), HandOver.returned_at.is_(None))
    offered = and_(HandOver.accepted_at.is_(None), HandOver.declined_at.is_(None), HandOver.take_up_until > uow.now)
    return and_(HandOver.ended_at.is_(None), or_(held, offered))


def require_none(uow: UnitOfWork, person: Person) -> None:
    """Raise Refused, with the cases, while the person is the custodian of copies."""
    numbers = list_numbers(uow, person.id)
    if numbers:
        raise Refused(
            "holds-copies",
            "{name} is still the custodian of copies: transfer them to another custodian first, or have them returned; "
            "where they are not accepted yet, have another custodian named. Cases: {cases}.",
            name=person.name,
            cases=_in_words(numbers),
        )


def _in_words(numbers: list[str]) -> Text:
    named: list[Text] = [Bilingual(number, number) for number in numbers[:MOST_NAMED]]
    more = len(numbers) - len(named)
    if more:
        named.append(Counted("{count} more", "{count} more", more))
    return Joined(", ", named)

"""A person's own searches of the register, and the columns that the person wants to see there."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import func, select

from services.database.tables.people import Person
from services.database.tables.saved_searches import SavedSearch
from services.database.unit_of_work import UnitOfWork
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

MOST = 30  # of one person
LONGEST_NAME = 60
LONGEST_QUERY = 2000
# the parameters of the register's page that make a search, without the place of a page
PARAMETERS = (
    *("text", "state", "department", "purpose", "since", "until", "camera", "footage_since", "footage_until"),
    *("incident", "document", "sort", "order"),
)
# what the register shows beside number and title, in this order
COLUMNS = ("footage", "state", "department", "purpose", "custodian", "submitted", "overwrite", "due", "incident")
USUAL = COLUMNS[:-1]


@dataclass(frozen=True)
class Choices:
    """What a person has chosen for the register: the saved searches by name, and the columns."""

    searches: Sequence[SavedSearch]
    columns: Sequence[str]


def get_choices(uow: UnitOfWork) -> Choices:
    """Return the actor's choices; one statement for each."""
    chosen = uow.session.scalar(select(Person.register_columns).where(Person.id == uow.actor.id))
    return Choices(list_own(uow), USUAL if chosen is None else [code for code in COLUMNS if code in chosen])


def list_own(uow: UnitOfWork) -> Sequence[SavedSearch]:
    """List the actor's saved searches, by name."""
    query = select(SavedSearch).where(SavedSearch.person_id == uow.actor.id)
    return uow.session.scalars(query.order_by(SavedSearch.name, SavedSearch.id)).all()


def save(uow: UnitOfWork, name: str, query: str) -> SavedSearch:
    """Save a search by a name that no other of the actor's has; ``query`` is a query string of the register's page.

    Parameters that the register does not know are left out. Refused beyond ``MOST``.
    """
    _lock(uow)
    if (uow.session.scalar(select(func.count()).where(SavedSearch.person_id == uow.actor.id)) or 0) >= MOST:
        raise Refused("too-many-searches", "You have {most} saved searches: delete one first.", most=MOST)
    row = SavedSearch(
        person_id=str(uow.actor.id), name=_free_name(uow, name), query=known_part(query), saved_at=uow.now
    )
    uow.session.add(row)
    uow.session.flush()
    return row


def rename(uow: UnitOfWork, search_id: str, name: str) -> SavedSearch:
    """Give an own saved search another name; NotFound for those of others."""
    _lock(uow)
    row = _get_own(uow, search_id)
    if name.strip() != row.name:
        row.name = _free_name(uow, name)
    return row


def delete(uow: UnitOfWork, search_id: str) -> None:
    """Delete an own saved search; NotFound for those of others."""
    uow.session.delete(_get_own(uow, search_id))


def choose_columns(uow: UnitOfWork, columns: Sequence[str] | None) -> None:
    """Choose which of ``COLUMNS`` the register shows to the actor; None for those that it usually shows."""
    person = uow.session.get_one(Person, uow.actor.id)
    person.register_columns = None if columns is None else [code for code in COLUMNS if code in columns]


def known_part(query: str) -> str:
    """Return the query string with the parameters alone that make a search; Refused for one that is too long."""
    if len(query) > LONGEST_QUERY:
        raise Refused("search-too-long", "This search is too long to be saved: shorten it.", status=422, field="query")
    given = dict(parse_qsl(query))
    return urlencode({name: given[name] for name in PARAMETERS if name in given})


def _get_own(uow: UnitOfWork, search_id: str) -> SavedSearch:
    row = uow.session.get(SavedSearch, search_id)
    if row is None or row.person_id != uow.actor.id:
        raise NotFound(Message("saved search"), search_id)
    return row


def _lock(uow: UnitOfWork) -> None:
    """Have the actor's acts follow one another: two at once could pass the limit, or take one name twice."""
    uow.session.get_one(Person, uow.actor.id, with_for_update=True)


def _free_name(uow: UnitOfWork, name: str) -> str:
    name = name.strip()
    if not name or len(name) > LONGEST_NAME or "\x00" in name or len(name.splitlines()) > 1:
        raise Refused(
            "search-name-wrong",
            "Give the search a name of at most {longest} characters.",
            status=422,
            field="name",
            longest=LONGEST_NAME,
        )
    taken = select(SavedSearch.id).where(SavedSearch.person_id == uow.actor.id, SavedSearch.name == name)
    if uow.session.scalar(taken) is not None:
        raise Refused("search-name-taken", "You have a search of this name: give it another.", field="name")
    return name

"""People of one name: the username beside a name, where one of them is chosen. Names are not unique, usernames are."""

from collections import defaultdict
from collections.abc import Iterable

from sqlalchemy import select

from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.web.schemas import Answer


def get_usernames(uow: UnitOfWork, person_ids: Iterable[str], *, within_department: bool = False) -> dict[str, str]:
    """Map those of these people who share their name with another active person, or of these, to their usernames.

    ``within_department``: with one of their own department, for lists that show the department beside the name. One
    statement; none for nobody.
    """
    ids = set(person_ids)
    if not ids:
        return {}
    names = select(Person.name).where(Person.id.in_(ids))
    query = select(Person.id, Person.login, Person.name, Person.department_id)
    rows = uow.session.execute(query.where(Person.name.in_(names), Person.active | Person.id.in_(ids)))
    of_one_name: dict[tuple[str, ...], list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        key = (row.name, row.department_id) if within_department else (row.name,)
        of_one_name[key].append((row.id, row.login))
    return {
        person_id: username
        for people in of_one_name.values()
        if len(people) > 1
        for person_id, username in people
        if person_id in ids
    }


class PersonToChoose(Answer):
    """A person in a list to choose from; ``username`` is null, except where another person has the name."""

    id: str
    name: str
    username: str | None = None

    @property
    def label(self) -> str:
        """The name as the list shows it, different from each other."""
        return label(self.name, self.username)


def label(name: str, username: str | None) -> str:
    """Return the name as lists to choose from show it, with the username where there is one."""
    return f"{name} ({username})" if username else name

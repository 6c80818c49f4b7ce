"""Read people and departments for administrators."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased, contains_eager

from services.database.listing import EVERYTHING, Listing
from services.database.tables.identities import Identity
from services.database.tables.people import Department, Person, Post
from services.database.tables.sessions import LoginSession
from services.database.tables.staffing import Leaving
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import require_administrator
from services.domain.accounts import absences, held_copies, identities, lockout, passkeys, posts, second_factors
from services.domain.accounts.absences import AbsenceView
from services.domain.accounts.second_factors import State
from services.runtime.errors import NotFound
from services.runtime.translations import Message

Sort = Literal["name", "login", "department", "state"]
DepartmentSort = Literal["name", "kind", "above", "people"]
ABOVE = aliased(Department)


@dataclass(frozen=True)
class PersonRow:
    """A person of the list.

    ``locked``: now, by wrong passwords; ``enrolled``: has a second factor; ``agreement``: is valid. ``leaving``:
    the account is kept until the copies that the person holds are transferred.
    """

    person: Person
    department: Department
    posts: Sequence[tuple[Post, Department]]
    locked: bool
    enrolled: bool
    agreement: bool
    absent: bool
    leaving: bool


@dataclass(frozen=True)
class PeoplePage:
    lines: list[PersonRow]
    total: int


@dataclass(frozen=True)
class PostRow:
    """A post with its department, and who assigned and ended it."""

    post: Post
    department: Department
    assigned_by: str | None
    ended_by: str | None
    holds_now: bool


@dataclass(frozen=True)
class PersonView:
    line: PersonRow
    posts: list[PostRow]
    absences: list[AbsenceView]
    second_factor: State
    passkeys: int
    identities: list[Identity]
    last_login_at: datetime | None
    holds: list[str]  # cases whose copies they hold or are offered
    login_delayed: bool  # after wrong passwords, somewhere


@dataclass(frozen=True)
class PeopleFilter:
    """A department, a post, active people or those who left; None: all. ``leaving``: only those kept until then."""

    department_id: str | None = None
    post: str | None = None
    active: bool | None = None
    leaving: bool = False


@dataclass(frozen=True)
class DepartmentRow:
    """A department, its superior, and how many active people it has."""

    row: Department
    above: Department | None
    people: int


def list_people(uow: UnitOfWork, people_filter: PeopleFilter, listing: Listing = EVERYTHING) -> PeoplePage:
    """List people by name, with their total; searched in name and login."""
    require_administrator(uow)
    query = _select_filtered(uow, people_filter).where(listing.mentioned(Person.name, Person.login))
    total = uow.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    columns = {
        **{"name": Person.name, "login": Person.login, "state": Person.active},
        "department": listing.name(Department),
    }
    return PeoplePage(_load_rows(uow, listing.part(query, columns, Person.name, Person.id)), total)


def list_departments(uow: UnitOfWork, listing: Listing = EVERYTHING) -> list[DepartmentRow]:
    """List departments by name, each with its superior."""
    require_administrator(uow)
    count = (
        select(func.count())
        .where(Person.department_id == Department.id, Person.active)
        .correlate(Department)
        .scalar_subquery()
    )
    query = (
        select(Department, ABOVE, count)
        .outerjoin(ABOVE, ABOVE.id == Department.superior_id)
        .where(listing.mentioned(Department.name_zh, Department.name_en))
    )
    name = listing.name(Department)
    columns = {"name": name, "kind": Department.kind, "above": listing.name(ABOVE), "people": count}
    return [DepartmentRow(*row) for row in uow.session.execute(listing.part(query, columns, name, Department.id))]


def get_person(uow: UnitOfWork, person_id: str) -> PersonView:
    """Return one person. Raises NotFound."""
    require_administrator(uow)
    lines = _load_rows(uow, _select_people().where(Person.id == person_id))
    if not lines:
        raise NotFound(Message("person"), person_id)
    last_login = select(func.max(LoginSession.created_at)).where(
        LoginSession.person_id == person_id, LoginSession.pending_step.is_(None)
    )
    return PersonView(
        line=lines[0],
        posts=[_post_row(post, uow.now) for post in posts.list_posts(uow, person_id)],
        absences=absences.list_absences(uow, person_id),
        second_factor=second_factors.get_state(uow, person_id),
        passkeys=len(passkeys.list_passkeys(uow, person_id)),
        identities=identities.list_identities(uow, person_id),
        last_login_at=uow.session.scalar(last_login),
        holds=held_copies.list_numbers(uow, person_id),
        login_delayed=lockout.is_delayed(uow, lines[0].person),
    )


def _select_people() -> Select[Person]:
    return select(Person).join(Person.department)


def _select_filtered(uow: UnitOfWork, people_filter: PeopleFilter) -> Select[Person]:
    query = _select_people()
    if people_filter.department_id:
        query = query.where(Person.department_id == people_filter.department_id)
    if people_filter.active is not None:
        query = query.where(Person.active.is_(people_filter.active))
    if people_filter.leaving:
        query = query.where(Person.id.in_(select(Leaving.person_id).where(Leaving.ended_at.is_(None))))
    if people_filter.post:
        holders = select(Post.person_id).where(Post.kind == people_filter.post, *access_queries.held_now(uow))
        query = query.where(Person.active, Person.id.in_(holders))
    return query


def _load_rows(uow: UnitOfWork, people: Select[Person]) -> list[PersonRow]:
    """Load the people of a query in its order, in six statements."""
    ids = people.with_only_columns(Person.id)
    posts = access_queries.list_posts_by_person(uow, ids)
    enrolled = second_factors.list_enrolled(uow, ids)
    agreed = access_queries.list_agreed(uow, ids)
    absent = access_queries.list_absent(uow, ids)
    leaving = set(
        uow.session.scalars(select(Leaving.person_id).where(Leaving.ended_at.is_(None), Leaving.person_id.in_(ids)))
    )
    return [
        PersonRow(
            person=person,
            department=person.department,
            posts=[(post, post.department) for post in posts.get(person.id, ())],
            locked=person.locked_until is not None and person.locked_until > uow.real_now,
            enrolled=person.id in enrolled,
            agreement=person.id in agreed,
            absent=person.id in absent,
            leaving=person.id in leaving,
        )
        for person in uow.session.scalars(people.options(contains_eager(Person.department)))
    ]


def _post_row(post: Post, now: datetime) -> PostRow:
    return PostRow(
        post,
        department=post.department,
        assigned_by=post.assigner.name if post.assigner else None,
        ended_by=post.ender.name if post.ender else None,
        holds_now=post.since <= now and (post.until is None or post.until > now),
    )


@dataclass(frozen=True)
class DemoAccount:
    """A demo account, with the kinds of its posts."""

    id: str
    login: str
    name: str
    department: Department
    posts: list[str]


def list_demo_accounts(uow: UnitOfWork) -> list[DemoAccount]:
    """List active people by department, for the demo's login page."""
    people = _select_people().where(Person.active)
    posts = access_queries.list_posts_by_person(uow, people.with_only_columns(Person.id))
    query = people.options(contains_eager(Person.department)).order_by(
        Department.kind != "business", Department.name_en, Person.login
    )
    return [
        DemoAccount(
            person.id, person.login, person.name, person.department, [post.kind for post in posts.get(person.id, ())]
        )
        for person in uow.session.scalars(query)
    ]

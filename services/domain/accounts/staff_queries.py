"""People as administrators find them: a list that searches and pages, and one person with the whole account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased

from services.database.listing import EVERYTHING, Listing
from services.database.tables.identities import Identity
from services.database.tables.people import Absence, Department, Person, Post
from services.database.tables.sign_ins import SignIn
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access.administrators import require_administrator
from services.domain.accounts import absences, identities, passkeys, posts, second_factors
from services.domain.accounts.second_factors import State
from services.runtime.errors import NotFound
from services.runtime.translations import Message

Sort = Literal["name", "login", "department", "state"]
DepartmentSort = Literal["name", "kind", "above", "people"]
ABOVE = aliased(Department)


@dataclass(frozen=True)
class Line:
    """One person: ``locked`` by wrong passwords now, ``enrolled`` with a second factor, ``agreement`` valid."""

    person: Person
    department: Department
    posts: Sequence[tuple[Post, Department]]
    locked: bool
    enrolled: bool
    agreement: bool
    absent: bool


@dataclass(frozen=True)
class Found:
    lines: list[Line]
    total: int


@dataclass(frozen=True)
class PostLine:
    """A post with its department, and who gave and ended it, by name."""

    post: Post
    department: Department
    given_by: str | None
    ended_by: str | None
    holds_now: bool


@dataclass(frozen=True)
class View:
    line: Line
    posts: list[PostLine]
    absences: list[Absence]
    second_factor: State
    passkeys: int
    identities: list[Identity]
    last_sign_in: datetime | None


@dataclass(frozen=True)
class Wanted:
    """Which people: of a department, with a post, active ones or those who left; None for all."""

    department_id: str | None = None
    post: str | None = None
    active: bool | None = None


@dataclass(frozen=True)
class DepartmentLine:
    """A department, the one above it, and how many active people it has."""

    row: Department
    above: Department | None
    people: int


def find(uow: UnitOfWork, wanted: Wanted, listing: Listing = EVERYTHING) -> Found:
    """The people wanted, by name, and how many there are in all; searched in name and login."""
    require_administrator(uow)
    query = _wanted(uow, wanted).where(listing.mentioned(Person.name, Person.login))
    total = uow.session.scalar(select(func.count()).select_from(query.subquery())) or 0
    columns = {
        **{"name": Person.name, "login": Person.login, "state": Person.active},
        "department": listing.name(Department),
    }
    joined = query.join(Department, Department.id == Person.department_id)
    part = listing.part(joined, columns, Person.name, Person.id)
    return Found([_line(uow, person) for person in uow.session.scalars(part)], total)


def departments(uow: UnitOfWork, listing: Listing = EVERYTHING) -> list[DepartmentLine]:
    """The departments by name, with the one above each."""
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
    return [DepartmentLine(*row) for row in uow.session.execute(listing.part(query, columns, name, Department.id))]


def view(uow: UnitOfWork, person_id: str) -> View:
    """One person; NotFound where there is none."""
    require_administrator(uow)
    person = uow.session.get(Person, person_id)
    if person is None:
        raise NotFound(Message("person"), person_id)
    last = select(func.max(SignIn.created_at)).where(SignIn.person_id == person_id, SignIn.waits_for.is_(None))
    return View(
        line=_line(uow, person),
        posts=[_post_line(uow, post) for post in posts.of(uow, person_id)],
        absences=absences.of(uow, person_id),
        second_factor=second_factors.state(uow, person_id),
        passkeys=len(passkeys.of(uow, person_id)),
        identities=identities.of(uow, person_id),
        last_sign_in=uow.session.scalar(last),
    )


def _wanted(uow: UnitOfWork, wanted: Wanted) -> Select[Person]:
    query = select(Person)
    if wanted.department_id:
        query = query.where(Person.department_id == wanted.department_id)
    if wanted.active is not None:
        query = query.where(Person.active.is_(wanted.active))
    if wanted.post:
        holders = select(Post.person_id).where(Post.kind == wanted.post, *access_queries.held_now(uow))
        query = query.where(Person.active, Person.id.in_(holders))
    return query


def _line(uow: UnitOfWork, person: Person) -> Line:
    held = access_queries.posts_of(uow, person.id)
    return Line(
        person=person,
        department=uow.session.get_one(Department, person.department_id),
        posts=[(post, uow.session.get_one(Department, post.department_id)) for post in held],
        locked=person.locked_until is not None and person.locked_until > uow.real_now,
        enrolled=second_factors.enrolled(uow, person.id) is not None,
        agreement=access_queries.valid_agreement(uow, person.id) is not None,
        absent=access_queries.absent(uow, person.id),
    )


def _post_line(uow: UnitOfWork, post: Post) -> PostLine:
    def name(person_id: str | None) -> str | None:
        return uow.session.get_one(Person, person_id).name if person_id else None

    now = post.since <= uow.now and (post.until is None or post.until > uow.now)
    department = uow.session.get_one(Department, post.department_id)
    return PostLine(post, department, name(post.given_by), name(post.ended_by), now)


@dataclass(frozen=True)
class DemoAccount:
    """Somebody whom a visitor of a demo may be, with the kinds of the posts held."""

    login: str
    name: str
    department: Department
    posts: list[str]


def demo_accounts(uow: UnitOfWork) -> list[DemoAccount]:
    """The active people by department; only a demo shows logins to whoever has none."""
    query = (
        select(Person, Department)
        .join(Department, Department.id == Person.department_id)
        .where(Person.active)
        .order_by(Department.kind != "business", Department.name_en, Person.login)
    )
    return [
        DemoAccount(
            person.login, person.name, department, [post.kind for post in access_queries.posts_of(uow, person.id)]
        )
        for person, department in uow.session.execute(query)
    ]

"""People, departments, posts and absences: who may act, and for whom (R2, R16)."""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import ColumnElement, ForeignKey, or_, select, text
from sqlalchemy.orm import Mapped, mapped_column

from services.register.base import Base, new_id
from services.register.unit import Unit

POSTS = (
    "head",  # of the department: decides the preliminary review; of Security: signs
    "deputy",  # stands in for the head
    "member",
    "security-reviewer",
    "storage-operator",
    "manager",  # decides what is important
    "return-inspector",
    "supervisor",
    "administrator",  # sees no footage
)


class Department(Base):
    __tablename__ = "departments"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    kind: Mapped[str]  # business, administration, legal, security, storage, management
    superior_id: Mapped[str | None] = mapped_column(ForeignKey("departments.id"))


class Person(Base):
    __tablename__ = "people"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    department_id: Mapped[str] = mapped_column(ForeignKey("departments.id"))
    email: Mapped[str | None]
    password_hash: Mapped[str]
    locale: Mapped[str] = mapped_column(default="zh")
    active: Mapped[bool] = mapped_column(default=True)
    failed_sign_ins: Mapped[int] = mapped_column(default=0)
    locked_until: Mapped[datetime | None]
    # somebody else knows the password: it is changed before anything else is done
    must_change_password: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    password_set_at: Mapped[datetime | None]


class Post(Base):
    """One person's post in one department, from ``since`` up to ``until``; given and ended by an administrator."""

    __tablename__ = "posts"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    department_id: Mapped[str] = mapped_column(ForeignKey("departments.id"), index=True)
    kind: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    given_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    ended_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))


class Absence(Base):
    """A time in which others stand in; one that is called off ends where it begins."""

    __tablename__ = "absences"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    since: Mapped[datetime]
    until: Mapped[datetime]
    entered_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))


def posts_of(unit: Unit, person_id: str) -> list[Post]:
    """The posts that the person holds now."""
    return list(unit.session.scalars(select(Post).where(Post.person_id == person_id, *_now(unit)).order_by(Post.id)))


def holders(unit: Unit, department_id: str | None, *kinds: str) -> list[str]:
    """The active people who hold one of these posts now, in one department or in any, by id; absent ones too."""
    query = (
        select(Person.id)
        .join(Post, Post.person_id == Person.id)
        .where(Post.kind.in_(kinds), Person.active, *_now(unit))
        .distinct()
        .order_by(Person.id)
    )
    if department_id is not None:
        query = query.where(Post.department_id == department_id)
    return list(unit.session.scalars(query))


def holds(unit: Unit, person_id: str, *kinds: str) -> bool:
    """Whether the person holds one of these posts now, anywhere."""
    return person_id in holders(unit, None, *kinds)


def holders_in(unit: Unit, department_kind: str, *kinds: str) -> list[str]:
    """As ``holders``, in all departments of one kind, such as the heads of Security."""
    departments = unit.session.scalars(
        select(Department.id).where(Department.kind == department_kind).order_by(Department.id)
    )
    return sorted({person for department in departments for person in holders(unit, department, *kinds)})


def superiors(unit: Unit, department_id: str) -> list[Department]:
    """The departments above this one, the nearest first; a circle in the book ends where it closes."""
    found: list[Department] = []
    seen = {department_id}
    above = unit.session.get_one(Department, department_id).superior_id
    while above is not None and above not in seen:
        seen.add(above)
        found.append(unit.session.get_one(Department, above))
        above = found[-1].superior_id
    return found


def absent(unit: Unit, person_id: str) -> bool:
    """Whether the book of absences has the person away now."""
    query = select(Absence.id).where(
        Absence.person_id == person_id, Absence.since <= unit.now, Absence.until > unit.now
    )
    return unit.session.scalar(query.limit(1)) is not None


def present(unit: Unit, person_ids: Iterable[str]) -> list[str]:
    """Those who are not absent now, in the given order."""
    return [person_id for person_id in person_ids if not absent(unit, person_id)]


def departments_of(unit: Unit, person_id: str) -> set[str]:
    """The departments that the person belongs to now: the own one, and those of the posts."""
    person = unit.session.get_one(Person, person_id)
    return {person.department_id, *(post.department_id for post in posts_of(unit, person_id))}


def in_department_of(unit: Unit, person_id: str, *kinds: str) -> bool:
    """Whether the person belongs now to a department of one of these kinds."""
    own = departments_of(unit, person_id)
    return (
        unit.session.scalar(select(Department.id).where(Department.id.in_(own), Department.kind.in_(kinds)).limit(1))
        is not None
    )


def _now(unit: Unit) -> tuple[ColumnElement[bool], ...]:
    return Post.since <= unit.now, or_(Post.until.is_(None), Post.until > unit.now)

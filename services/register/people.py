"""People, departments, posts and absences: who may act, and for whom (R2, R16)."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.register.base import Base, new_id

DEPARTMENT_KINDS = ("business", "administration", "legal", "security", "storage", "management")
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
    kind: Mapped[str]
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


class Post(Base):
    """One person's post in one department, from ``since`` up to ``until``."""

    __tablename__ = "posts"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    department_id: Mapped[str] = mapped_column(ForeignKey("departments.id"), index=True)
    kind: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime | None]


class Absence(Base):
    __tablename__ = "absences"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    since: Mapped[datetime]
    until: Mapped[datetime]


class SignIn(Base):
    """A session of a signed-in person. Lives on real time, whatever the clock says (design.md, Time)."""

    __tablename__ = "sign_ins"

    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]

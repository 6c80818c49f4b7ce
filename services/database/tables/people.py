"""People, departments, posts and absences: who may see and decide (R2, R16)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference


class Department(Base):
    """A unit of the organisation; ``superior_id`` names the one above it."""

    __tablename__ = "departments"
    # unique as the id is: told that, SQLite reads the cases of one after another, and sorts nothing
    __table_args__ = (Index("ix_departments_named", "name_zh", "id", unique=True),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    kind: Mapped[str]  # business, administration, legal, security, storage, management
    superior_id: Mapped[str | None] = mapped_column(ForeignKey("departments.id"))

    superior: Mapped["Department | None"] = reference(remote_side=id)


class Person(Base):
    """A person with an account; one who left is kept, not ``active``."""

    __tablename__ = "people"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    login: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    department_id: Mapped[str] = mapped_column(ForeignKey("departments.id"))
    email: Mapped[str | None]
    chat_id: Mapped[str | None]  # in the organisation's chat app, whose messages take the place of mails
    password_hash: Mapped[str]
    locale: Mapped[str] = mapped_column(default="zh")
    digest: Mapped[bool] = mapped_column(default=False, server_default=text("false"))  # one mail a day about open work
    register_columns: Mapped[list[str] | None]  # what the register shows to the person; None: what it shows to all
    active: Mapped[bool] = mapped_column(default=True)
    failed_logins: Mapped[int] = mapped_column(default=0)  # of older releases; failures are rows of login_failures
    locked_until: Mapped[datetime | None]
    # somebody else knows the password: it is changed before anything else is done
    must_change_password: Mapped[bool] = mapped_column(default=False, server_default=text("false"))
    password_set_at: Mapped[datetime | None]

    department: Mapped[Department] = reference()


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


class Post(Base):
    """One person's post in one department, from ``since`` up to ``until``; given and ended by an administrator."""

    __tablename__ = "posts"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    department_id: Mapped[str] = mapped_column(ForeignKey("departments.id"), index=True)
    kind: Mapped[str]
    since: Mapped[datetime]
    until: Mapped[datetime | None]
    assigned_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    ended_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))

    person: Mapped[Person] = reference(foreign_keys=person_id)
    department: Mapped[Department] = reference()
    assigner: Mapped[Person | None] = reference(foreign_keys=assigned_by)
    ender: Mapped[Person | None] = reference(foreign_keys=ended_by)


class Absence(Base):
    """A time of substitution; a cancelled one ends where it begins.

    Others sign from ``since``; after somebody else's word only when it is confirmed, or ``notice_until`` is over.
    """

    __tablename__ = "absences"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    since: Mapped[datetime]
    until: Mapped[datetime]
    added_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    notice_until: Mapped[datetime | None]  # None: no notice was needed, or entered under the first release
    confirmed_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    confirmed_at: Mapped[datetime | None]

    @property
    def effective_from(self) -> datetime | None:
        """From when others sign; None where it ends before they may."""
        begins = max(self.since, self.confirmed_at or self.notice_until or self.since)
        return begins if begins < self.until else None

"""Notices to people: a code and a case, never footage or names (F25, R30)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.applications import Application
from services.database.tables.people import Person

UNREAD = text("read_at IS NULL AND done_at IS NULL")
OPEN = text("done_at IS NULL")


class Notice(Base):
    """One notice to one person, unread while ``read_at`` and ``done_at`` are empty.

    ``done_at``: when the work was done that it is about; notices that tell of no work have none.
    """

    __tablename__ = "notices"
    __table_args__ = (
        Index("ix_notices_of_person", "person_id", "created_at", "id"),
        Index("ix_notices_unread", "person_id", sqlite_where=UNREAD, postgresql_where=UNREAD),
        Index("ix_notices_open_of_subject", "subject_id", sqlite_where=OPEN, postgresql_where=OPEN),
        Index("ix_notices_open_of_application", "application_id", sqlite_where=OPEN, postgresql_where=OPEN),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    application_id: Mapped[str | None] = mapped_column(ForeignKey("applications.id"))
    code: Mapped[str]
    subject_id: Mapped[str | None]
    created_at: Mapped[datetime]
    read_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]

    person: Mapped[Person] = reference()
    application: Mapped[Application | None] = reference()

"""Who leaves while copies are out, and whom the organisation's directory (LDAP) names (R2, R46)."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

SOURCES = ("page", "list", "directory")
OUTCOMES = ("left", "stays")
_OPEN = text("ended_at IS NULL")


class Leaving(Base):
    """Somebody who leaves and still holds copies: the account ends when the last one is transferred or returned."""

    __tablename__ = "leavings"
    __table_args__ = (
        CheckConstraint(f"source IN {SOURCES!r}", name="source"),
        CheckConstraint(f"outcome IN {OUTCOMES!r}", name="outcome"),
        Index("ix_leavings_open", "person_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    source: Mapped[str]  # where it was said that the person leaves
    begun_by: Mapped[str]  # a person's id, or a part of the system
    begun_at: Mapped[datetime]
    ended_by: Mapped[str | None]
    ended_at: Mapped[datetime | None]
    outcome: Mapped[str | None]


class DirectoryPerson(Base):
    """A person whom the directory names, by the entry's identifier, which outlives a change of name or place.

    Only these can be missing in the directory: accounts that were made here alone stay.
    """

    __tablename__ = "directory_people"

    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), primary_key=True)
    entry_id: Mapped[str] = mapped_column(unique=True)
    linked_at: Mapped[datetime]

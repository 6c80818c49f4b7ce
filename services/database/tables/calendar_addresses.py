"""Personal addresses at which a calendar program fetches a person's due dates."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

OPEN = text("ended_at IS NULL")


class CalendarAddress(Base):
    """One address with a secret of its own, of which the hash alone is kept; a person has one that is open at most.

    ``fetched_at``: when a program last asked for it, to the hour.
    """

    __tablename__ = "calendar_addresses"
    __table_args__ = (
        Index("ix_calendar_addresses_open", "person_id", unique=True, sqlite_where=OPEN, postgresql_where=OPEN),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    secret_sha256: Mapped[str] = mapped_column(unique=True)
    made_at: Mapped[datetime]
    fetched_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]

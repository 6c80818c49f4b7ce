"""Searches of the register that a person has saved, each the person's own."""

from datetime import datetime

from sqlalchemy import ForeignKey, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class SavedSearch(Base):
    """A search by the name that its person gave it; ``query`` is the query string of the register's page."""

    __tablename__ = "saved_searches"
    __table_args__ = (UniqueConstraint("person_id", "name"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    name: Mapped[str]
    query: Mapped[str]
    saved_at: Mapped[datetime]

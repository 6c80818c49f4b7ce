"""Identities: which account of an OpenID Connect provider is which person."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

OPEN = text("ended_at IS NULL")


class Identity(Base):
    """A provider's account of a person, bound until ``ended_at``, on real time.

    ``issuer`` and ``subject`` are the provider's. A subject is one person, and a person one subject of an issuer.
    """

    __tablename__ = "identities"
    __table_args__ = (
        Index("uq_identities_subject", "issuer", "subject", unique=True, sqlite_where=OPEN, postgresql_where=OPEN),
        Index("uq_identities_person", "issuer", "person_id", unique=True, sqlite_where=OPEN, postgresql_where=OPEN),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    issuer: Mapped[str]
    subject: Mapped[str]
    bound_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))

"""Login sessions of people, on real time, not the turned clock."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.people import Person


class LoginSession(Base):
    """A session, ended by hand, by idleness or at ``expires_at``.

    ``pending_step``: the login step that is left (code, password, enrolment); such a session can do nothing else.
    ``issuer`` and ``subject`` are those of the provider that authenticated the person; empty after a password.
    """

    __tablename__ = "sessions"

    token_sha256: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str | None] = mapped_column(default=new_id, index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    pending_step: Mapped[str | None]
    browser_sha256: Mapped[str | None]
    browser: Mapped[str | None]
    address: Mapped[str | None]
    issuer: Mapped[str | None]
    subject: Mapped[str | None]

    person: Mapped[Person] = reference()

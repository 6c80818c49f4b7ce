"""Passkeys that sign for a person (WebAuthn), and the challenges that they are asked."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class Passkey(Base):
    """A key in a person's phone, computer or token.

    ``credential_id`` is base64url, ``public_key`` PEM; ``proved_by`` is what its person gave to add it.
    """

    __tablename__ = "passkeys"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    credential_id: Mapped[str] = mapped_column(unique=True)
    public_key: Mapped[str]
    rp_id: Mapped[str]
    name: Mapped[str]
    proved_by: Mapped[str]
    added_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None]
    sign_count: Mapped[int]
    ended_at: Mapped[datetime | None]


class PasskeyChallenge(Base):
    """A challenge of an enrolment or a signature; used once and short-lived.

    ``challenge`` is base64url; of a signature it is the SHA-256 of ``statement``, the canonical JSON. ``stated_at`` is
    the database's moment that the statement names; made and used on real time.
    """

    __tablename__ = "passkey_challenges"

    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    kind: Mapped[str]
    challenge: Mapped[str]
    statement: Mapped[str | None]
    stated_at: Mapped[datetime | None]
    proved_by: Mapped[str | None]  # of an enrolment: what the person gave to begin it
    rp_id: Mapped[str]
    origin: Mapped[str]
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]

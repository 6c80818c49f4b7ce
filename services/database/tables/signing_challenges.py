"""Tables: PasskeyChallenge."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class PasskeyChallenge(Base):
    """``challenge`` is base64url; of a signature it is the SHA-256 of ``statement``, the canonical JSON.

    ``stated_at`` is the register's moment that the statement names; made and used on real time.
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

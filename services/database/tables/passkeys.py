"""Tables: Passkey."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class Passkey(Base):
    """``credential_id`` is base64url, ``public_key`` PEM; ``proved_by`` is what its person gave to add it."""

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

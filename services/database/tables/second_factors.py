"""Second factors (TOTP) and their recovery codes."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class SecondFactor(Base):
    """One enrolment; to be confirmed while ``confirmed_at`` is empty, ended with ``ended_at``, on real time.

    ``encrypted_secret`` is encrypted with the portal's key. ``last_step`` is the time step of the last code that was
    accepted: none up to it is accepted again.
    """

    __tablename__ = "second_factors"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    encrypted_secret: Mapped[str]
    started_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(default=0)


class RecoveryCode(Base):
    """A code in place of the second factor, stored as its hash; valid once, for login only."""

    __tablename__ = "recovery_codes"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    factor_id: Mapped[str] = mapped_column(ForeignKey("second_factors.id"), index=True)
    code_sha256: Mapped[str]
    used_at: Mapped[datetime | None]

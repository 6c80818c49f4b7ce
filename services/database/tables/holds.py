"""Legal holds that somebody has placed on a case (R67, docs/failures.md F14, F34)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.applications import Application
from services.database.tables.people import Person

CAUSES = ("violation", "dispute", "referral", "authority", "appeal", "manual")
OPEN, LIFTED = text("lifted_at IS NULL"), text("lifted_at IS NOT NULL")


class Hold(Base):
    """One hold, open until ``lifted_at``; what else holds a case is computed (``domain.holds.queries``).

    ``matter_id`` names the matter that has led to it: of the kind ``hold``, while that is open Legal has yet to confirm
    it; or a violation that is referred. None of a hold that an older release has placed. ``lift_matter_id`` names the
    matter that asks to lift it, or has; ``lift_asked_by`` has asked for that, and ``lifted_by`` has decided it last.
    """

    __tablename__ = "holds"
    # every disposal asks for the open ones, of which there are few
    __table_args__ = (
        Index("ix_holds_open", "application_id", sqlite_where=OPEN, postgresql_where=OPEN),
        Index("ix_holds_lifted", "lifted_at", "id", sqlite_where=LIFTED, postgresql_where=LIFTED),
        Index("ix_holds_review", "review_at", sqlite_where=OPEN, postgresql_where=OPEN),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    cause: Mapped[str]  # one of CAUSES
    reason: Mapped[str]
    placed_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    placed_at: Mapped[datetime]
    owner_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    review_at: Mapped[datetime]
    reminded_at: Mapped[datetime | None]  # when the owner was last told that the review is due
    lift_asked_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    lift_asked_at: Mapped[datetime | None]
    lift_matter_id: Mapped[str | None]  # None of a request of an older release, until a matter is opened of it
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    lifted_because: Mapped[str | None]  # while the lift is only asked for: why it is
    lift_signature: Mapped[dict[str, Any] | None]  # of ``lifted_by``, with its statement
    matter_id: Mapped[str | None]

    application: Mapped[Application] = reference()
    owner: Mapped[Person] = reference(foreign_keys=owner_id)

"""Changes that need a second person, and signatures that wait after a reset (R2, R16, R52)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.people import Person


class ChangeRequest(Base):
    """A change that an administrator asked for; ``outcome`` is empty while it is open.

    ``person_id`` is who it concerns, if anybody; ``payload`` is what would be done, with what stood there before and,
    in ``context``, what it depends on: names and departments as whoever confirms or objects sees them.
    """

    __tablename__ = "change_requests"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    kind: Mapped[str]
    person_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    payload: Mapped[dict[str, Any]]
    requested_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    requested_at: Mapped[datetime]
    effective_at: Mapped[datetime]  # from then on without a confirmation
    confirmed_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    confirmed_at: Mapped[datetime | None]
    signature: Mapped[dict[str, Any] | None]  # of the confirmation, with its statement; None: before schema 1090
    objected_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    objected_at: Mapped[datetime | None]
    objection_reason: Mapped[str | None]
    applied_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(index=True)  # carried-out, objected, withdrawn (or then refused)

    person: Mapped[Person | None] = reference(foreign_keys=person_id)
    requester: Mapped[Person] = reference(foreign_keys=requested_by)
    confirmer: Mapped[Person | None] = reference(foreign_keys=confirmed_by)


class SignatureHold(Base):
    """A time after a reset or a first post in which the person signs nothing, unless somebody confirms it."""

    __tablename__ = "signature_holds"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    reason: Mapped[str]  # the audit action of the reset, or of the post
    since: Mapped[datetime]
    until: Mapped[datetime]
    lifted_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    lifted_at: Mapped[datetime | None]
    signature: Mapped[dict[str, Any] | None]  # of whoever lifted it, with its statement; None: before schema 1090
    reset_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))  # None: before schema 1050

    person: Mapped[Person] = reference(foreign_keys=person_id)

"""Hand-overs of copies to their custodian, and the custody log (R38, R45 to R48)."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, ForeignKey, Index, UniqueConstraint, and_, func, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.applications import Application
from services.database.tables.people import Person

if TYPE_CHECKING:
    from services.database.tables.copies import Copy, Download
    from services.database.tables.returns import Return


LENT = text("ended_at IS NULL")
REPLACED = text("replaced_at IS NOT NULL")
LOST = text("lost_at IS NOT NULL")


class HandOver(Base):
    """All copies of one issue of an application, offered to its custodian, who holds them from ``accepted_at`` on.

    ``issue`` counts from 1: copies that had to be replaced are handed over again under the next one (R44).
    """

    __tablename__ = "hand_overs"
    __table_args__ = (
        Index("ix_hand_overs_lent", "due_at", sqlite_where=LENT, postgresql_where=LENT),
        Index("ix_hand_overs_replaced", "application_id", sqlite_where=REPLACED, postgresql_where=REPLACED),
        Index("ix_hand_overs_due", "due_at", "application_id"),
        Index("ix_hand_overs_lost", "lost_at", sqlite_where=LOST, postgresql_where=LOST),
        UniqueConstraint("application_id", "issue"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"))
    issue: Mapped[int] = mapped_column(default=1, server_default="1")
    custodian_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    agreement_id: Mapped[str | None] = mapped_column(ForeignKey("agreements.id"))
    offered_at: Mapped[datetime]
    take_up_until: Mapped[datetime]
    use_days: Mapped[int]
    purpose: Mapped[str | None]  # after a change of purpose; None: that of the form
    way_of_use: Mapped[str | None]  # likewise
    grace_seconds: Mapped[int | None]  # after the due date, as it was when the copies were offered
    accepted_at: Mapped[datetime | None]
    conditions_version: Mapped[str | None]
    declined_at: Mapped[datetime | None]
    due_at: Mapped[datetime | None]
    returned_at: Mapped[datetime | None]
    lost_at: Mapped[datetime | None]
    loss: Mapped[dict[str, Any] | None]  # what happened, as the custodian reports it
    replaced_at: Mapped[datetime | None]  # when Security ended the loan because its copies have to be replaced
    ended_at: Mapped[datetime | None]

    application: Mapped[Application] = reference()
    custodian: Mapped[Person] = reference()
    copies: Mapped[list["Copy"]] = reference(
        primaryjoin="foreign(Copy.hand_over_id) == HandOver.id", order_by="(Copy.made_at, Copy.id)"
    )
    downloads: Mapped[list["Download"]] = reference(
        primaryjoin="foreign(Download.hand_over_id) == HandOver.id", order_by="(Download.asked_at, Download.id)"
    )
    returned: Mapped["Return | None"] = reference()


def of_present_issue() -> ColumnElement[bool]:
    """Build the condition that joins an application with the one hand-over of its present issue."""
    return and_(HandOver.application_id == Application.id, HandOver.issue == Application.issue)


def present_custodian() -> ColumnElement[str | None]:
    """Build who is to have or has the copies now, of an application that is outer joined ``of_present_issue``."""
    return func.coalesce(HandOver.custodian_id, Application.named_custodian_id, Application.custodian_id)


class CustodyEntry(Base):
    """One line of the custody log; appended only, each carrying the hash of the one before."""

    __tablename__ = "custody_entries"
    __table_args__ = (UniqueConstraint("hand_over_id", "seq"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    hand_over_id: Mapped[str] = mapped_column(ForeignKey("hand_overs.id"), index=True)
    seq: Mapped[int]
    at: Mapped[datetime]
    event: Mapped[str]  # of services.domain.custody.log.EVENTS
    person_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    copy_id: Mapped[str | None]
    detail: Mapped[dict[str, Any]]
    previous_sha256: Mapped[str]
    sha256: Mapped[str]

    person: Mapped[Person | None] = reference()

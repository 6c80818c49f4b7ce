"""Matters: what is asked, decided and done about footage besides the application itself (R41 to R51, R57)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.applications import Application
from services.database.tables.people import Person

UNDER_WAY = text("closed_at IS NULL")


class Matter(Base):
    """One matter of a case: an extension, a custody transfer, a recall, a problem report.

    ``facts`` is what was asked, as its kind reads it; decisions are signed over ``facts_sha256``. It never changes, but
    for a violation's: assessment and replies are added to it until somebody is asked.
    ``counterpart_id`` is the person whom the kind asks besides the posts, such as the new custodian. ``opened_by`` is
    None where the system itself has found something, such as a damaged object or overdue copies.
    """

    __tablename__ = "matters"
    __table_args__ = (
        Index("ix_matters_under_way", "opened_at", "id", sqlite_where=UNDER_WAY, postgresql_where=UNDER_WAY),
        Index("ix_matters_opened", "opened_at", "id"),
        Index("ix_matters_of_kind", "kind", "opened_at", "id"),
        Index("ix_matters_of_hand_over", "hand_over_id", "kind"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(unique=True)  # of the series of its kind
    kind: Mapped[str]
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    hand_over_id: Mapped[str | None] = mapped_column(ForeignKey("hand_overs.id"))
    opened_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    opened_at: Mapped[datetime]
    counterpart_id: Mapped[str | None] = mapped_column(ForeignKey("people.id"), index=True)
    facts: Mapped[dict[str, Any]]
    facts_sha256: Mapped[str]
    signature: Mapped[dict[str, Any] | None]  # of ``opened_by``, with its statement, where the kind asks for one
    process_instance_key: Mapped[int | None]
    route: Mapped[list[Any] | None]  # the stages that the table named when the matter was checked
    applied_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_as: Mapped[str | None]  # applied, refused, moot; of a problem report answered; of a violation an end of it
    outcome: Mapped[dict[str, Any] | None]  # what was done, or why nothing was

    application: Mapped[Application] = reference()
    opener: Mapped[Person | None] = reference(foreign_keys=opened_by)
    counterpart: Mapped[Person | None] = reference(foreign_keys=counterpart_id)

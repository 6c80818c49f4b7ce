"""The outbox: messages to the process, written with the act and published until the process has them."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

WAITING = text("settled_at IS NULL")


class OutboxMessage(Base):
    """One message to the process of an application, a matter or a subject; open while ``settled_at`` is empty.

    A subject belongs to no case: an inspection, a work order. Its messages have no ``application_id``.
    """

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_open", "created_at", sqlite_where=WAITING, postgresql_where=WAITING),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str | None] = mapped_column(ForeignKey("applications.id"), index=True)
    matter_id: Mapped[str | None] = mapped_column(index=True)  # whose process it goes to, if not the case's
    subject_kind: Mapped[str | None]  # of services.domain.process.subjects
    subject_id: Mapped[str | None] = mapped_column(index=True)
    name: Mapped[str]
    correlation_key: Mapped[str] = mapped_column(index=True)
    message_id: Mapped[str] = mapped_column(unique=True)
    variables: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    next_at: Mapped[datetime] = mapped_column(index=True)
    published_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    settled_at: Mapped[datetime | None] = mapped_column(index=True)
    settled_because: Mapped[str | None]
    # Of the request that wrote it, or that led to the job which did; None where a task did.
    request_id: Mapped[str | None]
    trace_parent: Mapped[str | None]

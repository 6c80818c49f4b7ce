"""Numbered documents: filed forms, records, labels, receipts, agreements (R28, R29, R35, R37, R47, R59)."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.applications import Application, Item


class NumberSeries(Base):
    """The last number of a prefix and year; a rollback restores it."""

    __tablename__ = "number_series"

    prefix: Mapped[str] = mapped_column(primary_key=True)
    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int]


TO_FILE = text("lock_due_since IS NOT NULL")


class Document(Base):
    """One filed document: canonical JSON (RFC 8785) as text, never changed after it was written.

    ``filed_at``: when it was in the store, as data, PDF and statement. ``retain_until`` and ``lock_due_since`` are as
    those of a master; of cases that had ended before documents were filed when they are made, all may be empty.
    """

    __tablename__ = "documents"
    __table_args__ = (
        UniqueConstraint("kind", "subject_id"),
        Index("ix_documents_of_kind", "kind", "application_id"),
        Index("ix_documents_made", "kind", "made_at"),
        Index("ix_documents_to_file", "id", sqlite_where=TO_FILE, postgresql_where=TO_FILE),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    number: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]  # application-form, or a kind of documents.SERIES
    application_id: Mapped[str | None] = mapped_column(ForeignKey("applications.id"), index=True)  # agreements: none
    item_id: Mapped[str | None] = mapped_column(ForeignKey("items.id"), index=True)
    subject_id: Mapped[str | None]  # the hand-over, master, copy or agreement that has one such document
    content: Mapped[str]
    sha256: Mapped[str]
    made_at: Mapped[datetime]
    demo: Mapped[bool]  # made under a turned clock
    filed_at: Mapped[datetime | None]
    retain_until: Mapped[datetime | None]
    lock_due_since: Mapped[datetime | None]
    held_since: Mapped[datetime | None]  # the stores hold it since, or are to or may, by a hold on its case

    application: Mapped[Application | None] = reference()
    item: Mapped[Item | None] = reference()

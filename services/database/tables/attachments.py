"""Attachments: letters, photographs and copies of cards of an application, a matter, a work order or a group."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base

ONE_SUBJECT = "(application_id IS NULL) <> (matter_id IS NULL)"
TO_LOCK = text("lock_due_since IS NOT NULL")
TO_PURGE = text("purge_after IS NOT NULL AND purged_at IS NULL")
TO_SWEEP = text("swept_at IS NULL AND (stored_at IS NULL OR unwanted_at IS NOT NULL)")


class AttachmentUpload(Base):
    """An object of an attachment in the store: recorded before its first byte, and until it was removed.

    ``unwanted_at``: the upload failed, or its attachment was removed or purged; the sweeper removes the object.
    """

    __tablename__ = "attachment_uploads"
    __table_args__ = (Index("ix_attachment_uploads_to_sweep", "id", sqlite_where=TO_SWEEP, postgresql_where=TO_SWEEP),)

    id: Mapped[str] = mapped_column(primary_key=True)  # as its attachment's
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    key: Mapped[str] = mapped_column(unique=True)
    begun_at: Mapped[datetime]
    stored_at: Mapped[datetime | None]
    unwanted_at: Mapped[datetime | None]
    unwanted_because: Mapped[str | None]
    swept_at: Mapped[datetime | None]


class Attachment(Base):
    """One file. ``sha256`` and ``size`` (bytes) are of what is kept: images are written anew without metadata.

    ``of_form``: it was added to a draft or a correction, and the form that is signed names it. ``bound_at``: since then
    it belongs to the case and cannot be removed. ``secret``: what opens the object, encrypted with the portal's key;
    none once it was purged. ``retain_until`` and ``lock_due_since`` are as those of a document; copies of identity
    cards have no lock, because they are purged.
    """

    __tablename__ = "attachments"
    __table_args__ = (
        CheckConstraint(ONE_SUBJECT, name="one_subject"),
        Index("ix_attachments_to_lock", "id", sqlite_where=TO_LOCK, postgresql_where=TO_LOCK),
        Index("ix_attachments_to_purge", "purge_after", sqlite_where=TO_PURGE, postgresql_where=TO_PURGE),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    application_id: Mapped[str | None] = mapped_column(ForeignKey("applications.id"), index=True)
    matter_id: Mapped[str | None] = mapped_column(index=True)  # of a matter, a work order, a group or a document
    kind: Mapped[str]  # one of domain.attachments.schemas.KINDS, or of its document
    file_name: Mapped[str]
    sha256: Mapped[str]
    size: Mapped[int]
    media_type: Mapped[str]
    sealed: Mapped[dict[str, Any]]
    secret: Mapped[str | None]
    note: Mapped[str | None]
    of_form: Mapped[bool]
    added_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    added_at: Mapped[datetime]
    bound_at: Mapped[datetime | None]
    retain_until: Mapped[datetime | None]
    lock_due_since: Mapped[datetime | None]
    purge_after: Mapped[datetime | None]
    purged_at: Mapped[datetime | None]

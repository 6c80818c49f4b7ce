"""Masters: an item's footage in the vault, and its replica elsewhere (R6, R14, R15)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id, reference
from services.database.tables.applications import Item

TO_LOCK = text("lock_due_since IS NOT NULL AND discarded_at IS NULL")
IN_USE = text("discarded_at IS NULL AND archived_at IS NULL AND unneeded_at IS NULL")
TO_DISPOSE = text("discarded_at IS NULL AND unneeded_at IS NOT NULL")
ARCHIVED = text("discarded_at IS NULL AND archived_at IS NOT NULL")
TO_VERIFY = text("discarded_at IS NULL AND unneeded_at IS NULL")
SUSPECT = text("suspect_since IS NOT NULL")


def _when_retrieved(context: DefaultExecutionContext) -> datetime:
    """Return when the object was hashed for the last time: while it was stored."""
    moment: datetime = context.get_current_parameters()["retrieved_at"]  # type: ignore[no-untyped-call]  # SQLAlchemy's
    return moment


class Master(Base):
    """One item's original in the vault; disposed of after ``dispose_after``.

    ``retain_until`` is until when the stores keep it, with label and replica; it only moves later. ``lock_due_since``:
    since when the stores have yet to be told of that moment, or of another label or replica; None: they were told.
    ``last_verified_at``, ``replica_last_verified_at``: when its bytes were last read and compared with what was sealed;
    ``suspect_since``: something else than a read says that it is damaged, so that it is read before all others.
    """

    __tablename__ = "masters"
    # a year has a hundred thousand of them, and at any time few of them have anything left to do
    __table_args__ = (
        Index("ix_masters_to_lock", "id", sqlite_where=TO_LOCK, postgresql_where=TO_LOCK),
        Index("ix_masters_in_use", "retain_until", sqlite_where=IN_USE, postgresql_where=IN_USE),
        Index("ix_masters_to_dispose", "dispose_after", "id", sqlite_where=TO_DISPOSE, postgresql_where=TO_DISPOSE),
        Index("ix_masters_archived", "dispose_after", "id", sqlite_where=ARCHIVED, postgresql_where=ARCHIVED),
        Index("ix_masters_to_verify", "last_verified_at", "id", sqlite_where=TO_VERIFY, postgresql_where=TO_VERIFY),
        Index(
            "ix_masters_replicas_to_verify",
            "replica_last_verified_at",
            "id",
            sqlite_where=TO_VERIFY,
            postgresql_where=TO_VERIFY,
        ),
        Index("ix_masters_retrieved", "retrieved_at"),
        Index("ix_masters_suspect", "suspect_since", "id", sqlite_where=SUSPECT, postgresql_where=SUSPECT),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    item_id: Mapped[str] = mapped_column(ForeignKey("items.id"), unique=True)
    attempt_id: Mapped[str] = mapped_column(ForeignKey("upload_attempts.id"), unique=True)
    origin: Mapped[str]  # recorder, quarantine, upload, earlier-issue, archive
    retrieved_at: Mapped[datetime]
    sealed: Mapped[dict[str, Any]]  # vault.sealing.Sealed as JSON: keys, hashes, coverage, fragments
    replica: Mapped[dict[str, Any] | None]
    replica_verified_at: Mapped[datetime | None]
    archived_at: Mapped[datetime | None]
    superseded_at: Mapped[datetime | None]  # its copy had to be replaced: it is kept, and no copy is made of it
    label_version: Mapped[str | None]  # of the label beside the object; None: not labelled, or before schema 1100
    retain_until: Mapped[datetime | None]
    lock_due_since: Mapped[datetime | None]
    held_since: Mapped[datetime | None]  # the stores hold it since, or are to or may, by a hold on its case
    unneeded_at: Mapped[datetime | None]  # its case ended without a loan: from then on it waits for its disposal
    dispose_after: Mapped[datetime | None]  # from its class, set at re-archiving (T13); without a loan its lock's end
    discarded_at: Mapped[datetime | None]
    discarded_because: Mapped[str | None]
    last_verified_at: Mapped[datetime | None] = mapped_column(default=_when_retrieved)
    replica_last_verified_at: Mapped[datetime | None]
    suspect_since: Mapped[datetime | None]

    item: Mapped[Item] = reference()

    @property
    def awaits_disposal(self) -> bool:
        """Whether it is only kept until its lock has ended; nothing opens it any more."""
        return self.unneeded_at is not None and self.discarded_at is None

"""The audit trail: events, the Merkle tree over them, its signed heads and their anchors (F29, R47, R52).

Rows are only added; triggers refuse to change or remove one (docs/sealing.md, "The audit trail").
"""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class AuditEvent(Base):
    """One act. ``seq`` counts from 1 and has no holes.

    The tree's leaf ``seq - 1`` is ``leaf_sha256``, in hexadecimal: the RFC 6962 hash of ``entry``, canonical JSON.
    """

    __tablename__ = "audit_events"
    # what one person did, and what happened on a day, newest first
    __table_args__ = (Index("ix_audit_events_actor", "actor_id", "seq"), Index("ix_audit_events_at", "at", "seq"))

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[str]
    action: Mapped[str] = mapped_column(index=True)
    subject_kind: Mapped[str]
    subject_id: Mapped[str] = mapped_column(index=True)
    application_id: Mapped[str | None] = mapped_column(index=True)
    entry: Mapped[str]
    leaf_sha256: Mapped[str]


class AuditNode(Base):
    """The root of the complete subtree from the event ``position << level`` on, above the leaves."""

    __tablename__ = "audit_nodes"
    __table_args__ = ({"sqlite_with_rowid": False},)

    level: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    sha256: Mapped[bytes]


class AuditCheckpoint(Base):
    """A signed note (C2SP tlog-checkpoint) over the first ``size`` events; ``root`` is base64, as in the note."""

    __tablename__ = "audit_checkpoints"

    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    origin: Mapped[str]
    root: Mapped[str]
    note: Mapped[str]
    signed_at: Mapped[datetime]


class AuditAnchor(Base):
    """A checkpoint's note under object lock, its ``sha256`` and RFC 3161 time stamp (``token``)."""

    __tablename__ = "audit_anchors"

    size: Mapped[int] = mapped_column(ForeignKey("audit_checkpoints.size"), primary_key=True, autoincrement=False)
    bucket: Mapped[str]
    key: Mapped[str]
    version_id: Mapped[str]
    sha256: Mapped[str]
    anchored_at: Mapped[datetime]
    retain_until: Mapped[datetime | None]
    token: Mapped[bytes | None]

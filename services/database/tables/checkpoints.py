"""Tables: AuditCheckpoint, AuditAnchor."""

from datetime import datetime

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class AuditCheckpoint(Base):
    """A signed note (C2SP tlog-checkpoint) over the first ``size`` events; ``root`` is base64, as in the note."""

    __tablename__ = "audit_checkpoints"

    size: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    origin: Mapped[str]
    root: Mapped[str]
    note: Mapped[str]
    signed_at: Mapped[datetime]


class AuditAnchor(Base):
    """Where the note of a checkpoint lies under a lock; ``sha256`` is the note's, ``token`` its RFC 3161 time stamp."""

    __tablename__ = "audit_anchors"

    size: Mapped[int] = mapped_column(ForeignKey("audit_checkpoints.size"), primary_key=True, autoincrement=False)
    bucket: Mapped[str]
    key: Mapped[str]
    version_id: Mapped[str]
    sha256: Mapped[str]
    anchored_at: Mapped[datetime]
    retain_until: Mapped[datetime | None]
    token: Mapped[bytes | None]

"""Tables: AuditEvent."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base


class AuditEvent(Base):
    """One act. ``seq`` counts from 1 and has no holes; the tree's leaf ``seq - 1`` is ``leaf_sha256``, in hexadecimal:
    the RFC 6962 hash of ``entry``, which is canonical JSON."""

    __tablename__ = "audit_events"

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

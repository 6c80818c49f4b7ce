"""Evidence packages that the portal was asked for, each run that makes one, and each time one was fetched."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

TO_MAKE = text("queued_at IS NOT NULL AND made_at IS NULL AND failed_at IS NULL")
KEPT = text("made_at IS NOT NULL AND discarded_at IS NULL")


class EvidencePackage(Base):
    """One package: who asked for it, for whom and why, who approved it, and what was made.

    Footage in clear waits for ``decided_at``; the others are queued when they are asked for. ``log_keys`` are the
    public keys of the audit trail as the portal that was asked has them. The object is encrypted under a key named
    after ``attempt_id``, the run that has made it, which is destroyed at ``expires_at``.
    """

    __tablename__ = "evidence_packages"
    __table_args__ = (
        Index("ix_evidence_packages_asked", "asked_at", "id"),
        Index("ix_evidence_packages_asked_by", "asked_by", "asked_at", "id"),
        Index("ix_evidence_packages_to_make", "queued_at", "id", sqlite_where=TO_MAKE, postgresql_where=TO_MAKE),
        Index("ix_evidence_packages_kept", "expires_at", "id", sqlite_where=KEPT, postgresql_where=KEPT),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"), index=True)
    footage: Mapped[str]  # clear, sealed or hash
    recipient_kind: Mapped[str]  # inside, authority or other
    recipient: Mapped[str]
    reason: Mapped[str]
    asked_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    asked_at: Mapped[datetime]
    log_keys: Mapped[list[Any]]
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    decided_at: Mapped[datetime | None]
    approved: Mapped[bool | None]
    decision_reason: Mapped[str | None]
    signature: Mapped[dict[str, Any] | None]  # of the decision, with its statement
    queued_at: Mapped[datetime | None]
    attempt_id: Mapped[str | None]
    made_at: Mapped[datetime | None]
    sealed: Mapped[dict[str, Any] | None]  # place, sizes and hashes; ``sha256Plain`` is of the ZIP
    facts: Mapped[dict[str, Any] | None]  # the manifest's hash and the fingerprints
    failed_at: Mapped[datetime | None]
    failed_because: Mapped[str | None]
    expires_at: Mapped[datetime | None]
    key_destroyed_at: Mapped[datetime | None]
    discarded_at: Mapped[datetime | None]


class PackageAttempt(Base):
    """One run that makes a package, with a key of its own in the store; the row is there before the first byte.

    ``phase`` and ``reached`` of ``total`` bytes say how far it has come; footage is read more than once.
    """

    __tablename__ = "package_attempts"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    package_id: Mapped[str] = mapped_column(ForeignKey("evidence_packages.id"), index=True)
    bucket: Mapped[str]
    key: Mapped[str] = mapped_column(unique=True)
    started_at: Mapped[datetime]
    phase: Mapped[str] = mapped_column(default="preparing")
    reached: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None]
    abandoned_at: Mapped[datetime | None]
    abandoned_because: Mapped[str | None]
    swept_at: Mapped[datetime | None]


class PackageFetch(Base):
    """One fetching of a package; ``reads`` counts the requests for its bytes, since a transfer may break off."""

    __tablename__ = "package_fetches"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    package_id: Mapped[str] = mapped_column(ForeignKey("evidence_packages.id"), index=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    address: Mapped[str]
    asked_at: Mapped[datetime]
    reads: Mapped[int] = mapped_column(default=0)
    finished_at: Mapped[datetime | None]

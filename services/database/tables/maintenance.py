"""The daily maintenance: its runs, damaged objects, reconciliations with their findings, and the store's access log."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id

KEPT = text("removed_at IS NULL")
UNEXAMINED = text("examined_at IS NULL")
UNRESOLVED = text("state IN ('open', 'work-order')")
UNJUDGED = text("judged_at IS NULL")


class MaintenanceRun(Base):
    """One task of the maintenance on one day of the organisation's zone; over once ``ended_at`` is set.

    ``heartbeat_at``: the last sign of life of the process that works on it. ``bytes_read``: what it has taken of its
    budget, counted before it reads.
    """

    __tablename__ = "maintenance_runs"

    day: Mapped[str] = mapped_column(primary_key=True)  # such as 2031-03-04
    task: Mapped[str] = mapped_column(primary_key=True)
    began_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]
    holder: Mapped[str | None]  # the job that works on it
    ended_at: Mapped[datetime | None]
    bytes_read: Mapped[int] = mapped_column(default=0)
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)


class Damage(Base):
    """A version of a master or of its replica that is not what was sealed, from its finding to its removal.

    It is kept for examination beside the version that was made anew, and held in its store where it is still there.
    Until somebody has examined it, it holds its case.
    """

    __tablename__ = "damages"
    __table_args__ = (
        UniqueConstraint("place", "key", "version_id"),
        Index("ix_damages_kept", "key", sqlite_where=KEPT, postgresql_where=KEPT),
        Index("ix_damages_unexamined", "application_id", sqlite_where=UNEXAMINED, postgresql_where=UNEXAMINED),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    master_id: Mapped[str] = mapped_column(ForeignKey("masters.id"), index=True)
    application_id: Mapped[str] = mapped_column(ForeignKey("applications.id"))
    place: Mapped[str]  # primary, replica
    bucket: Mapped[str]
    key: Mapped[str]
    version_id: Mapped[str]
    sha256: Mapped[str]  # as it was sealed
    faults: Mapped[list[str]]
    found_at: Mapped[datetime]
    repaired_at: Mapped[datetime | None]
    repaired_as: Mapped[dict[str, Any] | None]  # bucket, key and version of what was made anew
    unrepaired_because: Mapped[str | None]  # at the last try: no-replica, replica-damaged, master-damaged
    examined_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    examined_at: Mapped[datetime | None]
    examined_as: Mapped[str | None]  # what was found, in a sentence
    removed_at: Mapped[datetime | None]


class Reconciliation(Base):
    """The reconciliation of one day: what was compared, what was found new, and what did not tell."""

    __tablename__ = "reconciliations"

    day: Mapped[str] = mapped_column(primary_key=True)
    made_at: Mapped[datetime]
    document: Mapped[str] = mapped_column(unique=True)  # its number, of the series DZ
    compared: Mapped[dict[str, Any]]
    found: Mapped[int]
    open: Mapped[int]
    not_told: Mapped[list[Any]]


class ReconciliationFinding(Base):
    """One difference between the register and what it describes; found each day anew, it stays one row.

    ``fingerprint`` says which difference it is. One that is not found any more is gone; what was explained stays so.
    """

    __tablename__ = "reconciliation_findings"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'explained', 'work-order', 'gone')", name="state"),
        Index("ix_reconciliation_findings_open", "kind", "place", sqlite_where=UNRESOLVED, postgresql_where=UNRESOLVED),
        Index("ix_reconciliation_findings_listed", "found_at", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    fingerprint: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]  # of services.domain.storage.findings.KINDS
    place: Mapped[str]  # primary, replica, recorder, engine
    subject: Mapped[str]  # the object's key, the recorder's name, the number of the case
    application_id: Mapped[str | None] = mapped_column(ForeignKey("applications.id"), index=True)
    detail: Mapped[dict[str, Any]]
    found_at: Mapped[datetime]
    first_day: Mapped[str]
    last_day: Mapped[str] = mapped_column(index=True)
    state: Mapped[str]
    explained_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))
    explained_at: Mapped[datetime | None]
    explanation: Mapped[str | None]
    violation_id: Mapped[str | None] = mapped_column(ForeignKey("violations.id"))
    work_order_id: Mapped[str | None] = mapped_column(index=True)  # that works on it, or did


class StoreAccess(Base):
    """One line of a store's access log, as it was imported; ``id`` is the hash of the line.

    ``judged_at``: when a reconciliation has compared it with the register.
    """

    __tablename__ = "store_accesses"
    __table_args__ = (Index("ix_store_accesses_unjudged", "id", sqlite_where=UNJUDGED, postgresql_where=UNJUDGED),)

    id: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str]  # primary, replica
    at: Mapped[datetime]
    act: Mapped[str]  # get, put, delete
    bucket: Mapped[str]
    key: Mapped[str]
    version_id: Mapped[str | None]
    requester: Mapped[str]
    address: Mapped[str | None]
    imported_at: Mapped[datetime]
    judged_at: Mapped[datetime | None]


class StoreLogFeed(Base):
    """That a store sends its access log by itself, and when a line of it came last."""

    __tablename__ = "store_log_feeds"

    place: Mapped[str] = mapped_column(primary_key=True)  # primary, replica
    first_at: Mapped[datetime]
    last_at: Mapped[datetime]

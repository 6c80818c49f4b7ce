"""The versions of models in the engine, and the sets of models that an administrator uploaded (R2)."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey
from sqlalchemy.orm import Mapped, mapped_column

from services.database.base import Base, new_id


class ModelVersion(Base):
    """One version of a process in the engine, by the key that the engine gave it.

    On record where ``recorded_at`` is set. One that is not was seen with a job that a worker refused.
    """

    __tablename__ = "model_versions"

    definition_key: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    process_id: Mapped[str] = mapped_column(index=True)
    version: Mapped[int]
    first_seen_at: Mapped[datetime]
    last_seen_at: Mapped[datetime]  # of a job while it is on no record; coarse, see domain.deployments.versions
    recorded_at: Mapped[datetime | None]
    result: Mapped[str | None]  # shipped, clean, unchecked; accepted: by an operator, after it was seen


class ModelSet(Base):
    """Models that an administrator uploaded: what the check found, who asked and confirmed, and when it was deployed.

    ``files`` are the SHA-256 of all files by name, ``content`` a ZIP of them. ``base`` is the fingerprint of what was
    deployed when it was uploaded, to which ``result`` names the differences.
    """

    __tablename__ = "model_sets"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    uploaded_by: Mapped[str] = mapped_column(ForeignKey("people.id"))
    uploaded_at: Mapped[datetime] = mapped_column(index=True)
    files: Mapped[dict[str, Any]]
    content: Mapped[bytes] = mapped_column(deferred=True)  # lists of sets do not read it
    base: Mapped[str]
    tries: Mapped[int]  # of the check
    check_began_at: Mapped[datetime | None]
    checked_at: Mapped[datetime | None]
    result: Mapped[dict[str, Any] | None]
    approved_at: Mapped[datetime | None]
    approved_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))  # who asked, and carried it out
    confirmed_by: Mapped[str | None] = mapped_column(ForeignKey("people.id"))  # None: while the set-up had nobody else
    reason: Mapped[str | None]
    unchecked: Mapped[str | None]  # why it is deployed although the check did not find it clean
    deployed_at: Mapped[datetime | None]
    failure: Mapped[str | None]  # why it was not deployed although it was approved

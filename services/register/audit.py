"""The audit trail: one event in the same transaction as each act, readings and viewings too (F29, R47, R52)."""

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Any

import rfc8785
from sqlalchemy.orm import Mapped, mapped_column

from services.register.base import Base

if TYPE_CHECKING:
    from services.register.unit import Unit


class AuditEvent(Base):
    """``leaf_sha256`` is the RFC 6962 leaf hash of ``entry``: SHA-256 of a zero byte and the canonical JSON."""

    __tablename__ = "audit_events"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    at: Mapped[datetime]
    actor_kind: Mapped[str]
    actor_id: Mapped[str]
    action: Mapped[str] = mapped_column(index=True)
    subject_kind: Mapped[str]
    subject_id: Mapped[str] = mapped_column(index=True)
    application_id: Mapped[str | None] = mapped_column(index=True)
    entry: Mapped[str]
    leaf_sha256: Mapped[str]


def record(
    unit: "Unit",
    action: str,
    subject_kind: str,
    subject_id: str,
    *,
    application_id: str | None = None,
    **detail: Any,
) -> AuditEvent:
    """Append an event to the trail in the unit's transaction. ``detail`` is JSON: ids, numbers, hashes, outcomes."""
    entry = rfc8785.dumps(
        {
            "action": action,
            "actor": {"id": unit.actor.id, "kind": unit.actor.kind},
            "application": application_id,
            "at": unit.now.isoformat(),
            "detail": detail,
            "subject": {"id": subject_id, "kind": subject_kind},
        }
    )
    event = AuditEvent(
        at=unit.now,
        actor_kind=unit.actor.kind,
        actor_id=unit.actor.id,
        action=action,
        subject_kind=subject_kind,
        subject_id=subject_id,
        application_id=application_id,
        entry=entry.decode(),
        leaf_sha256=hashlib.sha256(b"\x00" + entry).hexdigest(),
    )
    unit.session.add(event)
    return event

"""The audit trail: one event in the transaction of each act or reading (F29, R47, R52)."""

from typing import Any

import rfc8785

from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import UnitOfWork
from services.verifier.merkle import leaf_hash


def record(
    uow: UnitOfWork,
    action: str,
    subject_kind: str,
    subject_id: str,
    *,
    application_id: str | None = None,
    **detail: Any,
) -> AuditEvent:
    """Append an event to the trail. ``detail`` is JSON: ids, numbers, hashes, outcomes.

    It gets its number and its row when the unit of work commits; until then no query finds it.
    """
    entry = rfc8785.dumps(
        {
            "action": action,
            "actor": {"id": uow.actor.id, "kind": uow.actor.kind},
            "application": application_id,
            "at": uow.now.isoformat(),
            "detail": detail,
            "subject": {"id": subject_id, "kind": subject_kind},
        }
    )
    event = AuditEvent(
        at=uow.now,
        actor_kind=uow.actor.kind,
        actor_id=uow.actor.id,
        action=action,
        subject_kind=subject_kind,
        subject_id=subject_id,
        application_id=application_id,
        entry=entry.decode(),
        leaf_sha256=leaf_hash(entry).hex(),
    )
    uow.events.append(event)
    return event

"""The mail addresses at which a person was reached lately."""

import json
from datetime import timedelta

from sqlalchemy import select

from services.database.tables.audit import AuditEvent
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork

REACHED_WITHIN = timedelta(days=30)


def list_former(uow: UnitOfWork, person_id: str) -> list[str]:
    """List the addresses that stood at a person in the last 30 days, without the present one.

    From the audit trail: each change of an address says which one it replaced.
    """
    changes = select(AuditEvent.entry).where(
        AuditEvent.action == "person-changed",
        AuditEvent.subject_id == person_id,
        AuditEvent.at > uow.now - REACHED_WITHIN,
    )
    entries = [*uow.session.scalars(changes)]
    # those of this unit are numbered when it commits
    entries += [
        event.entry for event in uow.events if event.action == "person-changed" and event.subject_id == person_id
    ]
    present = uow.session.get_one(Person, person_id).email
    former = {json.loads(entry)["detail"].get("old", {}).get("email") for entry in entries}
    return sorted(former - {None, present})

"""The mail addresses, and the ids in the chat app, by which a person was reached lately."""

import json
from datetime import timedelta
from typing import TypedDict

from sqlalchemy import select

from services.database.tables.audit import AuditEvent
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork

REACHED_WITHIN = timedelta(days=30)


class Former(TypedDict):
    """Where a person was reached before, as ``notify`` takes it."""

    addresses: list[str]
    chat_ids: list[str]


NOWHERE = Former(addresses=[], chat_ids=[])


def list_former(uow: UnitOfWork, person_id: str) -> Former:
    """List the ``addresses`` and ``chat_ids`` that stood at a person in the last 30 days, without the present ones.

    From the audit trail: each change of one says which it replaced.
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
    replaced = [json.loads(entry)["detail"].get("old", {}) for entry in entries]
    person = uow.session.get_one(Person, person_id)
    return Former(
        addresses=sorted({old.get("email") for old in replaced} - {None, person.email}),
        chat_ids=sorted({old.get("chat_id") for old in replaced} - {None, person.chat_id}),
    )

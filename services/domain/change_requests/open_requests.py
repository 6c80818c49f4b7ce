"""Which change requests are open, and for which of them no time takes the second person's place (R2)."""

import json
from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, select

from services.database.tables.audit import AuditEvent
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.people import Person
from services.database.tables.staffing import Leaving
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.change_requests import policy


def list_open(uow: UnitOfWork, *conditions: ColumnElement[bool]) -> list[ChangeRequest]:
    """List the open requests that meet the conditions, oldest first, of who still may ask for them."""
    query = select(ChangeRequest).where(ChangeRequest.outcome.is_(None), *conditions)
    rows = uow.session.scalars(query.order_by(ChangeRequest.requested_at, ChangeRequest.id))
    directory = access_queries.load_directory(uow)
    # what somebody asked for whose post has run out since can be carried out by nobody
    return [
        row for row in rows if policy.is_open(row, uow.now) and policy.may_ask(directory, row.kind, row.requested_by)
    ]


def list_open_posts(uow: UnitOfWork) -> list[ChangeRequest]:
    """List the open requests for posts, of everybody."""
    return list_open(uow, ChangeRequest.kind == "post")


def list_unheard(uow: UnitOfWork, requests: Collection[ChangeRequest]) -> set[str]:
    """Return the ids of the requests for which no time takes the second person's place.

    Those of such a kind; and those whose person could not always sign in to object since it was asked for: inactive, or
    put out or let in again meanwhile. Who leaves, or has left meanwhile, could sign in and may not hear of it.
    """
    of_kind = {request.id for request in requests if request.kind in policy.ONLY_CONFIRMED}
    asked = {request.person_id for request in requests if request.person_id is not None}
    if not asked:
        return of_kind
    inactive = set(uow.session.scalars(select(Person.id).where(Person.id.in_(asked), ~Person.active)))
    changes = select(AuditEvent.subject_id, AuditEvent.at, AuditEvent.entry).where(
        AuditEvent.action == "person-changed",
        AuditEvent.subject_id.in_(asked),
        AuditEvent.at >= min(request.requested_at for request in requests),
    )
    changed = [
        (person_id, at)
        for person_id, at, entry in uow.session.execute(changes)
        if "active" in json.loads(entry)["detail"].get("new", {})
    ]
    leaving = list_leavers(uow, asked, since=min(request.requested_at for request in requests))
    return of_kind | {
        request.id
        for request in requests
        if request.person_id in inactive
        or any(person_id == request.person_id and request.requested_at <= until for person_id, until in leaving)
        or any(person_id == request.person_id and at >= request.requested_at for person_id, at in changed)
    }


def list_leavers(uow: UnitOfWork, person_ids: Collection[str], *, since: datetime) -> list[tuple[str, datetime]]:
    """List who of these leaves, or did so until after ``since``, each with the moment until when."""
    query = select(Leaving.person_id, Leaving.ended_at).where(
        Leaving.person_id.in_(person_ids), Leaving.ended_at.is_(None) | (Leaving.ended_at >= since)
    )
    return [(person_id, ended_at or uow.now) for person_id, ended_at in uow.session.execute(query)]

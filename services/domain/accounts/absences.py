"""Add and end absences; meanwhile others stand in (R16).

The person, the department's head or deputy, and administrators may.
"""

from datetime import datetime

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.people import Absence, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message


def list_absences(uow: UnitOfWork, person_id: str) -> list[Absence]:
    """List a person's current and future absences, by start.

    Raises NotFound for people whose absences the actor may not manage.
    """
    _check_may_manage(uow, person_id)
    query = select(Absence).where(
        Absence.person_id == person_id, Absence.until > uow.now, Absence.until > Absence.since
    )
    return list(uow.session.scalars(query.order_by(Absence.since)))


def add(uow: UnitOfWork, person_id: str, *, since: datetime, until: datetime) -> Absence:
    """Add an absence from ``since`` up to ``until``."""
    _check_may_manage(uow, person_id)
    if until <= since:
        raise Refused(
            "until-before-since",
            "Let the absence end after it begins.",
            status=422,
            field="until",
        )
    if until <= uow.now:
        raise Refused("over", "This time is over already.", status=422, field="until")
    row = Absence(id=new_id(), person_id=person_id, since=since, until=until, added_by=uow.actor.id)
    uow.session.add(row)
    audit_trail.record(
        uow,
        "absence-added",
        "person",
        person_id,
        absence=row.id,
        old=None,
        new={"since": since.isoformat(), "until": until.isoformat()},
    )
    return row


def end(uow: UnitOfWork, absence_id: str) -> Absence:
    """End an absence now; a future one at its start."""
    row = uow.session.get(Absence, absence_id, with_for_update=True)
    if row is None:
        raise NotFound(Message("absence"), absence_id)
    _check_may_manage(uow, row.person_id)
    if row.until <= uow.now or row.until <= row.since:
        raise Refused("over", "This absence is over already.")
    old = row.until
    row.until = max(uow.now, row.since)
    audit_trail.record(
        uow,
        "absence-ended",
        "person",
        row.person_id,
        absence=row.id,
        old=old.isoformat(),
        new=row.until.isoformat(),
    )
    return row


def _check_may_manage(uow: UnitOfWork, person_id: str) -> None:
    person = uow.session.get(Person, person_id)
    actor_id = uow.actor.id
    if person is not None and (
        person_id == actor_id
        or access_queries.load_directory(uow).holds(actor_id, "administrator")
        or actor_id in access_queries.load_directory(uow).holders(person.department_id, "head", "deputy")
    ):
        return
    raise NotFound(Message("person"), person_id)

"""Let nobody sign for 24 hours after a reset or a first second factor, unless the head confirms it (R25, R52)."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from services.database.base import new_id
from services.database.tables.change_requests import SignatureHold
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.change_requests import policy
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

DURATION = timedelta(hours=24)


def add(uow: UnitOfWork, person_id: str, reason: str) -> None:
    """Hold the person's signatures from now on; ``reason`` is the audit action of the reset."""
    row = SignatureHold(id=new_id(), person_id=person_id, reason=reason, since=uow.now, until=uow.now + DURATION)
    uow.session.add(row)
    audit_trail.record(
        uow, "signatures-held", "person", person_id, hold=row.id, reason=reason, until=row.until.isoformat()
    )


def check(uow: UnitOfWork, person_id: str) -> None:
    """Refuse with the end of the hold, and who may confirm, where the person must not sign yet."""
    held = list_current(uow, person_id)
    if held:
        raise Refused(
            "signature-held",
            "Your password, second factor or passkeys were reset, or your second factor is new, so you sign again from "
            "{until} on, or as soon as {who} confirms that it was you who asked for it (page Requests).",
            status=403,
            until=local_time(uow, max(hold.until for hold in held)),
            who=_releasers_name(uow, person_id),
        )


def list_current(uow: UnitOfWork, person_id: str | None = None) -> Sequence[SignatureHold]:
    """List the holds of now, of everybody or of one person, with their people."""
    query = select(SignatureHold).where(SignatureHold.until > uow.now, SignatureHold.lifted_at.is_(None))
    if person_id is not None:
        query = query.where(SignatureHold.person_id == person_id)
    return uow.session.scalars(query.options(joinedload(SignatureHold.person)).order_by(SignatureHold.since)).all()


def may_release(uow: UnitOfWork, hold: SignatureHold, releaser_id: str) -> bool:
    """Return whether this person may confirm that the other one signs."""
    person = uow.session.get_one(Person, hold.person_id)
    directory = access_queries.load_directory(uow)
    return releaser_id in policy.hold_releasers(directory, person.id, person.department_id)


def release(uow: UnitOfWork, hold_id: str) -> SignatureHold:
    """Confirm that the person signs again; refused to everybody but the person's head."""
    hold = uow.session.get(SignatureHold, hold_id, with_for_update=True, populate_existing=True)
    if hold is None or not may_release(uow, hold, uow.actor.id):
        raise NotFound(Message("request"), hold_id)
    check(uow, uow.actor.id)
    if hold.until <= uow.now or hold.lifted_at is not None:
        raise Refused("hold-over", "This person signs again already.")
    hold.lifted_by, hold.lifted_at = uow.actor.id, uow.now
    audit_trail.record(uow, "signatures-released", "person", hold.person_id, hold=hold.id)
    return hold


def local_time(uow: UnitOfWork, moment: datetime) -> str:
    """Write a moment in the organisation's zone, to the minute."""
    return moment.astimezone(ZoneInfo(uow.rules.zone)).strftime("%Y-%m-%d %H:%M")


def _releasers_name(uow: UnitOfWork, person_id: str) -> Message:
    directory = access_queries.load_directory(uow)
    if directory.holds_in(person_id, "security", "head"):
        return Message("the supervision group")
    if directory.holds(person_id, "head"):
        return Message("the head of Security")
    return Message("the head of your department")

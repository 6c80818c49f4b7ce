"""The address at which a person's own calendar program fetches due dates: made, replaced, withdrawn.

Whoever knows the address reads what it gives without a login, so it has a secret of 256 bits, is shown once, and its
hash alone is kept. An account that is deactivated gives nothing, and its address does not come back with it.
"""

import hashlib
import re
import secrets
from datetime import timedelta

from sqlalchemy import Select, select, update

from services.database.tables.calendar_addresses import CalendarAddress
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail

SUBJECT = "calendar-address"
SECRET_BYTES = 32
NOTED_EVERY = timedelta(hours=1)  # programs ask several times an hour, and each note is a write
_written = re.compile(r"[A-Za-z0-9_-]{43}")


def get_own(uow: UnitOfWork) -> CalendarAddress | None:
    """Return the actor's open address, whose secret nobody knows any more."""
    return uow.session.scalar(_open_of(str(uow.actor.id)))


def make(uow: UnitOfWork) -> str:
    """Make the actor an address and return its secret; the one before ends."""
    me = str(uow.actor.id)
    uow.session.get_one(Person, me, with_for_update=True)  # two at once: the second ends what the first has made
    end_all(uow, me)
    secret = secrets.token_urlsafe(SECRET_BYTES)
    row = CalendarAddress(person_id=me, secret_sha256=_sha256(secret), made_at=uow.now)
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(uow, "calendar-address-made", SUBJECT, row.id)
    return secret


def withdraw(uow: UnitOfWork) -> None:
    """End the actor's address; nothing happens where there is none."""
    end_all(uow, str(uow.actor.id))


def end_all(uow: UnitOfWork, person_id: str) -> None:
    """End the person's address, also when the account is deactivated."""
    row = uow.session.scalar(_open_of(person_id).with_for_update())
    if row is not None:
        row.ended_at = uow.now
        uow.session.flush()
        audit_trail.record(uow, "calendar-address-ended", SUBJECT, row.id)


def find_owner(uow: UnitOfWork, secret: str) -> tuple[Person, bool] | None:
    """Return whose address has this secret, and whether its use is to be noted; None for one that gives nothing."""
    if not _written.fullmatch(secret):
        return None
    query = (
        select(CalendarAddress, Person)
        .join(Person, Person.id == CalendarAddress.person_id)
        .where(CalendarAddress.secret_sha256 == _sha256(secret), CalendarAddress.ended_at.is_(None), Person.active)
    )
    row = uow.session.execute(query).one_or_none()
    if row is None:
        return None
    address, person = row
    return person, address.fetched_at is None or address.fetched_at <= uow.now - NOTED_EVERY


def note_fetched(uow: UnitOfWork) -> None:
    """Note that a program has fetched the actor's due dates."""
    statement = update(CalendarAddress).where(
        CalendarAddress.person_id == uow.actor.id, CalendarAddress.ended_at.is_(None)
    )
    uow.session.execute(statement.values(fetched_at=uow.now))


def _open_of(person_id: str) -> Select[CalendarAddress]:
    return select(CalendarAddress).where(CalendarAddress.person_id == person_id, CalendarAddress.ended_at.is_(None))


def _sha256(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

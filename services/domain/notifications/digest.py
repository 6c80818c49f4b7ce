"""One mail a day with all that is open, for those who want it so (F25).

It has what each notice's own mail would have: the fixed sentence, the application's number, and a link.
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import aliased

from services.database.base import new_id
from services.database.leases import Lease, Leased
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.notifications import deliveries, dispatch, service
from services.domain.notifications.texts import DIGEST
from services.runtime.periodic import Periodic

AT = time(8)  # in the organisation's zone
EVERY = timedelta(minutes=10)
AT_ONCE = 100  # mails in one unit of work
ACTOR = Actor("system", "digest")


def daily_digests(database: Database) -> Periodic:
    """Return the task that writes the mails of the day, in one process at a time."""
    lease = Lease.between_runs(database, "digest", EVERY)
    return Leased(lease, EVERY, partial(_write, database))


async def _write(database: Database) -> bool:
    if not await database.read(ACTOR, _list_wanting):
        return False
    return await database.run(ACTOR, write_digests) == AT_ONCE


def write_digests(uow: UnitOfWork) -> int:
    """Write the mail of the day to each person who wants it and has open notices; return how many were written.

    It writes ``AT_ONCE`` at most: what is left is written by the next call.
    """
    people = _list_wanting(uow)
    for person_id in people:
        _write_to(uow, person_id)
    return len(people)


def write_last(uow: UnitOfWork, person_id: str) -> None:
    """Write a last mail of the day with what came since the one before."""
    if deliveries.MAIL not in deliveries.channels_in_use(uow):
        return
    query = select(Person.id).where(Person.id == person_id, Person.digest, _unsent())
    if uow.session.scalar(query) is not None:
        _write_to(uow, person_id)


def _write_to(uow: UnitOfWork, person_id: str) -> None:
    # never unread: the portal lists the notices themselves
    notice = Notice(id=new_id(), person_id=person_id, code=DIGEST, created_at=uow.now, read_at=uow.now)
    uow.session.add(notice)
    uow.session.flush()
    deliveries.add(uow, notice, [deliveries.MAIL])


def _list_wanting(uow: UnitOfWork) -> Sequence[str]:
    """List the ids of those who have no mail of this day yet; their notices alone are looked up, by person.

    Whoever has no address any more gets one more, of what no mail has told: it fails, and the head is asked.
    """
    if deliveries.MAIL not in deliveries.channels_in_use(uow):
        return ()
    own = select(Notice.id).where(Notice.person_id == Person.id)
    written = own.where(Notice.code == DIGEST, Notice.created_at >= _begin_of_day(uow))
    wanting = select(Person.id).where(
        Person.digest,
        Person.active,
        ~written.exists(),
        own.where(*service.OPEN).exists(),
        or_(func.coalesce(Person.email, "") != "", _unsent()),
    )
    return uow.session.scalars(wanting.order_by(Person.id).limit(AT_ONCE)).all()


def _unsent() -> ColumnElement[bool]:
    """Build the condition that a person has an open notice that neither a mail nor a message has told of."""
    earlier = aliased(Notice)
    told = select(earlier.id).where(
        earlier.person_id == Notice.person_id, earlier.code == DIGEST, earlier.created_at >= Notice.created_at
    )
    own = select(Notice.id).where(Notice.person_id == Person.id, Notice.code != DIGEST, *service.OPEN)
    return own.where(~dispatch.is_sent_alone(), ~told.exists()).exists()


def _begin_of_day(uow: UnitOfWork) -> datetime:
    """Return the last moment at which digests were due."""
    local = uow.now.astimezone(ZoneInfo(uow.rules.zone))
    due = datetime.combine(local.date(), AT, local.tzinfo)
    if local < due:
        due = datetime.combine(local.date() - timedelta(days=1), AT, local.tzinfo)
    return due.astimezone(uow.now.tzinfo)

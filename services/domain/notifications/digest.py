"""One mail a day with all that is open, for those who want it so (F25).

It has what each notice's own mail would have: the fixed sentence, the application's number, and a link.
"""

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from functools import partial
from zoneinfo import ZoneInfo

from sqlalchemy import select

from services.database.base import new_id
from services.database.leases import Lease, Leased
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.notifications import deliveries, service
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
        # never unread: the portal lists the notices themselves
        notice = Notice(id=new_id(), person_id=person_id, code=DIGEST, created_at=uow.now, read_at=uow.now)
        uow.session.add(notice)
        uow.session.flush()
        deliveries.add(uow, notice, [deliveries.MAIL])
    return len(people)


def _list_wanting(uow: UnitOfWork) -> Sequence[str]:
    """List the ids of those who have no mail of this day yet; their notices alone are looked up, by person."""
    if deliveries.MAIL not in deliveries.channels_in_use(uow):
        return ()
    own = select(Notice.id).where(Notice.person_id == Person.id)
    written = own.where(Notice.code == DIGEST, Notice.created_at >= _begin_of_day(uow))
    wanting = select(Person.id).where(
        Person.digest,
        Person.active,
        Person.email.is_not(None),
        ~written.exists(),
        own.where(*service.OPEN).exists(),
    )
    return uow.session.scalars(wanting.order_by(Person.id).limit(AT_ONCE)).all()


def _begin_of_day(uow: UnitOfWork) -> datetime:
    """Return the last moment at which digests were due."""
    local = uow.now.astimezone(ZoneInfo(uow.rules.zone))
    due = datetime.combine(local.date(), AT, local.tzinfo)
    if local < due:
        due = datetime.combine(local.date() - timedelta(days=1), AT, local.tzinfo)
    return due.astimezone(uow.now.tzinfo)

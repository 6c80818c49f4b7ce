"""One mail a day with all that is open, for those who want it so (F25).

It has what each notice's own mail would have: the fixed sentence, the application's number, and a link.
"""

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
ACTOR = Actor("system", "digest")


def daily_digests(database: Database) -> Periodic:
    """Return the task that writes the mails of the day, in one process at a time."""
    lease = Lease.between_runs(database, "digest", EVERY)
    return Leased(lease, EVERY, partial(_write, database))


async def _write(database: Database) -> None:
    await database.run(ACTOR, write_digests)


def write_digests(uow: UnitOfWork) -> int:
    """Write the mail of the day to each person who wants it and has open notices; return how many were written."""
    if deliveries.MAIL not in deliveries.channels_in_use(uow):
        return 0
    begun = _begin_of_day(uow)
    written = select(Notice.person_id).where(Notice.code == DIGEST, Notice.created_at >= begun)
    wanting = select(Person.id).where(
        Person.digest,
        Person.active,
        Person.email.is_not(None),
        Person.id.not_in(written),
        Person.id.in_(select(Notice.person_id).where(*service.OPEN)),
    )
    people = uow.session.scalars(wanting).all()
    for person_id in people:
        # never unread: the portal lists the notices themselves
        notice = Notice(id=new_id(), person_id=person_id, code=DIGEST, created_at=uow.now, read_at=uow.now)
        uow.session.add(notice)
        uow.session.flush()
        deliveries.add(uow, notice, [deliveries.MAIL])
    return len(people)


def _begin_of_day(uow: UnitOfWork) -> datetime:
    """Return the last moment at which digests were due."""
    local = uow.now.astimezone(ZoneInfo(uow.rules.zone))
    due = datetime.combine(local.date(), AT, local.tzinfo)
    if local < due:
        due = datetime.combine(local.date() - timedelta(days=1), AT, local.tzinfo)
    return due.astimezone(uow.now.tzinfo)

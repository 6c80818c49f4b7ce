"""Remove objects of attachments that nobody wants, and copies and numbers of cards whose time is over.

Both run again without harm: an object that is gone is no error, and what is left to do is read from the database.
"""

from datetime import timedelta
from functools import partial

from services.database.leases import Lease
from services.database.unit_of_work import Actor, Database
from services.domain.applications import outsiders
from services.domain.attachments import retention, uploads
from services.runtime.periodic import run_each
from services.runtime.threads import run_in_thread
from services.vault.store.breaker import Breaker, shuffled
from services.vault.store.protocol import Store, discard

ACTOR = Actor("system", "sweeper")
AT_ONCE = 50
LEASE, LENGTH = "attachments", timedelta(minutes=10)


async def sweep(database: Database, store: Store, *, all_open: bool) -> int:
    """Remove what is due, in one process of several; return the number of objects.

    ``all_open`` at the start of the only process that uploads. Raises Retryable where a store is away, or has not done
    its part for an object, after all else was removed.
    """
    lease = Lease(database, LEASE, LENGTH)
    if not await lease.hold():
        return 0
    breaker = Breaker()
    duties = (
        partial(_purge_numbers, database),
        partial(_purge, database, store, breaker),
        partial(_remove_unwanted, database, store, breaker, all_open=all_open),
    )
    try:
        removed = sum(await run_each(ACTOR.id, duties))
    finally:
        await lease.release()
    breaker.raise_first()
    return removed


async def _purge_numbers(database: Database) -> int:
    while await database.run(ACTOR, outsiders.purge, AT_ONCE) == AT_ONCE:
        pass
    return 0  # no objects


async def _purge(database: Database, store: Store, breaker: Breaker) -> int:
    purged, kept = 0, set[str]()
    while due := [
        one
        for one in await database.read(ACTOR, retention.list_to_purge, AT_ONCE + len(kept))
        if one.attachment_id not in kept
    ]:
        for one in shuffled(due):
            # asked again for each: its case may be held since it was listed
            if not await database.run(ACTOR, retention.may_purge, one.attachment_id):
                kept.add(one.attachment_id)
            elif await breaker.is_done(_discard(store, one.key), one.key):
                await database.run(ACTOR, retention.record_purge, [one.attachment_id])
                purged += 1
            else:
                kept.add(one.attachment_id)
    return purged


async def _remove_unwanted(database: Database, store: Store, breaker: Breaker, *, all_open: bool) -> int:
    removed, kept = 0, set[str]()
    while due := [
        one
        for one in await database.read(ACTOR, uploads.list_to_sweep, AT_ONCE + len(kept), all_open=all_open)
        if one[0] not in kept
    ]:
        await database.run(ACTOR, uploads.give_up, [upload_id for upload_id, _ in due])
        for upload_id, key in shuffled(due):
            if await breaker.is_done(_discard(store, key), key):
                await database.run(ACTOR, uploads.mark_swept, [upload_id])
                removed += 1
            else:
                kept.add(upload_id)
    return removed


async def _discard(store: Store, key: str) -> None:
    await run_in_thread(discard, store, uploads.BUCKET, key)

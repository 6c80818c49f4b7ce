"""Remove objects of attachments that nobody wants, and copies and numbers of cards whose time is over.

Both run again without harm: an object that is gone is no error, and what is left to do is read from the database.
"""

from datetime import timedelta

from services.database.leases import Lease
from services.database.unit_of_work import Actor, Database
from services.domain.applications import outsiders
from services.domain.attachments import retention, uploads
from services.runtime.threads import run_in_thread
from services.vault.store.protocol import Store, discard
from services.vault.store.removal import is_removed

ACTOR = Actor("system", "sweeper")
AT_ONCE = 50
LEASE, LENGTH = "attachments", timedelta(minutes=10)


async def sweep(database: Database, store: Store, *, all_open: bool) -> int:
    """Remove what is due, in one process of several; return the number of objects.

    ``all_open`` at the start of the only process that uploads. Raises Retryable where a store is away.
    """
    lease = Lease(database, LEASE, LENGTH)
    if not await lease.hold():
        return 0
    try:
        removed = await _remove_unwanted(database, store, all_open=all_open) + await _purge(database, store)
        while await database.run(ACTOR, outsiders.purge, AT_ONCE) == AT_ONCE:
            pass
        return removed
    finally:
        await lease.release()


async def _remove_unwanted(database: Database, store: Store, *, all_open: bool) -> int:
    removed, kept = 0, set[str]()
    while due := [
        one
        for one in await database.read(ACTOR, uploads.list_to_sweep, AT_ONCE + len(kept), all_open=all_open)
        if one[0] not in kept
    ]:
        await database.run(ACTOR, uploads.give_up, [upload_id for upload_id, _ in due])
        gone = [upload_id for upload_id, key in due if await _discard(store, key)]
        kept |= {upload_id for upload_id, _ in due}.difference(gone)
        if gone:
            await database.run(ACTOR, uploads.mark_swept, gone)
        removed += len(gone)
    return removed


async def _purge(database: Database, store: Store) -> int:
    purged, kept = 0, set[str]()
    while due := [
        one
        for one in await database.read(ACTOR, retention.list_to_purge, AT_ONCE + len(kept))
        if one.attachment_id not in kept
    ]:
        gone = [
            one.attachment_id
            for one in due
            # asked again for each: its case may be held since it was listed
            if await database.run(ACTOR, retention.may_purge, one.attachment_id) and await _discard(store, one.key)
        ]
        kept |= {one.attachment_id for one in due}.difference(gone)
        if gone:
            await database.run(ACTOR, retention.record_purge, gone)
        purged += len(gone)
    return purged


async def _discard(store: Store, key: str) -> bool:
    """Return whether the store has nothing under the key any more."""
    return await is_removed(run_in_thread(discard, store, uploads.BUCKET, key), key)

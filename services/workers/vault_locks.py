"""Lock what a case has in the stores, attachments too, file its documents, dispose of masters that no loan needs.

Rows come first: what is left to do is read from the database, done in the stores, and recorded. Each act may run twice,
and a run that dies is caught up by the next one (docs/sealing.md, "Locks and deletion").
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from services.database.leases import this_process
from services.database.unit_of_work import Actor, Database
from services.domain.attachments import retention as attachment_retention
from services.domain.attachments.retention import AttachmentLock
from services.domain.custody import locks
from services.domain.custody.locks import DocumentToFile, MasterLock, StoredObject
from services.domain.documents.service import Filed
from services.runtime.errors import Fatal
from services.runtime.logs import get_logger
from services.runtime.periodic import run_each
from services.runtime.threads import run_in_thread
from services.vault.keys.signer import Signer
from services.vault.labels import label_key
from services.vault.store.protocol import Store, StoreLocked, StoreMissing, keep_until
from services.workers import document_filing

Row = TypeVar("Row")

log = get_logger(__name__)

ACTOR = Actor("system", "locks")
AT_ONCE = 50  # rows that one step reads and acts on
FILED_AT_ONCE = 10  # documents, whose PDFs take their time to set


def hold(store: Store, lock: MasterLock) -> None:
    """Lock a master and its label. Of one that nobody needs nothing may be missing any more: it is disposed of."""
    _hold(store, lock.stored, lock)
    label = label_of(store, lock)
    if label is not None:
        _hold(store, label, lock)


def hold_replica(replica_store: Store | None, lock: MasterLock) -> None:
    """Lock the replica of a master, where it has one."""
    if lock.replica is not None:
        _hold(_second(replica_store, lock), lock.replica, lock)


def _hold(store: Store, kept: StoredObject, lock: MasterLock) -> None:
    try:
        keep_until(store, kept.bucket, kept.key, kept.version_id, lock.until, hold=lock.hold)
    except StoreMissing:
        if not lock.unneeded:
            raise


def dispose(store: Store, replica_store: Store | None, lock: MasterLock) -> None:
    """Delete a master that nobody needs, its label and its replica, by their versions; raises StoreLocked."""
    label = label_of(store, lock)
    if lock.replica is not None:
        _second(replica_store, lock).delete(lock.replica.bucket, lock.replica.key, lock.replica.version_id)
    for kept in (label, lock.stored):
        if kept is not None:
            store.delete(kept.bucket, kept.key, kept.version_id)


def label_of(store: Store, lock: MasterLock) -> StoredObject | None:
    """Return the label beside a master; None where there is none."""
    bucket, key = lock.stored.bucket, label_key(lock.stored.key)
    facts = store.stat(bucket, key, lock.label_version)
    return None if facts is None else StoredObject(bucket, key, facts.version_id)


def _second(replica_store: Store | None, lock: MasterLock) -> Store:
    if replica_store is None:
        raise Fatal(
            f"could not lock or dispose of a replica | of the master {lock.master_id} | this process has no second "
            "store | give it the settings of the replica"
        )
    return replica_store


async def lock_master(
    database: Database, actor: Actor, store: Store, item_id: str, replica_store: Store | None = None
) -> None:
    """Lock an item's master, with label and replica, once their row has committed; nothing where it is done."""
    lock = await database.read(actor, locks.get_of_item, item_id)
    if lock is None:
        return
    await run_in_thread(hold, store, lock)
    if lock.replica is None or replica_store is not None:
        await run_in_thread(hold_replica, replica_store, lock)
        await database.run(actor, locks.record, [lock])


class LockKeeper:
    """Does what is left to do with locks, for all cases; one for each process that has both stores and the seal.

    A step goes on after the rows of the step before, and from the beginning once it has seen all: what cannot be done
    holds up nothing behind it, nor does an object that raises each time it is touched.
    """

    def __init__(
        self, database: Database, store: Store, replica_store: Store | None, signer: Callable[[], Signer]
    ) -> None:
        self._database = database
        self._store = store
        self._replica_store = replica_store
        self._signer = signer
        self._holder = f"{this_process()}:locks:{id(self)}"
        self._after: dict[str, str] = {}
        self._refused = 0  # disposals, of those that were seen since the beginning

    async def run(self) -> bool:
        """Take one step of each kind; return whether there is more to do now.

        Raises the first fault of a step after the other steps were taken: a Retryable of what is away, or a defect.
        """
        steps = (self._renew, self._lock, self._lock_attachments, self._file, self._dispose)
        return any(await run_each("locks", steps))

    async def _renew(self) -> bool:
        lapsing = await self._database.read(ACTOR, locks.list_lapsing, AT_ONCE)
        if lapsing:
            await self._database.run(ACTOR, locks.renew, lapsing)
        return bool(lapsing)

    async def _lock(self) -> bool:
        due = await self._database.read(ACTOR, locks.list_due, self._after.get("lock", ""), AT_ONCE)
        more = self._go_on("lock", [lock.master_id for lock in due], AT_ONCE)
        kept, away = await _each(due, _in_thread(partial(hold, self._store)))
        # the second store may be away: what has no replica is done by then
        replicated = [lock for lock in kept if lock.replica is not None]
        second, second_away = await _each(replicated, _in_thread(partial(hold_replica, self._replica_store)))
        if held := [lock for lock in kept if lock.replica is None] + second:
            await self._database.run(ACTOR, locks.record, held)
        if (at := second_away or away) is not None:
            self._after["lock"] = at.row.master_id
            raise at.fault
        return more

    async def _lock_attachments(self) -> bool:
        after = self._after.get("attachments", "")
        due = await self._database.read(ACTOR, attachment_retention.list_due, after, AT_ONCE)
        more = self._go_on("attachments", [lock.attachment_id for lock in due], AT_ONCE)

        def lock(one: AttachmentLock) -> None:
            keep_until(self._store, one.bucket, one.key, one.version_id, one.until)

        held, away = await _each(due, _in_thread(lock))
        if held:
            await self._database.run(ACTOR, attachment_retention.record, held)
        if away is not None:
            self._after["attachments"] = away.row.attachment_id
            raise away.fault
        return more

    async def _file(self) -> bool:
        after = self._after.get("file", "")
        due, checkpoint = await self._database.read(ACTOR, locks.list_to_file, after, FILED_AT_ONCE)
        more = self._go_on("file", [one.document.id for one in due], FILED_AT_ONCE)
        if not due:
            return more
        numbers = [one.document.number for one in due]
        claimed = await self._database.run(ACTOR, locks.claim_documents, numbers, self._holder)
        filed: dict[str, Filed] = {}

        def file(one: DocumentToFile) -> None:
            filed[one.document.number] = document_filing.file(self._store, self._signer(), one, checkpoint)

        away = None
        try:
            _, away = await _each([one for one in due if one.document.number in claimed], _in_thread(file))
        finally:
            until = {one.document.number: one.until for one in due}
            told = {one.document.number: one.hold for one in due}
            done = partial(locks.record_filing, claimed=claimed, holder=self._holder)
            await self._database.run(ACTOR, done, filed, until, told)
        if away is not None:
            self._after["file"] = away.row.document.id
            raise away.fault
        return more

    async def _dispose(self) -> bool:
        ended = await self._database.read(ACTOR, locks.list_to_dispose, self._refused, AT_ONCE)
        more = len(ended) >= AT_ONCE
        held: list[str] = []  # since they were listed, so that no list has them any more

        async def dispose_unless_held(listed: MasterLock) -> None:
            lock = await self._database.run(ACTOR, locks.get_to_dispose, listed.master_id)
            if lock is None:
                held.append(listed.master_id)
            else:
                await run_in_thread(dispose, self._store, self._replica_store, lock)

        done, away = await _each(ended, dispose_unless_held)
        gone = [lock.master_id for lock in done if lock.master_id not in held]
        tried = len(ended) if away is None else ended.index(away.row) + 1
        self._refused = self._refused + tried - len(done) if more or away is not None else 0
        if gone:
            await self._database.run(ACTOR, locks.record_disposal, gone)
        if away is not None:
            raise away.fault
        return more

    def _go_on(self, step: str, ids: Sequence[str], limit: int) -> bool:
        """Remember where the next run of the step begins; return whether there may be rows behind these."""
        more = len(ids) >= limit
        self._after[step] = ids[-1] if more else ""
        return more


@dataclass(frozen=True)
class _Stopped(Generic[Row]):
    """The row at which a store that is away, or a defect, has stopped a step."""

    row: Row
    fault: Exception


def _in_thread(act: Callable[[Row], None]) -> Callable[[Row], Awaitable[None]]:
    return lambda row: run_in_thread(act, row)


async def _each(rows: Sequence[Row], act: Callable[[Row], Awaitable[None]]) -> tuple[list[Row], _Stopped[Row] | None]:
    """Act on rows; return those that are done, and where a fault of the store or a defect has stopped it.

    What a store refuses for good or for now is logged and tried again.
    """
    done: list[Row] = []
    for row in rows:
        try:
            await act(row)
        except (Fatal, StoreLocked) as error:
            log.error("a lock or a disposal could not be made and is tried again", cause=str(error))  # noqa: TRY400  # says all
        except Exception as error:  # noqa: BLE001  # the caller raises it, once what is done is recorded
            return done, _Stopped(row, error)
        else:
            done.append(row)
    return done, None

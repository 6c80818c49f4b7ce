"""Sign the head of the audit trail, and anchor it under object lock (docs/sealing.md).

Only the portal does so, because it alone holds the log key. No act waits for it: it reads what is committed.
"""

import io
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta

from services.database.tables.audit import AuditCheckpoint
from services.database.unit_of_work import Actor, Database
from services.domain.audit import checkpoints
from services.domain.audit.checkpoints import AnchorRequest
from services.runtime.errors import Fatal, Retryable
from services.runtime.logs import get_logger
from services.runtime.periodic import Periodic
from services.runtime.threads import run_in_thread
from services.vault.envelopes import TimeStamper
from services.vault.keys.log_key import LogKey
from services.vault.store.protocol import Store, StoreConflict, StoreLocked

log = get_logger(__name__)
ACTOR = Actor("system", "log")
BUCKET = "documents"
FOLDER = "checkpoints/"


class CheckpointPublisher:
    """One for each process. Portals share the log: no checkpoint is signed or anchored twice."""

    name = "checkpoints"

    def __init__(
        self,
        database: Database,
        key: LogKey,
        store: Store,
        *,
        every: timedelta,
        anchor_every: timedelta,
        time_stamper: TimeStamper | None = None,
    ) -> None:
        self._database = database
        self._key = key
        self._store = store
        self._periodic = Periodic("checkpoints", every, self._sign_and_anchor)
        self._anchor_every = anchor_every
        self._time_stamper = time_stamper
        self._swept = False

    async def run(self) -> None:
        """Sign and anchor at once, then every so often and when it is woken, until cancelled."""
        await self._periodic.run()

    def wake(self) -> None:
        """Run now, because the clock was turned."""
        self._periodic.wake()

    async def _sign_and_anchor(self) -> None:
        await self.sign()
        await self.anchor()

    async def sign(self) -> AuditCheckpoint | None:
        """Sign the events since the last checkpoint; None without any, or after a logged failure."""
        try:
            return await self._database.run(ACTOR, checkpoints.sign, self._key.known, self._key.sign)
        except Retryable as error:
            log.warning("no checkpoint was signed", cause=str(error))
        except Fatal as error:
            log.error("no checkpoint was signed", cause=str(error))  # noqa: TRY400  # the sentence says all
        return None

    async def anchor(self) -> None:
        """Anchor the newest checkpoint when due; the next run retries a store that is down."""
        try:
            if not self._swept:
                await run_in_thread(self._sweep, await self._database.run(ACTOR, checkpoints.list_unanchored))
                self._swept = True
            due = await self._database.run(ACTOR, checkpoints.get_due_anchor, self._anchor_every)
            if due is not None:
                key, version, token = await run_in_thread(self._put, due)
                await self._database.run(ACTOR, checkpoints.record_anchor, due, BUCKET, key, version, token=token)
        except Retryable as error:
            log.warning("no checkpoint was put under a lock", cause=str(error))
        except (Fatal, StoreConflict) as error:
            log.error("no checkpoint was put under a lock", cause=str(error))  # noqa: TRY400  # as above

    def _sweep(self, sizes: Sequence[int]) -> None:
        """Remove the partial objects of a process that died while it wrote."""
        for size in sizes:
            self._store.sweep(BUCKET, f"{FOLDER}{size}")

    def _put(self, due: AnchorRequest) -> tuple[str, str, bytes | None]:
        """Store the note unless an earlier run did; return key, version and time stamp."""
        data = due.note.encode()
        key = f"{FOLDER}{due.size}"
        stored = self._store.stat(BUCKET, key)
        if stored is not None and b"".join(self._store.get(BUCKET, key, version_id=stored.version_id)) != data:
            # A restored database has grown to the same size with other events.
            key = f"{FOLDER}{due.size}-{due.sha256[:16]}"
            stored = self._store.stat(BUCKET, key)
        if stored is None:
            self._store.sweep(BUCKET, key)
            metadata = {"kind": "checkpoint", "sha256": due.sha256}
            version = self._store.put(
                BUCKET, key, io.BytesIO(data), metadata=metadata, content_type="text/plain; charset=utf-8"
            ).version_id
        else:
            version = stored.version_id
        with suppress(StoreLocked):  # another portal retains it for longer
            self._store.retain(BUCKET, key, version, due.retain_until)
        return key, version, self._time_stamper.stamp(data) if self._time_stamper is not None else None

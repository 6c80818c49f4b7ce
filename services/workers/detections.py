"""Look for faces in the copies for which boxes are to be proposed, one at a time (R58).

It runs beside the process that makes redacted copies, with the loan keys and without the vault's; a run whose process
ended is begun anew by the next one, and nothing is in the store that would have to be swept.
"""

import asyncio
from datetime import timedelta

import anyio

from services.database.leases import Lease
from services.database.unit_of_work import Actor, Database
from services.domain.custody import derivatives, detections
from services.domain.custody.detections import Order
from services.runtime.errors import Fatal, Retryable
from services.runtime.logs import get_logger
from services.runtime.periodic import Beat
from services.runtime.threads import run_in_thread
from services.vault.age import AgeError
from services.vault.keys.vault_keys import KeyGone, LoanKeys
from services.vault.redaction.detection import Detection
from services.vault.sealing import MasterSource, Sealed, scan
from services.vault.store.protocol import Store

log = get_logger(__name__)

ACTOR = Actor("system", "detections")
LEASE, LENGTH = "detections", timedelta(minutes=2)
REPORT_EVERY = 2.0  # seconds between two notes of how far a run has come


class _NotWanted(Exception):
    """The copy opens no more, or another run has taken over."""


class DetectionMaker:
    """Looks through what waits, one after another; one process of all does it at a time."""

    def __init__(self, database: Database, store: Store, loan_keys: LoanKeys, *, lease: Lease | None = None) -> None:
        self._database = database
        self._store = store
        self._loan_keys = loan_keys
        self.lease = lease or Lease(database, LEASE, LENGTH)

    async def run(self) -> bool:
        """Look through one copy; return whether more may wait. Raises Retryable where a part is away."""
        if not await self.lease.hold():
            return False
        await self._database.run(ACTOR, detections.forget)
        order = await self._database.run(ACTOR, detections.begin)
        if order is None:
            return False
        try:
            search = await self._search(order)
        except _NotWanted:
            return True
        except (Fatal, AgeError) as error:
            log.error("no boxes can be proposed", detection=order.detection_id, cause=str(error))  # noqa: TRY400  # says all
            await self._database.run(ACTOR, detections.fail, order, str(error))
            return True
        except Retryable as error:
            because = None if error.away is not None else str(error)
            await self._database.run(ACTOR, detections.give_up, order, because)
            raise
        except asyncio.CancelledError:
            with anyio.CancelScope(shield=True):
                await self._database.run(ACTOR, detections.give_up, order, None)
            raise
        facts = {"pictures": search.pictures, "lookedAt": search.looked_at}
        proposals = search.proposals(derivatives.length_ms(order.copy))
        await self._database.run(ACTOR, detections.finish, order, proposals, facts)
        return True

    async def _search(self, order: Order) -> Detection:
        """Look through it, while how far it has come is noted and the lease is kept."""
        reached = [0, 0]

        def note(pictures: int, at: int) -> None:
            reached[:] = [pictures, at]

        search = Detection(progress=note)
        looking = asyncio.create_task(self._look(order, search))
        beat = Beat(self.lease.name)
        try:
            while not (await asyncio.wait({looking}, timeout=REPORT_EVERY))[0]:
                beat(*reached)
                wanted = await self._database.run(ACTOR, detections.record_progress, order, *reached)
                if not await self.lease.hold() or not wanted:
                    raise _NotWanted
            await looking
            return search
        finally:
            looking.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.gather(looking, return_exceptions=True)

    async def _look(self, order: Order, search: Detection) -> None:
        try:
            unwrapper = await run_in_thread(self._loan_keys.unwrapper, order.copy_id)
        except KeyGone as error:
            raise _NotWanted from error
        await scan(MasterSource(self._store, Sealed.from_json(order.copy), order.channel, unwrapper), search.search)

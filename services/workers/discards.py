"""Discard what closed cases have kept, once no appeal is possible and nothing holds them (T6, R67, F34).

The loan keys of copies that were replaced go first, while their case goes on: nothing waits for them (T2).

The rows come first, as everywhere: what is to go is read from the database, deleted, and recorded, one by one. A run
that dies is done again by the next one, and a case that is held meanwhile keeps what is still there.
"""

from services.database.unit_of_work import Actor, Database
from services.domain.custody import discards
from services.domain.custody.discards import Leftover
from services.runtime.threads import run_in_thread
from services.vault.keys.vault_keys import LoanKeys
from services.vault.store.breaker import Breaker
from services.vault.store.protocol import Store
from services.workers import vault_actions

ACTOR = Actor("system", "discards")
AT_ONCE = 50  # cases of one step


class Discarder:
    """Discards what is due, some cases at a time; one for each process that may delete in the store.

    A step goes on after the cases of the step before, so that those that cannot be done hold up none behind them.
    """

    def __init__(self, database: Database, store: Store, loan_keys: LoanKeys) -> None:
        self._database = database
        self._store = store
        self._loan_keys = loan_keys
        self._after = ""

    async def run(self) -> bool:
        """Discard what some cases have left; return whether there may be more.

        Raises StoreDown where the store is away, or has not done its part for one of them.
        """
        more = await self._destroy_keys()
        due = await self._database.read(ACTOR, discards.list_due, self._after, AT_ONCE)
        full, self._after, breaker = len(due) == AT_ONCE, "", Breaker()
        for application_id in due:
            self._after = application_id if full or application_id != due[-1] else ""
            await self._discard(application_id, breaker)
        breaker.raise_first()
        return more or full

    async def _destroy_keys(self) -> bool:
        """Destroy the loan keys of replaced copies; return whether there may be more."""
        due = await self._database.read(ACTOR, discards.list_keys_of_replaced, AT_ONCE)
        for copy_id in due:
            await run_in_thread(self._loan_keys.destroy, copy_id)
        if due:
            await self._database.run(ACTOR, discards.record_keys, due)
        return len(due) == AT_ONCE

    async def _discard(self, application_id: str, breaker: Breaker) -> None:
        passed = set[str]()
        gone: Leftover | None = None
        while (left := await self._database.run(ACTOR, discards.begin, application_id, gone, passed)) is not None:
            stored, gone = left.stored, left
            if stored is not None:
                deletion = vault_actions.discard(self._store, stored.bucket, stored.key)
                if not await breaker.is_done(deletion, stored.key):
                    passed.add(left.id)
                    gone = None

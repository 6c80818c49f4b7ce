"""Delete what two people have agreed to dispose of, item by item, at both places (R52).

The rows come first, as everywhere. Before each object its case is locked and asked whether anything holds it; what the
stores answer is recorded, also of an item that a store which is away, or a hold, has stopped half-way. Where nothing
holds it the next run goes on.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.custody import disposals
from services.domain.custody.disposals import MASTER, SECOND, Deletion, Target
from services.domain.matters import disposal_sheet
from services.runtime.errors import Fatal
from services.runtime.threads import run_in_thread
from services.vault.keys.vault_keys import LoanKeys
from services.vault.labels import label_key
from services.vault.store.breaker import Breaker
from services.vault.store.protocol import Store

ACTOR = Actor("system", "disposals")
AT_ONCE = 50  # items of one step
LABEL = "label"


class Disposer:
    """Deletes what is due, some items at a time; one for each process that has both stores and the loan keys.

    A step goes on after the items of the step before, so that those that cannot be deleted hold up none behind them.
    """

    def __init__(
        self, database: Database, store: Store, replica_store: Store | None, loan_keys: Callable[[], LoanKeys]
    ) -> None:
        self._database = database
        self._store = store
        self._replica_store = replica_store
        self._loan_keys = loan_keys
        self._after = ""

    async def run(self) -> bool:
        """Delete some items; return whether there may be more.

        Raises StoreDown where a store is away, or has not done its part for one of them.
        """
        due = await self._database.read(ACTOR, disposals.list_due, self._after, AT_ONCE)
        full, self._after, breaker = len(due) == AT_ONCE, "", Breaker()
        for item_id in due:
            self._after = item_id if full or item_id != due[-1] else ""
            await breaker.is_done(self._dispose(item_id), item_id)
        breaker.raise_first()
        return full

    async def _dispose(self, item_id: str) -> None:
        deletion = first = await self._database.run(ACTOR, _begin, item_id, ())
        answers: list[dict[str, str]] = []
        while deletion is not None and deletion.targets:
            try:
                await run_in_thread(self._delete, deletion.targets[0], answers)
            except BaseException:
                # a version that is gone stays so: what was answered is no less true because the rest is still there
                await self._database.run(ACTOR, disposals.record, item_id, answers)
                raise
            deletion = await self._database.run(ACTOR, _begin, item_id, tuple(answers))
        if first is None or deletion is None:
            return
        for copy_id in deletion.copy_ids:
            await run_in_thread(self._loan_keys().destroy, copy_id)
        await self._database.run(ACTOR, _stop if deletion.held else _finish, deletion, answers)

    def _delete(self, target: Target, answers: list[dict[str, str]]) -> None:
        """Delete one object by its version, its label first: an object without one is still found by the register."""
        store, stored = self._place(target), target.stored
        if target.place != SECOND:
            key = label_key(stored.key)
            label = store.stat(stored.bucket, key, target.label_version if target.what == MASTER else None)
            if label is not None:
                store.delete(stored.bucket, key, label.version_id)
                answers.append(_answer(target, LABEL, key, label.version_id, there=True))
        there = store.delete(stored.bucket, stored.key, stored.version_id)
        answers.append(_answer(target, target.what, stored.key, stored.version_id, there=there))

    def _place(self, target: Target) -> Store:
        if target.place != SECOND:
            return self._store
        if self._replica_store is None:
            raise Fatal(
                f"could not dispose of a replica | {target.stored.key} | this process has no second store | give it "
                "the settings of the replica"
            )
        return self._replica_store


def _begin(uow: UnitOfWork, item_id: str, answers: Sequence[Mapping[str, str]]) -> Deletion | None:
    """Begin an item, or go on with it after these answers; where it was the last one, its batch is finished."""
    if answers:
        disposals.record(uow, item_id, answers)
        uow.session.flush()
    deletion = disposals.begin(uow, item_id)
    if deletion is None:
        disposal_sheet.write_if_finished(uow, disposals.get_batch(uow, item_id))
    return deletion


def _finish(uow: UnitOfWork, deletion: Deletion, answers: list[dict[str, str]]) -> None:
    disposal_sheet.write_if_finished(uow, disposals.finish(uow, deletion, answers))


def _stop(uow: UnitOfWork, deletion: Deletion, _answers: list[dict[str, str]]) -> None:
    disposal_sheet.write_if_finished(uow, disposals.stop(uow, deletion))


def _answer(target: Target, what: str, key: str, version: str, *, there: bool) -> dict[str, Any]:
    answer = "deleted" if there else "absent"
    return {"place": target.place, "what": what, "key": key, "version": version, "answer": answer}

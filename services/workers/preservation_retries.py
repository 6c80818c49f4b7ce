"""Preserve again what could not be preserved, while its case is decided (T4, docs/failures.md F1).

The step of the process ends with its failures counted, so that no recorder holds up a decision. What failed is a row of
the database: it is tried again by this task, beside the process and whatever version of the model the case runs on.
"""

import anyio
from anyio.abc import TaskGroup

from services.database.unit_of_work import Database
from services.domain.retrieval import preservations
from services.recorders.job_places import JobPlaces
from services.runtime.periodic import Periodic, report_failure
from services.vault.keys.vault_keys import VaultKeys
from services.vault.store.protocol import Store
from services.workers import preserve_footage
from services.workers.sources import Recorders

NAME = "preservations"


class PreservationRetries:
    """Tries again what is due; several processes share it.

    A run claims and begins: a long fetch holds up no other item, and is no run that is late. At most ``at_once`` items
    are preserved side by side, those of jobs in this process included, which begin all the same: each recorder has its
    ``places`` for both together.
    """

    name = NAME

    def __init__(
        self,
        database: Database,
        store: Store,
        vault_keys: VaultKeys,
        *,
        recorders: Recorders,
        places: JobPlaces,
        at_once: int,
    ) -> None:
        self._database = database
        self._store = store
        self._vault_keys = vault_keys
        self._recorders = recorders
        self._places = places
        self._at_once = at_once
        self._running: set[str] = set()
        self._periodic = Periodic(NAME, preservations.RENEWED_EVERY, self._begin)
        self._group: TaskGroup | None = None

    async def run(self) -> None:
        """Run until cancelled."""
        async with anyio.create_task_group() as group:
            self._group = group
            await self._periodic.run()

    def wake(self) -> None:
        """Look now for what is due. Any thread may call it."""
        self._periodic.wake()

    async def _begin(self) -> None:
        if self._group is not None:
            await self.begin(self._group)

    async def begin(self, group: TaskGroup) -> None:
        """Begin to try what is due, in tasks of the group."""
        room = self._at_once - max(len(self._running), self._places.taken(preserve_footage.JOB_TYPE))
        due = await self._database.run(preserve_footage.ACTOR, preservations.claim_due, tuple(self._running), room)
        for item_id in due:
            self._running.add(item_id)
            group.start_soon(self._retry, item_id)

    async def _retry(self, item_id: str) -> None:
        try:
            await preserve_footage.retry(
                item_id,
                self._database,
                self._store,
                self._vault_keys,
                recorders=self._recorders,
                places=self._places,
            )
        except Exception as error:  # noqa: BLE001  # no item ends the others; its claim lapses, and it is tried again
            report_failure(NAME, error)
        finally:
            self._running.discard(item_id)
            self.wake()

"""Read the health of the stores now and then: disks, redundancy, free space (R10)."""

from collections.abc import Mapping
from datetime import timedelta
from functools import partial

from services.database.leases import Lease
from services.database.unit_of_work import Actor, Database
from services.domain.storage import health
from services.runtime.settings.stores import StorePlace
from services.runtime.threads import run_in_thread
from services.vault.store.health import read_health

EVERY = timedelta(minutes=5)
ACTOR = Actor("system", "store-health")


class StoreHealthReader:
    """Reads the health of the stores at ``places``, by their names in the register: vault, replica."""

    def __init__(self, database: Database, places: Mapping[str, StorePlace], *, least_free_percent: int) -> None:
        self._database = database
        self._places = dict(places)
        self._read = partial(read_health, least_free_percent=least_free_percent)
        self.lease = Lease.between_runs(database, "store-health", EVERY)

    async def run(self) -> None:
        """Read each store, and keep what it has told."""
        read = [(store, await run_in_thread(self._read, place)) for store, place in self._places.items()]
        await self._database.run(ACTOR, health.keep_stores, read)

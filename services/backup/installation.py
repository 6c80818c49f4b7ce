"""The installation that is backed up or restored: settings, clock, stores, database."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

from services.backup.inventory import Stores
from services.database.unit_of_work import Actor, Database
from services.domain.wiring import command_database
from services.runtime import data_folder
from services.runtime.clock import Clock
from services.runtime.settings import Settings
from services.vault.store.opening import open_store

ACTOR = Actor("system", "maintenance")


@dataclass(frozen=True)
class Installation:
    """What a backup reads and a restore writes; a test gives its own clock and stores."""

    settings: Settings
    clock: Clock
    stores: Stores

    @classmethod
    def of(cls, settings: Settings, *, read_only: bool = False) -> "Installation":
        """Build it from the settings; check the buckets and make missing ones, unless ``read_only``.

        Raises SettingsError, Fatal or Retryable.
        """
        clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
        stores = {
            "primary": open_store(settings.store_place, clock),
            "replica": open_store(settings.replica_place, clock),
        }
        if not read_only:
            for store in stores.values():
                store.ensure()
        return cls(settings, clock, stores)

    def database(self) -> AbstractContextManager[Database]:
        return command_database(self.settings, self.clock)

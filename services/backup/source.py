"""Whose backup it is: settings, clock and stores, as they are or as a test gives them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from services.backup.inventory import Stores
from services.database.unit_of_work import Actor, Database
from services.domain.wiring import open_database
from services.runtime import data_folder
from services.runtime.clock import Clock
from services.runtime.rules import rules_of
from services.runtime.settings import Settings
from services.vault.store.opening import open_store

ACTOR = Actor("system", "keeping")


@dataclass(frozen=True)
class Premises:
    settings: Settings
    clock: Clock
    stores: Stores

    @classmethod
    def of(cls, settings: Settings, *, only_to_look: bool = False) -> "Premises":
        """As the settings say; the buckets are checked, and those missing made, unless it is only to look.

        Raises SettingsError, Fatal or Retryable with a sentence.
        """
        clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
        stores = {
            "store": open_store(settings.store_place, clock),
            "replica": open_store(settings.replica_place, clock),
        }
        if not only_to_look:
            for store in stores.values():
                store.ensure()
        return cls(settings, clock, stores)

    @contextmanager
    def database(self) -> Iterator[Database]:
        database = open_database(self.settings.database, self.clock, rules_of(self.settings))
        try:
            yield database
        finally:
            database.close()

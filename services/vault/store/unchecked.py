"""A store that did not answer when it was opened: it is checked before it is first read or written."""

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, cast

from services.vault.store.protocol import Store, StoreDown

PAUSE = 5.0  # seconds after a check without an answer in which no other is made


class UncheckedStore:
    """Stands for ``store`` and lets no call through until ``check`` has passed once.

    Every call raises what the check raises: StoreDown while the store does not answer, and Fatal for one without object
    lock or without the buckets of the installation.
    """

    def __init__(
        self, store: Store, check: Callable[[], None], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._check = check
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._passed = False
        self._silent: tuple[float, str] | None = None

    @classmethod
    def of(cls, store: Store, check: Callable[[], None]) -> Store:
        """Return it as the store that it stands for."""
        return cast("Store", cls(store, check))

    def __getattr__(self, name: str) -> Any:
        known = getattr(self._store, name)
        if name == "describe" or not callable(known):
            return known

        def call(*arguments: Any, **named: Any) -> Any:
            self.check()
            return known(*arguments, **named)

        return call

    def get(self, *arguments: Any, **named: Any) -> Iterator[bytes]:
        """Errors come with the first piece, as those of the store itself; so nothing blocks before."""
        self.check()
        yield from self._store.get(*arguments, **named)

    def list_keys(self, *arguments: Any, **named: Any) -> Iterator[str]:
        self.check()
        yield from self._store.list_keys(*arguments, **named)

    def list_versions(self, *arguments: Any, **named: Any) -> Iterator[Any]:
        self.check()
        yield from self._store.list_versions(*arguments, **named)

    def check(self) -> None:
        """Check the store unless it has passed; within ``PAUSE`` after a silence raise that again."""
        if self._passed:
            return
        with self._lock:
            if self._passed:
                return
            if self._silent is not None and self._monotonic() - self._silent[0] < PAUSE:
                raise StoreDown(self._silent[1])
            try:
                self._check()
            except StoreDown as error:
                self._silent = self._monotonic(), str(error)
                raise
            self._passed = True

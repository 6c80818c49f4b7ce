"""How long records are kept: what is older goes a slice at a time, between batches, so that no command waits for it."""

import time
from datetime import timedelta

from services.engine.processing.core import Core

_EVERY_MS = 3_600_000
_PAUSE = 0.05


class Retention:
    """Used by the writer's thread alone."""

    def __init__(self, kept: timedelta) -> None:
        self._kept_ms = kept // timedelta(milliseconds=1)
        self._looked_at = 0
        self._next_slice = 0.0
        self.busy = False
        """There is more to delete."""

    def prune(self, core: Core, now: int) -> None:
        """Delete a slice, where it is time for one; ``now`` in ms."""
        if now - self._looked_at > _EVERY_MS:
            self._looked_at = now
            self.busy = True
        if self.busy and time.monotonic() >= self._next_slice:
            self.busy = core.prune_records(now - self._kept_ms)
            self._next_slice = time.monotonic() + _PAUSE

    def pause(self) -> float:
        """Seconds until the next slice."""
        return self._next_slice - time.monotonic()

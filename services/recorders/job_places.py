"""How many jobs of one kind may use one recorder at once in this process: one that hangs leaves the others a place.

The runner hands out one job more of each kind than ``limit``, so that a job for another recorder always finds a place.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from services.runtime.errors import NoPlace


class JobPlaces:
    """``limit`` places for each recorder and kind of work; used in one event loop."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.freed: list[Callable[[str], None]] = []
        """Called with what ``NoPlace.awaits`` says, whenever a place is given back."""
        self._taken: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def one(self, work: str, recorder_id: str) -> Iterator[None]:
        """Hold a place for the block; raises NoPlace, at once, where none is free."""
        place, awaits = (work, recorder_id), f"a place for {work} at recorder {recorder_id}"
        if self._taken[place] >= self.limit:
            raise NoPlace(
                f"the job waits for a place | recorder {recorder_id} is used by {self.limit} jobs of this process, as "
                "many as may use one",
                awaits=awaits,
            )
        self._taken[place] += 1
        try:
            yield
        finally:
            self._taken[place] -= 1
            for listener in self.freed:
                listener(awaits)

    def taken(self, work: str) -> int:
        """Return how many places are taken for a kind of work, at all recorders."""
        return sum(number for (kind, _), number in self._taken.items() if kind == work)

"""What a store does not do for one object holds up nothing behind it; three in a row are a store that is away."""

import random
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from services.runtime.errors import Fatal
from services.runtime.logs import get_logger
from services.vault.store.protocol import StoreDown, StoreLocked

Row = TypeVar("Row")

log = get_logger(__name__)

MOST_SILENT = 3  # objects in a row that a store does not give: it is away


class Breaker:
    """Passes over what a store does not do, and trips where it answers nothing any more.

    It stays tripped until the store answers: each further step of a run asks a store that is away once.
    """

    def __init__(self) -> None:
        self._first: Exception | None = None
        self._silent = 0  # in a row

    async def is_done(self, act: Awaitable[object], key: str) -> bool:
        """Wait for what a store is to do; False where it refuses it or does not answer, which is logged.

        The caller tries that again later. Raises StoreDown where it is the third in a row.
        """
        try:
            await act
        except StoreDown as error:
            self.pass_over(error, key)
            return False
        except (Fatal, StoreLocked) as error:
            log.error("something could not be done in a store and is tried again", key=key, cause=str(error))  # noqa: TRY400  # says all
            done = False
        else:
            done = True
        self.reset()
        return done

    def pass_over(self, fault: Exception, key: str, **named: str) -> None:
        """Go on behind what a store did not do; raises the fault where it is the third in a row."""
        self._first = self._first or fault
        self._silent += 1
        if self._silent >= MOST_SILENT:
            raise fault
        log.warning("a store did not answer for something, which is tried again", key=key, cause=str(fault), **named)

    def reset(self) -> None:
        """The store has answered."""
        self._silent = 0

    def raise_first(self) -> None:
        """Raise what was passed over first, if anything was: the run was not whole."""
        if self._first is not None:
            raise self._first


def shuffled(rows: Sequence[Row]) -> list[Row]:
    """Return the rows in any order: the same three that a store never gives do not trip each run before the others."""
    return random.sample(rows, len(rows))

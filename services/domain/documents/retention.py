"""Until when the stores lock what a case brings there: a provisional term, which only moves later (R6, R28, R52).

The database says the moment when it writes the row; the stores are told once that has committed, by the worker that
wrote it or by the periodic task (``workers.vault_locks``).
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from services.database.unit_of_work import UnitOfWork
from services.runtime.rules import LOCK_MARGIN

TOPIC = "locks"  # commits after which the stores have something to be told


class Retained(Protocol):
    """A master or a document."""

    retain_until: datetime | None
    lock_due_since: datetime | None


def provisional_end(uow: UnitOfWork) -> datetime:
    """Return until when a lock lasts that is laid or renewed now; whole seconds, as every store keeps them.

    A store counts in real time, so a clock that was turned back shortens nothing.
    """
    return (max(uow.now, uow.real_now) + uow.rules.lock_term).replace(microsecond=0)


def renewed_before(uow: UnitOfWork) -> datetime:
    """Return the moment before which no lock of an open case ends: what does is renewed."""
    return max(uow.now, uow.real_now) + LOCK_MARGIN / 2


def renew(uow: UnitOfWork, rows: Iterable[Retained]) -> None:
    """Begin the provisional term of those anew whose lock would end soon."""
    soon = renewed_before(uow)
    extend(
        uow,
        [row for row in rows if row.retain_until is None or row.retain_until < soon],
        provisional_end(uow),
    )


def extend(uow: UnitOfWork, rows: Iterable[Retained], until: datetime) -> None:
    """Move the end of these locks to ``until`` where it is earlier; the stores are to be told."""
    for row in rows:
        if row.retain_until is None or row.retain_until < until:
            row.retain_until = until
            make_due(uow, row)


def make_due(uow: UnitOfWork, row: Retained) -> None:
    """Have the stores told of the row's lock, once this has committed."""
    row.lock_due_since = row.lock_due_since or uow.now
    uow.after_commit.add(TOPIC)

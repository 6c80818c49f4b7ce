"""Runs that make a redacted copy or a package: given up, begun anew by another one, and swept of what they have left.

Each run has a key of its own in the store, and a row that is there before its first byte.
"""

from collections.abc import Collection
from typing import TypeVar

from sqlalchemy import ColumnElement, func, select

from services.database.tables.derivatives import DerivativeAttempt
from services.database.tables.evidence_packages import PackageAttempt
from services.database.unit_of_work import UnitOfWork
from services.runtime.errors import Retryable

Attempt = TypeVar("Attempt", DerivativeAttempt, PackageAttempt)

BUCKET = "copies"  # each under a key of its own as well
MOST_RUNS = 5  # that fail by themselves, and not because a part is away
FAILED, AWAY = "it has failed", "a part was away"


def give_up(uow: UnitOfWork, attempt: DerivativeAttempt | PackageAttempt, because: str) -> None:
    """Give an open run up; its key is to be swept."""
    if attempt.abandoned_at is None and attempt.finished_at is None:
        attempt.abandoned_at, attempt.abandoned_because = uow.now, because


def give_up_open(uow: UnitOfWork, table: type[Attempt], of: ColumnElement[bool], because: str) -> None:
    """Give up the runs that are open of what ``of`` names."""
    query = select(table).where(of, table.abandoned_at.is_(None), table.finished_at.is_(None))
    for attempt in uow.session.scalars(query).all():
        give_up(uow, attempt, because)


def have_failed(uow: UnitOfWork, table: type[Attempt], of: ColumnElement[bool]) -> bool:
    """Return whether so many runs have failed that trying again holds up the others."""
    query = select(func.count()).select_from(table).where(of, table.abandoned_because == FAILED)
    return (uow.session.scalar(query) or 0) >= MOST_RUNS


def list_unswept(uow: UnitOfWork, table: type[Attempt], limit: int, after: str = "") -> list[tuple[str, str, str]]:
    """List the runs that were given up and may have left something: id, bucket and key; by id, from ``after`` on."""
    query = (
        select(table.id, table.bucket, table.key)
        .where(table.abandoned_at.is_not(None), table.swept_at.is_(None), table.id > after)
        .order_by(table.id)
        .limit(limit)
    )
    return [(row.id, row.bucket, row.key) for row in uow.session.execute(query)]


def mark_swept(uow: UnitOfWork, table: type[Attempt], attempt_ids: Collection[str]) -> None:
    """Record that nothing is left of these runs."""
    for attempt_id in attempt_ids:
        uow.session.get_one(table, attempt_id).swept_at = uow.now


def cause_of(error: Exception) -> str:
    """Return what people read of it; the text of an error of ours alone."""
    return str(error) if isinstance(error, Retryable) else type(error).__name__

"""What a closed case keeps: for an appeal, or while it is held; discarded afterwards (T6, R67, F1, F34).

When a case ends, ``keep`` asks once whether anything is kept. What is, stays as it is, legal holds included, and
``workers.discards`` discards it when ``Application.discard_after`` has passed and nothing holds the case any more.
Loan keys are destroyed at the end of the loan all the same, those of replaced copies at the end of theirs. A copy is no
evidence: its content is that of the master, and its hashes and its label are in the database.
"""

import random
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.preservations import Preservation
from services.database.tables.uploads import Upload
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.cameras import protections
from services.domain.custody import copies
from services.domain.custody.locks import StoredObject, stored_object
from services.domain.holds import queries as holds
from services.domain.retrieval import preservations, upload_sources

TOPIC = "discards"  # commits after which there is something to destroy at once
LENT = ("footage-re-archived", "return-disputed", "copy-lost")  # their copies were handed over, and stay


@dataclass(frozen=True)
class Leftover:
    """Something that a case has left: the row to mark, and what is to be deleted first, if anything is stored."""

    table: type[Preservation | Upload | Copy]
    id: str
    stored: StoredObject | None


def keep(uow: UnitOfWork, application: Application, *, appealable: bool) -> bool:
    """Return whether a case that ends keeps what it has; the caller has locked it.

    ``appealable``: it was refused, and ends now. A run that is done again finds what the first one has decided, or
    that a hold was placed since.
    """
    if appealable and uow.rules.appeal_window:
        application.appeal_until = application.discard_after = uow.now + uow.rules.appeal_window
    if application.discard_after is None and holds.is_held(uow, application.id):
        application.discard_after = uow.now
    return application.discard_after is not None


def release(uow: UnitOfWork, application: Application, because: str, *, with_copies: bool) -> tuple[Leftover, ...]:
    """End every claim on what a case has besides its masters, and list what is to be deleted of it."""
    protections.end(uow, application.id)
    rows = (
        *preservations.release(uow, application.id, because),
        *(copies.list_unlent(uow, application.id) if with_copies else ()),
        *upload_sources.list_of_case(uow, application.id),
    )
    return tuple(Leftover(type(row), row.id, stored_object(row.sealed) if row.sealed else None) for row in rows)


def record(uow: UnitOfWork, leftovers: Iterable[Leftover], because: str) -> None:
    """Record that the vault has nothing of these any more."""
    for left in leftovers:
        row = uow.session.get_one(left.table, left.id)
        if isinstance(row, Upload):
            upload_sources.remove(uow, row, because)
        elif isinstance(row, Copy):
            row.discarded_because = because
            _mark_discarded(uow, row, "copy-discarded")
        elif isinstance(row, Preservation):
            _mark_discarded(uow, row, "quarantine-discarded")


def list_due(uow: UnitOfWork, after: str, limit: int) -> list[str]:
    """List closed cases, by id from ``after`` on, whose leftovers are discarded now: not those that are held."""
    query = (
        select(Application.id)
        .where(
            Application.discard_after <= uow.now,
            Application.id > after,
            ~holds.holding(Application.id.expression),
        )
        .order_by(Application.id)
        .limit(limit)
    )
    return list(uow.session.scalars(query))


def begin(
    uow: UnitOfWork, application_id: str, gone: Leftover | None = None, passed: Collection[str] = ()
) -> Leftover | None:
    """Release what a closed case has kept, and return what is deleted next.

    ``gone``: what the vault has nothing of any more; ``passed``: the ids of what it did not delete, which stays for the
    next time. None where the case is held meanwhile, or nothing else is left.
    """
    application = uow.session.get_one(Application, application_id, with_for_update=True, populate_existing=True)
    if application.closed_as is None or application.discard_after is None or application.discard_after > uow.now:
        return None
    if gone is not None:
        record(uow, [gone], application.closed_as)
    if holds.is_held(uow, application_id):
        return None
    left = release(uow, application, application.closed_as, with_copies=application.closed_as not in LENT)
    if not left:
        application.discard_after = None
    # in any order: what a store never gives of a case does not keep the rest of it
    waiting = [one for one in left if one.id not in passed]
    return random.choice(waiting) if waiting else None  # noqa: S311  # guards nothing


def list_keys_of_replaced(uow: UnitOfWork, limit: int) -> list[str]:
    """List copies, by id, whose loan has ended because they were replaced, and whose loan keys are still there."""
    query = (
        select(Copy.id)
        .join(HandOver, HandOver.id == Copy.hand_over_id)
        .where(HandOver.replaced_at.is_not(None), Copy.key_destroyed_at.is_(None))
        .order_by(Copy.id)
        .limit(limit)
    )
    return list(uow.session.scalars(query))


def record_keys(uow: UnitOfWork, copy_ids: Collection[str]) -> None:
    """Record that the loan keys of these copies are destroyed."""
    for copy_id in copy_ids:
        copies.mark_key_destroyed(uow, copy_id)


def _mark_discarded(uow: UnitOfWork, row: Preservation | Copy, action: str) -> None:
    if row.discarded_at is None:
        row.discarded_at = uow.now
        audit_trail.record(
            uow,
            action,
            "object",
            row.sealed["key"],
            application_id=row.application_id,
            version=row.sealed["versionId"],
        )

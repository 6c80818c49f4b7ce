"""Locks on masters, labels, replicas and documents, and the disposal of masters that no loan needs (R6, R28, R52).

The database says until when; `workers.vault_locks` tells the stores, and what it has done is recorded here. What is
left to do is found by an index of its own, so that a year of cases costs nothing.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select

from services.database import leases
from services.database.leases import LeaseTime
from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.unit_of_work import UnitOfWork
from services.domain.attachments import retention as attachment_retention
from services.domain.audit import checkpoints
from services.domain.audit import trail as audit_trail
from services.domain.custody import loan_documents
from services.domain.documents import retention
from services.domain.documents import service as document_service
from services.domain.holds import queries as holds
from services.domain.retrieval import masters
from services.runtime.rules import LOCK_MARGIN

FILING_SECONDS = 60.0  # a filing that takes longer is taken for one whose process was killed


@dataclass(frozen=True)
class StoredObject:
    """One object of the vault by its exact version."""

    bucket: str
    key: str
    version_id: str


@dataclass(frozen=True)
class MasterLock:
    """A master with its label and replica, and until when they are locked.

    ``hold``: whether the stores lay a legal hold on them besides, lift the one that they laid (False), or do neither.
    ``label_version``: None where it has no label yet, or one of before its version was recorded.
    """

    master_id: str
    stored: StoredObject
    label_version: str | None
    replica: StoredObject | None
    until: datetime
    unneeded: bool
    hold: bool | None


@dataclass(frozen=True)
class DocumentToFile:
    """A document to file, of the application with this number; of none where it is an agreement.

    ``hold`` is as that of a master's lock.
    """

    document: Document
    application_number: str | None
    until: datetime
    hold: bool | None


@dataclass(frozen=True)
class Waiting:
    """How many masters and documents the stores have yet to be told of, and since when the first of them is there."""

    masters: int
    documents: int
    since: datetime | None


def stored_object(sealed: Mapping[str, Any]) -> StoredObject:
    return StoredObject(sealed["bucket"], sealed["key"], sealed["versionId"])


HELD = holds.is_explicit(Master.application_id.expression)


def locks_of(uow: UnitOfWork, application_id: str, rows: Collection[Master]) -> list[MasterLock]:
    """Return the locks of masters of one case, whose terms have been set."""
    held = holds.is_explicitly_held(uow, application_id) if rows else False
    return [lock_of(row, held=held) for row in rows]


def lock_of(row: Master, *, held: bool) -> MasterLock:
    """Return the lock of a master whose term has been set."""
    if row.retain_until is None:
        raise ValueError("the term of a lock is set before the stores are told of it")
    return MasterLock(
        row.id,
        stored_object(row.sealed),
        row.label_version,
        None if row.replica is None else stored_object(row.replica),
        row.retain_until,
        row.unneeded_at is not None,
        hold_of(row, held=held),
    )


def hold_of(row: Master | Document, *, held: bool) -> bool | None:
    """Return what the stores do about legal holds; ``held``: somebody has placed a hold on the row's case.

    A hold that others have laid in the store stays.
    """
    if held:
        return True
    return False if row.held_since is not None else None


def get_of_item(uow: UnitOfWork, item_id: str) -> MasterLock | None:
    """Return the lock that the stores have to be told of; None without one."""
    row = masters.get_of_item(uow, item_id)
    if row is None or row.retain_until is None or row.lock_due_since is None or row.discarded_at is not None:
        return None
    return lock_of(row, held=holds.is_explicitly_held(uow, row.application_id))


def list_lapsing(uow: UnitOfWork, limit: int) -> list[str]:
    """List open cases with a master whose lock ends soon, or that has none yet."""
    soon = retention.renewed_before(uow)
    query = (
        select(Master.application_id)
        .where(
            Master.discarded_at.is_(None),
            Master.archived_at.is_(None),
            Master.unneeded_at.is_(None),
            Master.retain_until.is_(None) | (Master.retain_until < soon),
        )
        .limit(limit)
    )
    return list(dict.fromkeys(uow.session.scalars(query)))


def renew(uow: UnitOfWork, application_ids: Sequence[str]) -> None:
    """Begin the term of what these cases have in the stores anew, where it would end soon."""
    # locked: a case that ends meanwhile takes its date of disposal from the lock
    query = select(Master).where(Master.application_id.in_(application_ids)).order_by(Master.id).with_for_update()
    retention.renew(uow, [row for row in uow.session.scalars(query) if _is_kept(row)])
    written = select(Document).where(Document.application_id.in_(application_ids))
    retention.renew(uow, uow.session.scalars(written))
    attachment_retention.renew(uow, application_ids)


def extend_loan(uow: UnitOfWork, application_id: str, due_at: datetime, grace: timedelta) -> None:
    """Lock what a loan rests on until it is over, with its grace and the time for return and inspection."""
    until = (due_at + grace + LOCK_MARGIN).replace(microsecond=0)
    kept = [row for row in masters.list_of_application(uow, application_id) if _is_kept(row)]
    retention.extend(uow, kept, until)
    retention.extend(uow, loan_documents.filed_with(uow, application_id), until)
    attachment_retention.extend(uow, application_id, until)


def list_due(uow: UnitOfWork, after: str, limit: int) -> list[MasterLock]:
    """List locks that the stores have to be told of, by the master's id, from ``after`` on."""
    query = (
        select(Master, HELD)
        .where(
            Master.lock_due_since.is_not(None),
            Master.discarded_at.is_(None),
            Master.retain_until.is_not(None),
            Master.id > after,
        )
        .order_by(Master.id)
        .limit(limit)
    )
    return [lock_of(row, held=held) for row, held in uow.session.execute(query)]


def list_held(uow: UnitOfWork, limit: int) -> list[tuple[str, StoredObject]]:
    """List objects that the stores have to hold, the newest first, each with the number of its case.

    Up to ``limit`` masters, with their replicas, and as many documents, of those that are filed.
    """
    masters_ = (
        select(Application.number, Master)
        .join(Application, Application.id == Master.application_id)
        .where(HELD, Master.discarded_at.is_(None))
        .order_by(Master.retrieved_at.desc(), Master.id)
        .limit(limit)
    )
    documents = (
        select(Application.number, Document.number)
        .join(Application, Application.id == Document.application_id)
        .where(holds.is_explicit(Document.application_id.expression), Document.filed_at.is_not(None))
        .order_by(Document.made_at.desc(), Document.id)
        .limit(limit)
    )
    held = []
    for number, row in uow.session.execute(masters_):
        held += [(str(number), stored_object(kept)) for kept in (row.sealed, row.replica) if kept is not None]
    return held + [
        (str(number), StoredObject("documents", f"{name}.json", "")) for number, name in uow.session.execute(documents)
    ]


def count_waiting(uow: UnitOfWork) -> Waiting:
    """Count what waits for its lock, or for a later end of it."""
    masters_ = select(func.count(), func.min(Master.lock_due_since)).where(
        Master.lock_due_since.is_not(None), Master.discarded_at.is_(None)
    )
    documents = select(func.count(), func.min(Document.lock_due_since)).where(Document.lock_due_since.is_not(None))
    (of_masters, first), (of_documents, second) = (uow.session.execute(query).one() for query in (masters_, documents))
    return Waiting(of_masters, of_documents, min((at for at in (first, second) if at is not None), default=None))


def record(uow: UnitOfWork, locks: Collection[MasterLock]) -> None:
    """Record that the stores were told, of those that are still the same: a label or replica may have come since."""
    told = {lock.master_id: lock for lock in locks}
    query = select(Master, HELD).where(Master.id.in_(told)).order_by(Master.id).with_for_update(of=Master)
    for row, held in uow.session.execute(query):
        if row.retain_until is not None and lock_of(row, held=held) == told[row.id]:
            row.lock_due_since = None
            _record_hold(uow, row, held=held)


def _record_hold(uow: UnitOfWork, row: Master | Document, *, held: bool) -> None:
    if not held:
        row.held_since = None
    elif row.held_since is None:
        row.held_since = uow.now


def list_to_file(uow: UnitOfWork, after: str, limit: int) -> tuple[list[DocumentToFile], dict[str, Any] | None]:
    """List documents to file, by id, from ``after`` on; and the audit trail's newest checkpoint."""
    query = (
        select(Document, Application.number, holds.is_explicit(Document.application_id.expression))
        .outerjoin(Application, Application.id == Document.application_id)
        .where(Document.lock_due_since.is_not(None), Document.id > after)
        .order_by(Document.id)
        .limit(limit)
    )
    rows = [
        DocumentToFile(document, number, _ahead(uow, document), hold_of(document, held=held))
        for document, number, held in uow.session.execute(query)
    ]
    return rows, checkpoints.newest_as_json(uow) if rows else None


def _ahead(uow: UnitOfWork, document: Document) -> datetime:
    """Return until when a document is locked: of one that was not filed within its term, for another one."""
    until = document.retain_until
    passed = until is None or until < retention.renewed_before(uow)
    return retention.provisional_end(uow) if until is None or passed else until


def claim_documents(uow: UnitOfWork, numbers: Collection[str], holder: str) -> set[str]:
    """Return those documents that this holder may file now: two at once would leave two statements on one document."""
    claims = {_claim(number): number for number in sorted(numbers)}
    # in one order: or the database would end one of two that claim the same ones
    taken = leases.take_all(uow, list(claims), holder, FILING_SECONDS, LeaseTime())
    return {claims[name] for name in taken}


def release_documents(uow: UnitOfWork, numbers: Collection[str], holder: str) -> None:
    """Give claims back, whether the documents were filed or not."""
    leases.drop(uow, [_claim(number) for number in numbers], holder)


def _claim(number: str) -> str:
    return f"document {number}"


def list_to_dispose(uow: UnitOfWork, passed_over: int, limit: int) -> list[MasterLock]:
    """List masters that no loan needs, whose lock has ended and whose case nothing holds, the first ones first.

    ``passed_over``: so many of them are left out.
    """
    query = _to_dispose(uow).order_by(Master.dispose_after, Master.id).limit(limit).offset(passed_over)
    return [lock_of(row, held=False) for row in uow.session.scalars(query)]


def get_to_dispose(uow: UnitOfWork, master_id: str) -> MasterLock | None:
    """Return a master that is to be deleted next; None where its case is held since it was listed.

    The case is locked first, as placing a hold does.
    """
    application_id = uow.session.scalar(select(Master.application_id).where(Master.id == master_id))
    uow.session.get(Application, application_id, with_for_update=True, populate_existing=True)
    row = uow.session.scalar(_to_dispose(uow).where(Master.id == master_id))
    return None if row is None else lock_of(row, held=False)


def _to_dispose(uow: UnitOfWork) -> Select[Master]:
    return select(Master).where(
        Master.discarded_at.is_(None),
        Master.unneeded_at.is_not(None),
        Master.dispose_after <= uow.now,
        ~holds.holding(Master.application_id.expression),
    )


def record_disposal(uow: UnitOfWork, master_ids: Collection[str]) -> None:
    """Record that the stores have nothing of these masters any more; pictures that were saved of them go next."""
    query = (
        select(Master, Application.closed_as)
        .join(Application, Application.id == Master.application_id)
        .where(Master.id.in_(master_ids), Master.discarded_at.is_(None))
        .order_by(Master.id)
        .with_for_update(of=Master)
    )
    found = uow.session.execute(query).all()
    attachment_retention.end_with_footage(uow, [row.item_id for row, _ in found])
    for row, because in found:
        row.discarded_at, row.discarded_because = uow.now, because
        audit_trail.record(
            uow,
            "master-discarded",
            "object",
            row.sealed["key"],
            application_id=row.application_id,
            version=row.sealed["versionId"],
            dispose_after=None if row.dispose_after is None else row.dispose_after.isoformat(),
        )


def await_disposal(uow: UnitOfWork, row: Master) -> None:
    """From now on nothing opens this master: it stays until its lock has ended, and is disposed of then."""
    if row.unneeded_at is not None:
        return
    if row.lock_due_since is not None:
        retention.renew(uow, [row])  # the stores refuse a moment that has passed before they were told of it
    until = row.retain_until or retention.provisional_end(uow)
    row.unneeded_at, row.dispose_after, row.retain_until = uow.now, until, until
    audit_trail.record(
        uow,
        "master-unneeded",
        "master",
        row.id,
        application_id=row.application_id,
        dispose_after=until.isoformat(),
    )


def _is_kept(row: Master) -> bool:
    return row.discarded_at is None and row.archived_at is None and row.unneeded_at is None


def record_documents(
    uow: UnitOfWork,
    filed: Mapping[str, document_service.Filed],
    until: Mapping[str, datetime],
    told: Mapping[str, bool | None],
) -> None:
    """Record documents that were filed, by number: until when they are locked, and what was told of their holds.

    One whose case was held or freed meanwhile stays due.
    """
    document_service.record_filed(uow, filed)
    query = (
        select(Document, holds.is_explicit(Document.application_id.expression))
        .where(Document.number.in_(filed))
        .order_by(Document.id)
        .with_for_update(of=Document)
    )
    for row, is_held in uow.session.execute(query):
        row.filed_at = row.filed_at or uow.now
        if row.retain_until is None or row.retain_until <= until[row.number]:
            row.retain_until = until[row.number]
            if hold_of(row, held=is_held) == told[row.number]:
                row.lock_due_since = None
                _record_hold(uow, row, held=is_held)


def record_filing(
    uow: UnitOfWork,
    filed: Mapping[str, document_service.Filed],
    until: Mapping[str, datetime],
    told: Mapping[str, bool | None],
    *,
    claimed: Collection[str],
    holder: str,
) -> None:
    """Record those of the claimed documents that were filed, and give all claims back."""
    record_documents(uow, filed, until, told)
    release_documents(uow, claimed, holder)

"""Until when attachments are kept: locks as those of the case's documents.

Purged are copies of identity cards when their time is over, and the pictures of stills when their footage is gone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select, update

from services.database.tables.applications import Application
from services.database.tables.attachments import Attachment
from services.database.tables.documents import Document
from services.database.unit_of_work import UnitOfWork
from services.domain.attachments import queries, uploads
from services.domain.attachments.schemas import IDENTITY_CARD
from services.domain.audit import trail as audit_trail
from services.domain.documents import retention
from services.domain.holds import queries as holds


@dataclass(frozen=True)
class AttachmentLock:
    """The object of an attachment by its exact version, and until when it is locked."""

    attachment_id: str
    bucket: str
    key: str
    version_id: str
    until: datetime


@dataclass(frozen=True)
class Purge:
    """An attachment whose time is over, and the key of its object."""

    attachment_id: str
    key: str


def bind(uow: UnitOfWork, rows: Sequence[Attachment]) -> None:
    """Make these a part of the case: nobody removes them any more, and the store locks them."""
    for row in rows:
        row.bound_at = row.bound_at or uow.now
        if row.kind == IDENTITY_CARD:
            row.purge_after = None  # until the case has ended
    retention.extend(uow, _locked(rows), retention.provisional_end(uow))


def renew(uow: UnitOfWork, application_ids: Collection[str]) -> None:
    """Begin the term of those of these cases anew whose lock would end soon."""
    query = select(Attachment).where(queries.of_cases(application_ids), Attachment.bound_at.is_not(None))
    retention.renew(uow, _locked(uow.session.scalars(query).all()))


def extend(uow: UnitOfWork, application_id: str, until: datetime) -> None:
    """Lock the case's attachments at least until then."""
    query = select(Attachment).where(queries.of_cases([application_id]), Attachment.bound_at.is_not(None))
    retention.extend(uow, _locked(uow.session.scalars(query).all()), until)


def end(uow: UnitOfWork, application_id: str) -> None:
    """The case has ended: from now on the time of its copies of identity cards runs."""
    query = update(Attachment).where(
        Attachment.application_id == application_id,
        Attachment.kind == IDENTITY_CARD,
        Attachment.purged_at.is_(None),
        Attachment.purge_after.is_(None),
    )
    uow.session.execute(query.values(purge_after=uow.now + uow.rules.identity_card_retention))


def end_with_footage(uow: UnitOfWork, item_ids: Collection[str]) -> None:
    """The footage of these items is gone: the pictures that documents have of it, as stills do, are to go as well."""
    documents = select(Document.id).where(Document.item_id.in_(item_ids))
    query = update(Attachment).where(Attachment.matter_id.in_(documents), Attachment.purge_after.is_(None))
    uow.session.execute(query.values(purge_after=uow.now, lock_due_since=None))


def list_due(uow: UnitOfWork, after: str, limit: int) -> list[AttachmentLock]:
    """List locks that the store has to be told of, by the attachment's id, from ``after`` on."""
    query = (
        select(Attachment)
        .where(Attachment.lock_due_since.is_not(None), Attachment.id > after)
        .order_by(Attachment.id)
        .limit(limit)
    )
    return [_lock_of(uow, row) for row in uow.session.scalars(query)]


def record(uow: UnitOfWork, locks: Collection[AttachmentLock]) -> None:
    """Record that the store was told, of those whose term is no later by now."""
    told = {lock.attachment_id: lock.until for lock in locks}
    query = select(Attachment).where(Attachment.id.in_(told)).order_by(Attachment.id).with_for_update()
    for row in uow.session.scalars(query):
        if row.retain_until is None or row.retain_until <= told[row.id]:
            row.retain_until, row.lock_due_since = told[row.id], None


def list_to_purge(uow: UnitOfWork, limit: int) -> list[Purge]:
    """List attachments whose time is over and whose case nothing holds, the first ones first."""
    query = _to_purge(uow).order_by(Attachment.purge_after, Attachment.id).limit(limit)
    return [Purge(attachment_id, _key(sealed)) for attachment_id, sealed in uow.session.execute(query)]


def may_purge(uow: UnitOfWork, attachment_id: str) -> bool:
    """Return whether an attachment that was listed is still to be purged; its case is locked, as a hold locks it."""
    of_case = select(func.coalesce(Attachment.application_id, Document.application_id))
    of_case = of_case.outerjoin(Document, Document.id == Attachment.matter_id).where(Attachment.id == attachment_id)
    application_id = uow.session.scalar(of_case)
    if application_id is not None:
        uow.session.get(Application, application_id, with_for_update=True, populate_existing=True)
    return uow.session.execute(_to_purge(uow).where(Attachment.id == attachment_id)).first() is not None


def _to_purge(uow: UnitOfWork) -> Select[str, dict[str, Any]]:
    held = select(Application.id).where(
        Application.id == func.coalesce(Attachment.application_id, Document.application_id),
        holds.holding(Application.id.expression),
    )
    return (
        select(Attachment.id, Attachment.sealed)
        .outerjoin(Document, Document.id == Attachment.matter_id)
        .where(Attachment.purge_after <= uow.now, Attachment.purged_at.is_(None), ~held.exists())
    )


def record_purge(uow: UnitOfWork, attachment_ids: Collection[str]) -> None:
    """Record that the bytes are gone, once; hash, who added it and when stay."""
    query = (
        select(Attachment, Document.application_id)
        .outerjoin(Document, Document.id == Attachment.matter_id)
        .where(Attachment.id.in_(attachment_ids), Attachment.purged_at.is_(None))
        .order_by(Attachment.id)
        .with_for_update(of=Attachment)
    )
    gone: list[str] = []
    for row, application_id in uow.session.execute(query).all():
        row.purged_at, row.secret = uow.now, None
        gone.append(row.id)
        audit_trail.record(
            uow,
            "attachment-purged" if row.kind == IDENTITY_CARD else "picture-purged",
            "attachment",
            row.id,
            application_id=row.application_id or application_id,
            kind=row.kind,
            sha256=row.sha256,
            version=row.sealed["versionId"],
        )
    uploads.mark_unwanted(uow, gone, "purged")
    uploads.mark_swept(uow, gone)


def _locked(rows: Sequence[Attachment]) -> list[Attachment]:
    return [row for row in rows if row.kind != IDENTITY_CARD]


def _lock_of(uow: UnitOfWork, row: Attachment) -> AttachmentLock:
    """One whose term has passed before the store was told is locked for another one, as a document is."""
    until = row.retain_until
    if until is None or until < retention.renewed_before(uow):
        until = retention.provisional_end(uow)
    return AttachmentLock(row.id, row.sealed["bucket"], row.sealed["key"], row.sealed["versionId"], until)


def _key(sealed: Mapping[str, Any]) -> str:
    return str(sealed["key"])

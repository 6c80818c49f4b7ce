"""Adding, opening and removing attachments; the store's bytes are sent by ``receiver`` (R3, R21, R55)."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import delete, select

from services.database.tables.attachments import Attachment, AttachmentUpload
from services.database.tables.inspections import SupervisionGroup
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.attachments import names, queries, retention, uploads
from services.domain.attachments.queries import belongs_to
from services.domain.attachments.schemas import IDENTITY_CARD, MOST, Description
from services.domain.attachments.subjects import SUBJECTS, Reading, SubjectKind
from services.domain.audit import trail as audit_trail
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message


@dataclass(frozen=True)
class Stored:
    """What lies in the store. ``sealed`` has its place, sizes and hashes; ``secret`` is the key that opens it.

    ``sha256_received`` is of the file as it came, before an image was written anew.
    """

    upload_id: str
    media_type: str
    sealed: dict[str, Any]
    secret: str
    sha256_received: str


@dataclass(frozen=True)
class Opened:
    """What is needed to read an attachment: its place in the store, and the key that opens it."""

    file_name: str
    media_type: str
    sealed: dict[str, Any]
    secret: str


def check_addable(uow: UnitOfWork, kind: SubjectKind, subject_id: str) -> Reading:
    """Raise Refused where the acting person can add nothing to the subject now, NotFound where it is hidden."""
    subject = SUBJECTS[kind]
    if not uow.reading:
        subject.lock(uow, subject_id)
    reading = subject.read(uow, subject_id)
    if reading.refusal is not None:
        raise reading.refusal
    if queries.count(uow, kind, subject_id) >= MOST:
        raise Refused(
            "attachments-full",
            "Not saved: there are {most} attachments already, which is the limit. Combine several pages in one PDF.",
            most=MOST,
        )
    return reading


def is_edited(uow: UnitOfWork, kind: SubjectKind, subject_id: str) -> bool:
    """Return whether what the acting person adds now becomes a part of the form; NotFound where it is hidden."""
    return SUBJECTS[kind].read(uow, subject_id).edits


def begin(uow: UnitOfWork, kind: SubjectKind, subject_id: str) -> AttachmentUpload:
    """Record that an object is about to be stored; Refused as ``check_addable``."""
    check_addable(uow, kind, subject_id)
    return uploads.begin(uow)


def add(uow: UnitOfWork, kind: SubjectKind, subject_id: str, description: Description, stored: Stored) -> Attachment:
    """Add what was stored; Refused as ``check_addable``, for the subject may have changed meanwhile."""
    reading = check_addable(uow, kind, subject_id)
    if kind != "application" and description.kind == IDENTITY_CARD:
        raise Refused(
            "attachment-card",
            "Not saved: copies of identity cards are attached to the application, where they are deleted when due.",
            status=422,
            field="kind",
        )
    _accept(uow, stored)
    row = _row(uow, stored, description.kind, names.with_extension(names.check(description.name), stored.media_type))
    row.application_id = subject_id if kind == "application" else None
    row.matter_id = None if kind == "application" else subject_id
    row.note = description.note or None
    row.of_form = reading.edits
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(
        uow,
        "attachment-added",
        "attachment",
        row.id,
        application_id=reading.application_id,
        kind=row.kind,
        sha256=row.sha256,
        sha256_received=stored.sha256_received,
        size=row.size,
        media_type=row.media_type,
        **({} if kind == "application" else {kind: subject_id}),
    )
    if reading.edits:
        if row.kind == IDENTITY_CARD and reading.draft:
            row.purge_after = uow.now + uow.rules.identity_card_retention  # a draft may be forgotten
        SUBJECTS[kind].changed(uow, subject_id)
    else:
        retention.bind(uow, [row])
    return row


def add_to_document(
    uow: UnitOfWork, document_id: str, kind: str, name: str, stored: Stored, *, application_id: str
) -> Attachment:
    """Bind what was stored to a document of the case, which says by itself what it is; nobody removes it.

    It has no readers but those whom the document's own capability finds: ``open_`` answers NotFound. Refused where the
    upload took too long and was given up.
    """
    _accept(uow, stored)
    row = _row(uow, stored, kind, name)
    row.matter_id = document_id
    uow.session.add(row)
    uow.session.flush()
    audit_trail.record(
        uow,
        "attachment-added",
        "attachment",
        row.id,
        application_id=application_id,
        kind=kind,
        sha256=row.sha256,
        size=row.size,
        media_type=row.media_type,
        document=document_id,
    )
    retention.bind(uow, [row])
    return row


def remove(uow: UnitOfWork, attachment_id: str) -> Attachment:
    """Remove an attachment that was never submitted; its object is swept."""
    row, kind, subject_id = _get(uow, attachment_id)
    subject = SUBJECTS[kind]
    subject.lock(uow, subject_id)
    uow.session.refresh(row)  # it may have been submitted while this waited for the lock
    reading = _reading(uow, row)
    if not queries.is_removable(reading, row):
        raise Refused(
            "attachment-bound",
            "The attachment belongs to the case and cannot be removed. Add another one with a note that explains it.",
        )
    uploads.mark_unwanted(uow, [row.id], "removed")
    uow.session.delete(row)
    uow.session.flush()
    audit_trail.record(
        uow,
        "attachment-removed",
        "attachment",
        row.id,
        application_id=reading.application_id,
        kind=row.kind,
        sha256=row.sha256,
    )
    subject.changed(uow, subject_id)
    return row


def open_(uow: UnitOfWork, attachment_id: str) -> Opened:
    """Return what is needed to read an attachment, and record the reading.

    NotFound for who may not read it; Refused once it was purged, and while it is to be purged and a hold keeps it.
    """
    row, _, _ = _get(uow, attachment_id)
    reading = _reading(uow, row)
    if row.secret is None or row.purged_at is not None:
        raise Refused(
            "attachment-purged",
            "The copy was deleted, as the rules ask for copies of identity cards. Its hash is kept; ask the person to "
            "show the card again if it is needed.",
        )
    if row.purge_after is not None and row.purge_after <= uow.now:  # kept while its case is held, and opened no more
        raise Refused(
            "attachment-expired",
            "The time to keep this copy is over: it is no longer shown, and is deleted as soon as no legal hold keeps "
            "the case. Ask the person to show the card again if it is needed.",
        )
    audit_trail.record(
        uow, "attachment-read", "attachment", row.id, application_id=reading.application_id, kind=row.kind
    )
    return opened(uow, row)


def opened(uow: UnitOfWork, row: Attachment) -> Opened:
    """Return what opens an attachment, for callers who have found that it may be read; ValueError once it is purged."""
    if row.secret is None:
        raise ValueError("the attachment was purged")
    return Opened(row.file_name, row.media_type, row.sealed, uow.secrets.decrypt(row.secret, _purpose(row.id)))


def bind_form(uow: UnitOfWork, application_id: str) -> None:
    """The form that names them is submitted: from now on its attachments belong to the case."""
    retention.bind(uow, [row for row in queries.list_of_form(uow, application_id) if row.bound_at is None])


def discard_all(uow: UnitOfWork, application_id: str) -> None:
    """Remove the attachments of a draft that is deleted."""
    where = belongs_to("application", application_id)
    uploads.mark_unwanted(uow, list(uow.session.scalars(select(Attachment.id).where(where))), "draft-discarded")
    uow.session.execute(delete(Attachment).where(where))


def abandon(uow: UnitOfWork, upload_id: str, because: str) -> None:
    """Give up an upload that came to nothing."""
    uploads.mark_unwanted(uow, [upload_id], because)


def _accept(uow: UnitOfWork, stored: Stored) -> None:
    """Record that the object is there; Refused where the sweeper has taken it for one that nobody wants."""
    upload = uow.session.get_one(AttachmentUpload, stored.upload_id, with_for_update=True, populate_existing=True)
    if upload.unwanted_at is not None:
        raise Refused(
            "attachment-late",
            "Not saved: the upload took too long and was given up. Add the file again.",
        )
    upload.stored_at = uow.now


def _row(uow: UnitOfWork, stored: Stored, kind: str, name: str) -> Attachment:
    return Attachment(
        id=stored.upload_id,
        kind=kind,
        file_name=name,
        sha256=stored.sealed["sha256Plain"],
        size=stored.sealed["plainSize"],
        media_type=stored.media_type,
        sealed=stored.sealed,
        secret=uow.secrets.encrypt(stored.secret, _purpose(stored.upload_id)),
        of_form=False,
        added_by=uow.actor.id,
        added_at=uow.now,
    )


def _get(uow: UnitOfWork, attachment_id: str) -> tuple[Attachment, SubjectKind, str]:
    row = uow.session.get(Attachment, attachment_id)
    if row is None:
        raise _not_found(attachment_id)
    if row.application_id is not None:
        return row, "application", row.application_id
    subject_id = str(row.matter_id)
    if uow.session.get(WorkOrder, subject_id) is not None:
        return row, "work-order", subject_id
    if uow.session.get(SupervisionGroup, subject_id) is not None:
        return row, "supervision-group", subject_id
    return row, "matter", subject_id


def _reading(uow: UnitOfWork, row: Attachment) -> Reading:
    """Raise NotFound for who may not read this attachment."""
    _, kind, subject_id = _get(uow, row.id)
    try:
        reading = SUBJECTS[kind].read(uow, subject_id)
    except NotFound as hidden:
        raise _not_found(row.id) from hidden
    if not queries.is_shown(reading, row):
        raise _not_found(row.id)
    return reading


def _purpose(attachment_id: str) -> str:
    return f"attachment {attachment_id}"


def _not_found(attachment_id: str) -> NotFound:
    return NotFound(Message("attachment"), attachment_id)

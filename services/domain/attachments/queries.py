"""What can be read of attachments: lists without copies of identity cards, and those apart, on record."""

from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, or_, select

from services.database.tables.attachments import Attachment
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.attachments.schemas import IDENTITY_CARD, MOST, AttachmentList, AttachmentView
from services.domain.attachments.subjects import SUBJECTS, Reading, SubjectKind
from services.domain.audit import trail as audit_trail
from services.runtime.errors import NotFound
from services.runtime.translations import Message


def belongs_to(kind: SubjectKind, subject_id: str) -> ColumnElement[bool]:
    """Build the condition that an attachment is of this subject."""
    return (Attachment.application_id if kind == "application" else Attachment.matter_id) == subject_id


def of_cases(application_ids: Collection[str]) -> ColumnElement[bool]:
    """Build the condition that an attachment is of these cases, or of a matter or a document of them."""
    matters = select(Matter.id).where(Matter.application_id.in_(application_ids))
    documents = select(Document.id).where(Document.application_id.in_(application_ids))
    return or_(
        Attachment.application_id.in_(application_ids),
        Attachment.matter_id.in_(matters),
        Attachment.matter_id.in_(documents),
    )


def get_list(uow: UnitOfWork, kind: SubjectKind, subject_id: str) -> AttachmentList:
    """Return the subject's attachments without copies of identity cards; NotFound where it may not be read."""
    return list_for(uow, kind, subject_id, SUBJECTS[kind].read(uow, subject_id))


def list_for(uow: UnitOfWork, kind: SubjectKind, subject_id: str, reading: Reading) -> AttachmentList:
    """Return ``get_list`` for what the acting person may do; one statement."""
    rows = _rows(uow, belongs_to(kind, subject_id))
    cards = sum(row.kind == IDENTITY_CARD and is_shown(reading, row) for row, _ in rows)
    return AttachmentList(
        attachments=[_view(reading, row, name) for row, name in rows if row.kind != IDENTITY_CARD],
        identity_cards=cards if reading.identity_cards or reading.edits else None,
        may_add=reading.refusal is None and len(rows) < MOST,
    )


def get_identity_cards(uow: UnitOfWork, kind: SubjectKind, subject_id: str) -> list[AttachmentView]:
    """Return the copies of identity cards for who may open them, and record it; NotFound for everybody else."""
    reading = SUBJECTS[kind].read(uow, subject_id)
    if not reading.identity_cards and not reading.edits:
        raise NotFound(Message("application"), subject_id)
    audit_trail.record(uow, "identity-cards-listed", kind, subject_id, application_id=reading.application_id)
    rows = _rows(uow, belongs_to(kind, subject_id), Attachment.kind == IDENTITY_CARD)
    return [_view(reading, row, name) for row, name in rows if is_shown(reading, row)]


def count(uow: UnitOfWork, kind: SubjectKind, subject_id: str) -> int:
    """Count the subject's attachments, purged ones too."""
    return uow.session.scalar(select(func.count()).select_from(Attachment).where(belongs_to(kind, subject_id))) or 0


def list_of_form(uow: UnitOfWork, application_id: str) -> Sequence[Attachment]:
    """Return what a form submitted now names, oldest first."""
    query = select(Attachment).where(belongs_to("application", application_id), Attachment.of_form)
    return uow.session.scalars(query.order_by(Attachment.added_at, Attachment.id)).all()


def list_kept(uow: UnitOfWork, application_id: str) -> Sequence[Attachment]:
    """Return those whose objects the store must have, oldest first: nobody can remove them and no purge is set."""
    query = select(Attachment).where(
        of_cases([application_id]), Attachment.bound_at.is_not(None), Attachment.purge_after.is_(None)
    )
    return uow.session.scalars(query.order_by(Attachment.added_at, Attachment.id)).all()


def to_json(rows: Collection[Attachment]) -> list[dict[str, Any]]:
    """Return what the signed form says of its attachments; everybody who sees the form reads it.

    So a copy of an identity card has no name there, which is often a person's.
    """
    return [
        {
            "sha256": row.sha256,
            "kind": row.kind,
            "name": IDENTITY_CARD if row.kind == IDENTITY_CARD else row.file_name,
        }
        for row in rows
    ]


def is_shown(reading: Reading, row: Attachment) -> bool:
    """Return whether who reads the subject sees this attachment.

    A copy of an identity card is for who handles the case, and until it is submitted for who adds it.
    """
    return row.kind != IDENTITY_CARD or reading.identity_cards or (reading.edits and row.bound_at is None)


def is_removable(reading: Reading, row: Attachment) -> bool:
    """Return whether the reader may remove it: a part of a draft or correction that nobody has submitted yet."""
    return reading.edits and row.bound_at is None and row.purged_at is None


def _rows(uow: UnitOfWork, *where: ColumnElement[bool]) -> list[tuple[Attachment, str]]:
    query = (
        select(Attachment, Person.name)
        .join(Person, Person.id == Attachment.added_by)
        .where(*where)
        .order_by(Attachment.added_at, Attachment.id)
        .limit(MOST)
    )
    return [(row, name) for row, name in uow.session.execute(query)]


def _view(reading: Reading, row: Attachment, name: str) -> AttachmentView:
    shown = None if row.added_by in reading.hidden else name
    return AttachmentView.of(row, shown, removable=is_removable(reading, row))

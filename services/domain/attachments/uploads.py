"""Objects of attachments in the store: recorded before their first byte, swept when nobody wants them.

The portal deletes nothing in the store; the sweeper does, in the process that has the sweeper's role.
"""

from collections.abc import Collection, Sequence
from datetime import timedelta

from sqlalchemy import and_, or_, select, true, update

from services.database.base import new_id
from services.database.tables.attachments import AttachmentUpload
from services.database.unit_of_work import UnitOfWork

BUCKET = "documents"
LONGEST = timedelta(hours=1)  # an upload that takes longer is taken for one whose process was killed


def begin(uow: UnitOfWork) -> AttachmentUpload:
    """Record an upload of the actor; commit before its first byte is sent."""
    upload_id = new_id()
    upload = AttachmentUpload(id=upload_id, person_id=uow.actor.id, key=f"attachments/{upload_id}", begun_at=uow.now)
    uow.session.add(upload)
    return upload


def mark_unwanted(uow: UnitOfWork, upload_ids: Collection[str], because: str) -> None:
    """Have the sweeper remove these objects, also where one is still being sent."""
    query = update(AttachmentUpload).where(AttachmentUpload.id.in_(upload_ids), AttachmentUpload.unwanted_at.is_(None))
    uow.session.execute(query.values(unwanted_at=uow.now, unwanted_because=because, swept_at=None))


def list_to_sweep(uow: UnitOfWork, limit: int, *, all_open: bool = False) -> list[tuple[str, str]]:
    """List ids and keys of objects that nobody wants, and of uploads whose process died.

    ``all_open``: at the start of the only process that uploads, when every open upload is of a process that died.
    """
    begun = true() if all_open else AttachmentUpload.begun_at < uow.now - LONGEST
    dead = and_(AttachmentUpload.stored_at.is_(None), begun)
    query = (
        select(AttachmentUpload.id, AttachmentUpload.key)
        .where(AttachmentUpload.swept_at.is_(None), or_(AttachmentUpload.unwanted_at.is_not(None), dead))
        .order_by(AttachmentUpload.id)
        .limit(limit)
    )
    return [(upload_id, key) for upload_id, key in uow.session.execute(query)]


def give_up(uow: UnitOfWork, upload_ids: Sequence[str]) -> None:
    """Give up uploads whose process died, before their keys are swept: what comes later is not accepted."""
    mark_unwanted(uow, upload_ids, "died")


def mark_swept(uow: UnitOfWork, upload_ids: Collection[str]) -> None:
    """Record that the store has nothing of these any more."""
    query = update(AttachmentUpload).where(AttachmentUpload.id.in_(upload_ids))
    uow.session.execute(query.values(swept_at=uow.now))

"""Uploads as sources of a case: who may name them, what a form says of them, and when they are deleted (R8, R9)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import or_, select, update

from services.database.tables.applications import Application, Item
from services.database.tables.uploads import Upload
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.holds import queries as holds
from services.domain.retrieval import preservations, uploads
from services.runtime.errors import Refused
from services.runtime.translations import Message, Text

UNUSED_LIFETIME = timedelta(days=7)  # from the last change of an upload that no application names
# One that is received changes every ``upload_receiver.BEAT``: after this silence it belongs to a process that died.
LONGEST_SILENCE = timedelta(days=1)


def get_of_camera(uow: UnitOfWork, camera_id: str) -> Upload | None:
    """Return the upload that is this camera; None for a camera that is one."""
    return uow.session.get(Upload, camera_id)


def check(uow: UnitOfWork, camera_ids: Iterable[str], application: Application | None) -> None:
    """Raise Refused where an item names an upload that is not the applicant's, not ready, gone, or another case's."""
    for camera_id in camera_ids:
        upload = get_of_camera(uow, camera_id)
        if upload is None:
            continue
        owners = {uow.actor.id} if application is None else {uow.actor.id, application.drafter_id}
        if upload.person_id not in owners:
            raise _refused("unknown", Message("This camera or file does not exist."))
        if upload.state != "received" or upload.start is None:
            raise _refused(
                "upload-not-ready",
                Message(
                    "The file is not yet uploaded, has no start time, or was deleted: check it, then choose it again."
                ),
            )
        if upload.application_id is not None and (application is None or upload.application_id != application.id):
            raise _refused(
                "upload-elsewhere",
                Message("This file is used in another application: upload it again for this one."),
            )


def bind(uow: UnitOfWork, application: Application) -> None:
    """Record which uploads the application names; those that its draft names no more are free again."""
    named = {item.camera_id for item in preservations.items_in_scope(uow, application.id)}
    uow.session.execute(
        update(Upload)
        .where(Upload.id.in_(named), Upload.application_id.is_(None))
        .values(application_id=application.id, changed_at=uow.now)
    )
    if application.submitted_at is None:
        uow.session.execute(
            update(Upload)
            .where(Upload.application_id == application.id, Upload.id.not_in(named))
            .values(application_id=None, changed_at=uow.now)
        )


def release(uow: UnitOfWork, application_id: str) -> None:
    """Free the uploads of a draft that is deleted."""
    uow.session.execute(update(Upload).where(Upload.application_id == application_id).values(application_id=None))


def sealed_of(uow: UnitOfWork, item: Item) -> tuple[dict[str, Any], ...]:
    """Return the item's file as it was sealed on receipt; empty for a camera's item, and once it is gone."""
    upload = get_of_camera(uow, item.camera_id)
    if upload is None or upload.sealed is None or upload.removed_at is not None:
        return ()
    return (dict(upload.sealed),)


def retire_spent(uow: UnitOfWork, item_id: str) -> Upload | None:
    """Retire the item's upload where every item that names it is done; return it, or None.

    Whoever gets it removes its object; items that end at the same moment do not both.
    """
    item = uow.session.get_one(Item, item_id)
    upload = uow.session.get(Upload, item.camera_id, with_for_update=True, populate_existing=True)
    if upload is None or upload.removed_at is not None:
        return None
    if holds.is_held(uow, item.application_id):
        return None  # it goes with what the case has left when it ends
    items = preservations.items_in_scope(uow, item.application_id)
    open_items = [named for named in items if named.camera_id == item.camera_id and named.outcome is None]
    if open_items:
        return None
    uploads.retire(uow, upload, "its masters are stored")
    return upload


def list_of_case(uow: UnitOfWork, application_id: str) -> list[Upload]:
    """Return the uploads of a case that are still there."""
    query = select(Upload).where(Upload.application_id == application_id, Upload.removed_at.is_(None))
    return list(uow.session.scalars(query.order_by(Upload.id)))


def remove(uow: UnitOfWork, upload: Upload, because: str) -> None:
    """Record that its object was deleted from the vault."""
    uploads.retire(uow, upload, because)
    mark_swept(uow, [upload.id])


def remove_dead(uow: UnitOfWork, *, all_open: bool) -> list[Upload]:
    """Abandon what nobody sends any more and remove what no application came to name; lists what is to be swept.

    ``all_open`` is for the start of the only process that receives uploads.
    """
    open_ones = select(Upload).where(
        Upload.received_at.is_(None), Upload.abandoned_at.is_(None), Upload.removed_at.is_(None)
    )
    if not all_open:
        open_ones = open_ones.where(Upload.changed_at < uow.now - LONGEST_SILENCE)
    for upload in uow.session.scalars(open_ones).all():
        if upload.begun_at is not None or upload.changed_at < uow.now - LONGEST_SILENCE:
            uploads.abandon(uow, upload.id, "nobody sends it any more")
    forgotten = (
        select(Upload)
        .outerjoin(Application, Application.id == Upload.application_id)
        .where(
            Upload.received_at.is_not(None),
            Upload.removed_at.is_(None),
            Upload.changed_at < uow.now - UNUSED_LIFETIME,
            Application.submitted_at.is_(None),
        )
    )
    for upload in uow.session.scalars(forgotten).all():
        uploads.retire(uow, upload, "no application named it")
    uow.session.flush()
    gone = or_(Upload.abandoned_at.is_not(None), Upload.removed_at.is_not(None))
    return list(uow.session.scalars(select(Upload).where(gone, Upload.swept_at.is_(None))))


def mark_swept(uow: UnitOfWork, upload_ids: list[str]) -> None:
    """Nothing lies under these uploads' keys any more."""
    for upload_id in upload_ids:
        upload = uow.session.get_one(Upload, upload_id)
        if upload.swept_at is None:
            upload.swept_at = uow.now
            audit_trail.record(
                uow, "upload-swept", "object", upload.key, application_id=upload.application_id, upload=upload_id
            )


def to_json(upload: Upload) -> dict[str, Any]:
    """Return what a form says of an upload: what people say of it, and what was measured of it."""
    return {
        "kind": upload.source,
        "title": upload.title,
        "occasion": upload.occasion,
        "place": upload.place,
        "recordedBy": upload.recorded_by,
        "description": upload.description,
        "startKnownBy": upload.known_by,
        "statedStart": _iso(upload.stated_start),
        "fileStart": _iso(upload.file_start),
        "sha256": upload.sha256,
        "size": upload.size,
        "durationMs": upload.duration_ms,
        "codecs": list(upload.codecs or ()),
        "outcome": (upload.sealed or {}).get("outcome"),
    }


def _iso(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _refused(code: str, message: Text) -> Refused:
    return Refused(code, message, status=422, field="items")

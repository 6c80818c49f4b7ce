"""What an item of a form may name: a camera, or a file that a person uploaded, in a camera's place (R7 to R9)."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select

from services.database.tables.cameras import Camera
from services.database.tables.uploads import Upload
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import directory, service
from services.domain.applications.schemas import CameraChoice
from services.domain.retrieval import upload_sources, uploads
from services.runtime.errors import NotFound


@dataclass(frozen=True)
class File:
    """A file that was uploaded; ``camera`` is what an item names, once it is received and its start is known."""

    upload: Upload
    camera: CameraChoice | None

    @property
    def span(self) -> tuple[datetime, datetime] | None:
        """Return the span from its first picture to after its last."""
        if self.upload.start is None or self.upload.duration_ms is None:
            return None
        return self.upload.start, self.upload.start + timedelta(milliseconds=self.upload.duration_ms)


def files(uow: UnitOfWork, application_id: str | None = None) -> list[File]:
    """Return the actor's files that no submitted application names, or this one names.

    An ``application_id`` of one that is not there yet, or not the person's own, adds nothing.
    """
    own = _own(uow, application_id)
    named = [] if own is None else upload_sources.list_of_case(uow, own)
    rows = {upload.id: upload for upload in (*named, *uploads.list_unused(uow))}
    mine = [row for row in rows.values() if row.application_id in (None, own)]
    query = select(Camera).where(Camera.id.in_([row.id for row in mine]))
    known = {camera.id: camera for camera in uow.session.scalars(query)} if mine else {}
    return [File(row, _choice(row, known.get(row.id))) for row in mine]


def cameras(uow: UnitOfWork, application_id: str | None, ids: Collection[str]) -> list[CameraChoice]:
    """Return what the items of this form may name: of the cameras those with these ids, and the files."""
    return choices(uow, files(uow, application_id), ids)


def choices(uow: UnitOfWork, received: Collection[File], ids: Collection[str]) -> list[CameraChoice]:
    """List the cameras with these ids, and of the files those that an item may name."""
    uploaded = [file.camera for file in received if file.camera is not None]
    return [*directory.cameras(uow, ids), *uploaded]


def _own(uow: UnitOfWork, application_id: str | None) -> str | None:
    """Return the application's id where the actor may edit it; pages name one before it exists."""
    with suppress(NotFound):
        return None if application_id is None else service.get_own(uow, application_id).id
    return None


def _choice(upload: Upload, camera: Camera | None) -> CameraChoice | None:
    if camera is None or upload.state != "received":
        return None
    return directory.choice_of(camera, site=upload.recorded_by, zone=upload.zone, uploaded=True)

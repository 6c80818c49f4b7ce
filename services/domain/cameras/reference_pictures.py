"""Store the photograph that shows a camera's place.

Administrators see no footage (R2), and every applicant sees these pictures. So they are photographs made at
installation, never frames of a recorder.
"""

import base64
import hashlib

from services.database.tables.cameras import UPLOADED, Camera, CameraPicture, Recorder
from services.database.unit_of_work import UnitOfWork
from services.domain.access import administrators
from services.domain.audit import trail as audit_trail
from services.domain.cameras import service
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message


def require_upload_allowed(uow: UnitOfWork, camera_id: str) -> None:
    """Refuse an upload before its body is read.

    Raises Refused for other people than administrators and for retired cameras, NotFound for an unknown camera.
    """
    administrators.require_administrator(uow)
    line = service.get_camera(uow, camera_id)
    if not (line.row.active and line.recorder.active):
        raise Refused(
            "camera-retired",
            "This camera or its recorder is retired: put it back into use before you upload an image.",
        )


def upload(uow: UnitOfWork, camera_id: str, jpeg: bytes) -> None:
    """Store a photograph, replacing the previous one.

    ``jpeg`` is the normalised JPEG of ``photographs``.
    """
    require_upload_allowed(uow, camera_id)
    store(uow, camera_id, jpeg, uow.actor.id)


def store(uow: UnitOfWork, camera_id: str, jpeg: bytes, person_id: str) -> None:
    """Store a photograph without a check of permissions (also for the demo)."""
    row = uow.session.get(CameraPicture, camera_id, with_for_update=not uow.reading)
    old = row.sha256 if row else None
    if row is None:
        row = CameraPicture(camera_id=camera_id)
        uow.session.add(row)
    row.encrypted = uow.secrets.encrypt(base64.b64encode(jpeg).decode(), _purpose(camera_id))
    row.sha256 = hashlib.sha256(jpeg).hexdigest()
    row.uploaded_by, row.uploaded_at = person_id, uow.now
    audit_trail.record(uow, "camera-picture-uploaded", "camera", camera_id, old=old, new=row.sha256)


def remove(uow: UnitOfWork, camera_id: str) -> None:
    """Delete the photograph. Raises NotFound; retired cameras are allowed."""
    administrators.require_administrator(uow)
    service.get_camera(uow, camera_id)
    row = uow.session.get(CameraPicture, camera_id, with_for_update=not uow.reading)
    if row is None:
        raise _not_found(camera_id)
    uow.session.delete(row)
    audit_trail.record(uow, "camera-picture-removed", "camera", camera_id, old=row.sha256, new=None)


def read(uow: UnitOfWork, camera_id: str) -> bytes:
    """Return the JPEG, for every logged-in person.

    Raises NotFound where there is none, or the camera is retired.
    """
    row, camera = uow.session.get(CameraPicture, camera_id), uow.session.get(Camera, camera_id)
    if row is None or camera is None or not is_shown(camera, uow.session.get_one(Recorder, camera.recorder_id)):
        raise _not_found(camera_id)
    return base64.b64decode(uow.secrets.decrypt(row.encrypted, _purpose(camera_id)))


def is_shown(camera: Camera, recorder: Recorder) -> bool:
    """Return whether pictures of this camera may be shown."""
    return camera.active and recorder.active and recorder.kind != UPLOADED


def _not_found(camera_id: str) -> NotFound:
    return NotFound(Message("reference image of camera"), camera_id)


def _purpose(camera_id: str) -> str:
    return f"camera-picture {camera_id}"

"""Uploads: recordings that are not from cameras, uploaded by a person as a file (R8, R9).

An upload has its row and its key before its first byte is sent, as every upload has. What was received lies sealed in
the quarantine and is a camera of a recorder of its own, kind ``upload``: an item names it as it names any camera, and
everything that asks for a camera's place, clock, class or coverage finds it there (docs/architecture.md).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import available_timezones

from sqlalchemy import select

from services.database.base import new_id
from services.database.tables.applications import Application
from services.database.tables.cameras import UPLOADED, Camera, Recorder
from services.database.tables.people import Person
from services.database.tables.uploads import Upload
from services.database.unit_of_work import UnitOfWork
from services.domain.access import consents
from services.domain.audit import trail as audit_trail
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

SOURCES = ("meeting", "training", "event", "other")
BUCKET = "quarantine"
MOST_OPEN = 5  # uploads of one person that no submitted application names


@dataclass(frozen=True)
class Facts:
    """What a person says of a recording. ``start`` needs ``start_known_by``: how that is known."""

    source: str
    title: str
    occasion: str
    place: str
    recorded_by: str
    description: str
    zone: str
    start: datetime | None = None
    start_known_by: str | None = None


@dataclass(frozen=True)
class Measured:
    """What was found of the file; ``sealed`` is ``vault.sealing.Sealed`` as JSON."""

    sha256: str
    size: int
    duration: timedelta
    codecs: tuple[str, ...]
    created: datetime | None
    sealed: dict[str, Any]


# Moves a sealed object's moments to where its first picture was taken; ``vault.uploaded_file`` has it.
Place = Callable[[dict[str, Any], datetime], dict[str, Any]]


def announce(uow: UnitOfWork, facts: Facts, size: int | None) -> Upload:
    """Create an upload of the actor; Refused when too many of theirs are open."""
    uow.session.get_one(Person, uow.actor.id, with_for_update=True)  # or two at once would both be the last allowed
    if len(list_unused(uow)) >= MOST_OPEN:
        raise Refused(
            "too-many-uploads",
            "You have {most_open} uploads that are not part of an application: submit an application, or delete "
            "uploads that you do not need.",
            most_open=MOST_OPEN,
        )
    _check(uow, facts)
    upload_id = new_id()
    upload = Upload(id=upload_id, person_id=uow.actor.id, key=f"{BUCKET}/uploads/{upload_id}", announced_at=uow.now)
    upload.announced_size = size
    _describe(uow, upload, facts)
    uow.session.add(upload)
    audit_trail.record(uow, "upload-announced", "upload", upload_id, source=facts.source)
    return upload


def start(uow: UnitOfWork, upload_id: str) -> Upload:
    """Start the upload; commit before its first byte. Refused for a second attempt."""
    upload = get_own(uow, upload_id, for_change=True)
    if upload.state != "announced":
        raise Refused(
            "upload-begun",
            "This upload has started or ended: start a new upload to send the file again.",
        )
    upload.begun_at = upload.changed_at = uow.now
    return upload


def beat(uow: UnitOfWork, upload_id: str) -> None:
    """Give a sign of life of an upload that is being received: a large file on a slow line takes days."""
    upload = uow.session.get_one(Upload, upload_id, with_for_update=True, populate_existing=True)
    if upload.state == "receiving":
        upload.changed_at = uow.now


def finish(uow: UnitOfWork, upload_id: str, measured: Measured, place: Place) -> bool:
    """Record what came; False where it is no longer wanted, and its object is to be swept."""
    upload = uow.session.get_one(Upload, upload_id, with_for_update=True, populate_existing=True)
    if upload.abandoned_at is not None or upload.removed_at is not None:
        upload.swept_at = None  # a sweep may have found nothing under the key, because the file was still coming
        return False
    upload.received_at = upload.changed_at = uow.now
    upload.sha256, upload.size = measured.sha256, measured.size
    upload.duration_ms = measured.duration // timedelta(milliseconds=1)
    upload.codecs, upload.file_start, upload.sealed = list(measured.codecs), measured.created, measured.sealed
    audit_trail.record(uow, "upload-received", "upload", upload_id, sha256=measured.sha256, size=measured.size)
    _place(uow, upload, place)
    return True


def update(uow: UnitOfWork, upload_id: str, facts: Facts, place: Place) -> Upload:
    """Update what is stated of a recording while no submitted application names it."""
    upload = get_own(uow, upload_id, for_change=True)
    _must_be_free(uow, upload)
    _check(uow, facts)
    _describe(uow, upload, facts)
    audit_trail.record(uow, "upload-described", "upload", upload_id, source=facts.source)
    _place(uow, upload, place)
    return upload


def abandon(uow: UnitOfWork, upload_id: str, because: str) -> None:
    """Give up an upload that came to nothing; its key is to be swept."""
    upload = uow.session.get_one(Upload, upload_id, with_for_update=True, populate_existing=True)
    if upload.received_at is None and upload.abandoned_at is None:
        upload.abandoned_at, upload.abandoned_because = uow.now, because
        audit_trail.record(uow, "upload-abandoned", "upload", upload_id, reason=because)


def remove(uow: UnitOfWork, upload_id: str) -> Upload:
    """Delete an own upload that no submitted application names; its object is to be swept."""
    upload = get_own(uow, upload_id, for_change=True)
    if upload.state in ("failed", "removed"):
        return upload
    _must_be_free(uow, upload)
    if upload.state == "receiving":
        raise Refused(
            "upload-receiving",
            "The file is being received: stop the upload first.",
        )
    retire(uow, upload, "deleted")
    return upload


def get_own(uow: UnitOfWork, upload_id: str, *, for_change: bool = False) -> Upload:
    """Return the actor's upload; NotFound for others'."""
    query = select(Upload).where(Upload.id == upload_id, Upload.person_id == uow.actor.id)
    upload = uow.session.scalar(query.with_for_update() if for_change and not uow.reading else query)
    if upload is None:
        raise NotFound(Message("upload"), upload_id)
    return upload


def list_unused(uow: UnitOfWork) -> list[Upload]:
    """Return the actor's uploads that no submitted application names, the newest first."""
    query = (
        select(Upload)
        .outerjoin(Application, Application.id == Upload.application_id)
        .where(
            Upload.person_id == uow.actor.id,
            Upload.abandoned_at.is_(None),
            Upload.removed_at.is_(None),
            Application.submitted_at.is_(None),
        )
        .order_by(Upload.announced_at.desc(), Upload.id)
    )
    return list(uow.session.scalars(query))


def _check(uow: UnitOfWork, facts: Facts) -> None:
    if facts.source not in SOURCES:
        raise Refused(
            "unknown",
            "Choose the type of recording: meeting, training, event or other.",
            status=422,
            field="source",
        )
    if facts.source == "other" and not facts.description.strip():
        raise Refused(
            "description-missing",
            "Enter a description for other business recordings.",
            status=422,
            field="description",
        )
    if facts.zone not in available_timezones():
        raise Refused(
            "unknown",
            "Unknown time zone: enter a name such as Asia/Shanghai.",
            status=422,
            field="zone",
        )
    if facts.start is not None and facts.start > uow.now:
        raise Refused(
            "start-in-future",
            "The recording starts in the future: correct the start time.",
            status=422,
            field="start",
        )
    if facts.start is not None and not (facts.start_known_by or "").strip():
        raise Refused(
            "start-unexplained",
            "Enter the source of the start time, for example the minutes or the device's display.",
            status=422,
            field="startKnownBy",
        )


def _describe(uow: UnitOfWork, upload: Upload, facts: Facts) -> None:
    values = asdict(facts)
    upload.stated_start = values.pop("start")
    for name, value in values.items():
        setattr(upload, name, value)
    upload.changed_at = uow.now


def _place(uow: UnitOfWork, upload: Upload, place: Place) -> None:
    """Make the upload a camera, once its start is known: what asks for a camera's facts finds the upload's."""
    if upload.sealed is None or upload.start is None:
        return
    upload.sealed = place(upload.sealed, upload.start)
    recorder = uow.session.get(Recorder, upload.id) or Recorder(id=upload.id, kind=UPLOADED, active=False)
    recorder.name, recorder.site, recorder.zone = upload.recorded_by, upload.place, upload.zone
    recorder.make, recorder.model, recorder.identity = UPLOADED, upload.source, f"sha256:{upload.sha256}"
    recorder.clock_offset_ms, recorder.clock_method = None, upload.known_by
    recorder.configuration = _configuration(upload, upload.sealed)
    uow.session.add(recorder)
    uow.session.flush()
    camera = uow.session.get(Camera, upload.id) or Camera(id=upload.id, recorder_id=upload.id, channel=upload.id)
    camera.name_zh = camera.name_en = upload.title
    camera.place_zh = camera.place_en = upload.place
    camera.retention_days, camera.overwritten = 0, False
    uow.session.add(camera)
    uow.session.flush()


def _configuration(upload: Upload, sealed: Mapping[str, Any]) -> dict[str, str]:
    """Return the configuration of ``recorders.upload``."""
    return {
        "covered": json.dumps(sealed["coverage"]["covered"]),
        "model": upload.source,
        "identity": f"sha256:{upload.sha256}",
        "zone": upload.zone,
        "clock_method": upload.known_by,
    }


def _must_be_free(uow: UnitOfWork, upload: Upload) -> None:
    application = None if upload.application_id is None else uow.session.get(Application, upload.application_id)
    if upload.removed_at is not None or upload.abandoned_at is not None:
        raise Refused(
            "upload-over",
            "This upload has failed or was deleted: start a new upload.",
        )
    # what the departments are being asked about does not change either (R17)
    asked = application is not None and consents.get_open(uow, application.id) is not None
    if application is not None and (application.submitted_at is not None or asked):
        raise Refused(
            "upload-used",
            "This file is used in a submitted application: it cannot be changed or deleted.",
        )


def retire(uow: UnitOfWork, upload: Upload, because: str) -> None:
    """The upload is wanted no more: its object is to be swept."""
    if upload.removed_at is None:
        upload.removed_at, upload.removed_because = uow.now, because
        audit_trail.record(
            uow, "upload-removed", "upload", upload.id, application_id=upload.application_id, because=because
        )

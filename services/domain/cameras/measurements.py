"""Store what probes measure, and locate an item's footage (R31, R34, F3, F33)."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, delete, or_, select, update

from services.database.tables.applications import Application, Item
from services.database.tables.cameras import UPLOADED, Camera, Recorder, RetentionMeasurement
from services.database.tables.people import Person, Post
from services.database.tables.preservations import FailedPreservation
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.cameras import clocks
from services.domain.cameras.clocks import Clock
from services.domain.notifications import service as notification_service
from services.recorders.protocol import REFUSALS, RecorderDown, RecorderFacts

UNREACHABLE_CODES = ("outside-roots", "configuration")
LEAST_MOVE = timedelta(seconds=2)  # of the oldest picture; names and lengths are no more exact
HISTORY_RETENTION = timedelta(days=60)
ASKED_APART = timedelta(seconds=30)  # between two questions of jobs to a silent recorder
BACK = "recorder-back"  # the topic of commits that see a silent recorder answer
# Retention now is compared with the measurement of a week ago, or the last one of the two days before.
WEEK_AGO, OLDEST_COMPARED = timedelta(days=7), timedelta(days=9)


@dataclass(frozen=True)
class CameraChannel:
    """A camera's channel on its recorder.

    ``configuration`` holds secrets: it goes into no log and no process variable.
    """

    recorder_id: str
    camera_id: str
    kind: str
    configuration: dict[str, Any]
    channel: str
    zone: str
    site: str
    camera_name: str
    camera_class: str
    fingerprint: str | None

    @property
    def uploaded(self) -> bool:
        """Return whether it is an uploaded file, in quarantine already (R8, R9)."""
        return self.kind == UPLOADED


def source_of(uow: UnitOfWork, item: Item) -> CameraChannel:
    return source_of_camera(uow, uow.session.get_one(Camera, item.camera_id))


def source_of_camera(uow: UnitOfWork, camera: Camera) -> CameraChannel:
    return build_source(camera, uow.session.get_one(Recorder, camera.recorder_id))


def build_source(camera: Camera, recorder: Recorder) -> CameraChannel:
    """Return the channel that has the camera's footage."""
    return CameraChannel(
        recorder_id=recorder.id,
        camera_id=camera.id,
        kind=recorder.kind,
        configuration=dict(recorder.configuration),
        channel=camera.channel,
        zone=recorder.zone,
        site=recorder.site,
        camera_name=camera.name_en,
        camera_class=camera.camera_class,
        fingerprint=camera.fingerprint,
    )


def record_measured(uow: UnitOfWork, recorder_id: str, facts: RecorderFacts) -> Clock:
    """Store a probe's result: identity, clock, oldest frame of each camera.

    Returns the clock as it is known now: a probe that measures none leaves a person's comparison.
    """
    recorder = uow.session.get_one(Recorder, recorder_id)
    recorder.make, recorder.model, recorder.identity = facts.make, facts.model, facts.identity
    clocks.record_measured(uow, recorder, Clock(facts.clock_offset_ms, facts.clock_method, facts.clock_uncertainty_ms))
    recorder.last_seen_at = recorder.polled_at = uow.now
    if is_silent(recorder):
        recorder.last_error = None
        _retry_preservations(uow, recorder_id)
        uow.after_commit.add(BACK)
    cameras = uow.session.scalars(select(Camera).where(Camera.recorder_id == recorder_id))
    found = [(camera, facts.oldest_frame.get(camera.channel)) for camera in cameras]
    record_oldest(uow, [(camera, oldest) for camera, oldest in found if oldest is not None])
    return clocks.clock_of(recorder)


def record_oldest(uow: UnitOfWork, found: Sequence[tuple[Camera, datetime]]) -> None:
    """Store the oldest frames of cameras, with one measurement a day of each (F33)."""
    day = uow.now.date().isoformat()
    ids = [camera.id for camera, _ in found]
    of_today = select(RetentionMeasurement).where(
        RetentionMeasurement.camera_id.in_(ids), RetentionMeasurement.day == day
    )
    measured = {row.camera_id: row for row in uow.session.scalars(of_today)} if ids else {}
    for camera, oldest in found:
        if camera.oldest_frame_at is not None and oldest - camera.oldest_frame_at > LEAST_MOVE:
            camera.oldest_moved_at = uow.now
        camera.oldest_frame_at, camera.oldest_measured_at = oldest, uow.now
        if (row := measured.get(camera.id)) is not None:
            row.measured_at, row.oldest_frame_at = uow.now, oldest
        else:
            of_day = {"day": day, "measured_at": uow.now, "oldest_frame_at": oldest}
            uow.session.add(RetentionMeasurement(camera_id=camera.id, **of_day))
    if fresh := set(ids) - measured.keys():  # once a day
        cutoff = (uow.now - HISTORY_RETENTION).date().isoformat()
        old = RetentionMeasurement.camera_id.in_(fresh), RetentionMeasurement.day < cutoff
        uow.session.execute(delete(RetentionMeasurement).where(*old))


def delete_retention(uow: UnitOfWork, camera_id: str) -> None:
    """Delete the measurements of a camera that changed its channel."""
    uow.session.execute(delete(RetentionMeasurement).where(RetentionMeasurement.camera_id == camera_id))


def retention_changes(uow: UnitOfWork, cameras: Iterable[Camera]) -> dict[str, timedelta]:
    """Return how much longer recordings last than a week ago, by camera; one statement.

    Negative: less. Cameras of which that is unknown are left out.
    """
    compared: dict[tuple[str, str], dict[str, timedelta]] = defaultdict(dict)
    for camera in cameras:
        if camera.oldest_frame_at is not None and camera.oldest_measured_at is not None:
            first, last = ((camera.oldest_measured_at - ago).date().isoformat() for ago in (OLDEST_COMPARED, WEEK_AGO))
            compared[first, last][camera.id] = camera.oldest_measured_at - camera.oldest_frame_at
    if not compared:
        return {}
    of_cameras = (
        and_(RetentionMeasurement.camera_id.in_(lengths), RetentionMeasurement.day.between(*days))
        for days, lengths in compared.items()
    )
    query = select(RetentionMeasurement).where(or_(*of_cameras)).order_by(RetentionMeasurement.day)
    earlier = {row.camera_id: row.length for row in uow.session.scalars(query)}  # the last day of each
    now = {camera_id: length for lengths in compared.values() for camera_id, length in lengths.items()}
    return {camera_id: now[camera_id] - length for camera_id, length in earlier.items()}


def may_ask(uow: UnitOfWork, recorder_id: str, *, elsewhere: bool) -> bool | None:
    """Take the turn to ask a recorder; return whether it was silent last, None where it is not to be asked now.

    A silent one is asked once in ``ASKED_APART``, by all processes together, and not while this process asks another
    silent one (``elsewhere``).
    """
    recorder = uow.session.get_one(Recorder, recorder_id, with_for_update=True)
    code = "" if recorder.last_error is None else str(recorder.last_error["code"])
    if not code.startswith("recorder-") or code.removeprefix("recorder-") in REFUSALS:
        return False
    if elsewhere or (recorder.polled_at is not None and uow.now - recorder.polled_at < ASKED_APART):
        return None
    recorder.polled_at = uow.now
    return True


def _retry_preservations(uow: UnitOfWork, recorder_id: str) -> None:
    """Have what the recorder did not give, because it was away, preserved now."""
    of_recorder = select(Item.id).join(Camera, Camera.id == Item.camera_id).where(Camera.recorder_id == recorder_id)
    uow.session.execute(
        update(FailedPreservation)
        .where(
            FailedPreservation.code == RecorderDown.__name__,
            FailedPreservation.next_try_at > uow.now,
            FailedPreservation.item_id.in_(of_recorder),
        )
        .values(next_try_at=uow.now)
    )


def list_answering(uow: UnitOfWork, recorder_ids: Collection[str]) -> list[str]:
    """Return which of these recorders have answered the last request to them; one statement."""
    rows = uow.session.scalars(select(Recorder).where(Recorder.id.in_(recorder_ids)))
    return [row.id for row in rows if not is_silent(row)]


def is_silent(recorder: Recorder) -> bool:
    """Return whether the last request to the recorder had no answer.

    Other errors do not count.
    """
    code = "" if recorder.last_error is None else str(recorder.last_error["code"])
    return code.startswith("recorder-") or code in UNREACHABLE_CODES


def learn_fingerprint(uow: UnitOfWork, camera_id: str, fingerprint: str | None, application_id: str) -> None:
    """Store a camera's first confirmed fingerprint (F7).

    Later footage must match it.
    """
    camera = uow.session.get_one(Camera, camera_id)
    if camera.fingerprint is None and fingerprint:
        camera.fingerprint = fingerprint
        audit_trail.record(
            uow,
            "camera-fingerprint-learned",
            "camera",
            camera_id,
            application_id=application_id,
            fingerprint=fingerprint,
        )


def list_holders(uow: UnitOfWork, *kinds: str) -> list[str]:
    """List ids of active people who hold one of these posts now."""
    return list(
        uow.session.scalars(
            select(Person.id)
            .join(Post, Post.person_id == Person.id)
            .where(
                Post.kind.in_(kinds),
                Post.since <= uow.now,
                or_(Post.until.is_(None), Post.until > uow.now),
                Person.active,
            )
            .distinct()
            .order_by(Person.id)
        )
    )


def notify_storage(uow: UnitOfWork, code: str, *, application_id: str, subject_id: str | None = None) -> None:
    """Notify every storage operator whom the case does not concern (T8)."""
    concerned = uow.session.get_one(Application, application_id).subject_ids
    for person_id in list_holders(uow, "storage-operator"):
        if person_id not in concerned:
            notification_service.notify(uow, person_id, code, application_id=application_id, subject_id=subject_id)

"""Preservations: footage at risk of being overwritten, copied into the sealed quarantine (T4, docs/failures.md F1)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, case, select
from sqlalchemy.orm import joinedload

from services.database.moments import DAY_SECONDS, seconds_of
from services.database.tables.applications import Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera
from services.database.tables.preservations import Preservation
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.process import permissions
from services.domain.retrieval import attempts
from services.domain.stages.catalogue import approval_limit
from services.runtime.spans import Span

PRESERVATION_FAILED = "preservation-failed"  # the action in the audit trail, and the notice


@dataclass(frozen=True)
class Need:
    """An item that is to be preserved, and where its footage is."""

    item_id: str
    asked: Span
    source: measurements.CameraChannel


def items_in_scope(uow: UnitOfWork, application_id: str) -> list[Item]:
    """Return the items of the present round, by position, with cameras and recorders."""
    query = select(Item).where(Item.application_id == application_id, Item.dropped_in_round.is_(None))
    loaded = query.options(joinedload(Item.camera).joinedload(Camera.recorder))
    return list(uow.session.scalars(loaded.order_by(Item.position)))


def overwrite_moment(camera: Camera, start: datetime) -> datetime | None:
    """Return the earliest moment at which footage of ``start`` may be overwritten.

    None where nothing ever overwrites it. How far back the oldest picture lies is a limit only once it has moved: a
    recorder that has just begun to record overwrites nothing yet.
    """
    if not camera.overwritten:
        return None
    moments = [start + timedelta(days=camera.retention_days)]
    seen = camera.oldest_moved_at is not None
    if seen and camera.oldest_frame_at is not None and camera.oldest_measured_at is not None:
        moments.append(start + (camera.oldest_measured_at - camera.oldest_frame_at))
    return min(moments)


def overwrite_order() -> ColumnElement[float]:
    """Compute what ``overwrite_moment`` does, as a number to sort by; of a query on ``Item`` and ``Camera``.

    The moment is not kept on the item: each probe of its recorder changes it for every item of the camera.
    """
    at_most = Camera.retention_days * DAY_SECONDS
    measured = seconds_of(Camera.oldest_measured_at) - seconds_of(Camera.oldest_frame_at)
    return seconds_of(Item.asked_start) + case((measured < at_most, measured), else_=at_most)


def is_at_risk(uow: UnitOfWork, camera: Camera, start: datetime) -> bool:
    """Return whether the overwriting may come before the approvals are through (T4)."""
    moment = overwrite_moment(camera, start)
    return moment is not None and moment <= uow.now + approval_limit(uow.rules)


def begin(uow: UnitOfWork, application_id: str) -> bool:
    """Return whether anything is preserved at all; NotPermitted unless the case is being approved (T4)."""
    permissions.lock_approval(uow, application_id, "preserve footage")
    return uow.rules.preserve != "never"


def list_needs(uow: UnitOfWork, application_id: str) -> tuple[int, list[Need]]:
    """Return how many items are preserved as they are asked for, and which are still to be (T4)."""
    preserved, open_needs = 0, []
    for item in items_in_scope(uow, application_id):
        camera = item.camera
        asked = Span(item.asked_start, item.asked_end)
        if any(row.asked_start <= asked.start and asked.end <= row.asked_end for row in list_held(uow, item.id)):
            preserved += 1
        elif not camera.overwritten:
            continue  # it lies in the quarantine since it was uploaded
        elif uow.rules.preserve == "always" or (
            uow.rules.preserve == "at-risk" and is_at_risk(uow, camera, asked.start)
        ):
            open_needs.append(Need(item.id, asked, measurements.build_source(camera, camera.recorder)))
    return preserved, open_needs


def list_unreported(uow: UnitOfWork, application_id: str) -> list[Need]:
    """Return the items whose recorder has not said yet what it has of them as they are asked for now."""
    return [
        Need(
            item.id,
            Span(item.asked_start, item.asked_end),
            measurements.build_source(item.camera, item.camera.recorder),
        )
        for item in items_in_scope(uow, application_id)
        if item.reported is None and item.camera.overwritten
    ]


def record_report(uow: UnitOfWork, item_id: str, asked: Span, held: Sequence[Span]) -> None:
    """Store what a recorder says it has of an item; nothing where the item was changed meanwhile."""
    item = uow.session.get_one(Item, item_id)
    if (item.asked_start, item.asked_end) == (asked.start, asked.end) and item.reported is None:
        covered = [{"start": span.start.isoformat(), "end": span.end.isoformat()} for span in held]
        item.reported = {"at": uow.now.isoformat(), "covered": covered}


def list_held(uow: UnitOfWork, item_id: str) -> list[Preservation]:
    """Return the item's quarantine objects that are there, oldest first."""
    return list(
        uow.session.scalars(
            select(Preservation)
            .where(Preservation.item_id == item_id, Preservation.released_at.is_(None))
            .order_by(Preservation.preserved_at)
        )
    )


def create(uow: UnitOfWork, attempt_id: str, version_id: str, asked: Span, sealed: dict[str, Any]) -> bool:
    """Record a quarantine object; False when it is no longer wanted and is to be deleted."""
    if not attempts.finish(uow, attempt_id, version_id):
        return False
    attempt = attempts.get(uow, attempt_id)
    known = uow.session.scalar(select(Preservation.id).where(Preservation.attempt_id == attempt_id))
    if known is None:
        preservation = Preservation(
            application_id=attempt.application_id,
            item_id=attempt.item_id,
            attempt_id=attempt_id,
            preserved_at=uow.now,
            asked_start=asked.start,
            asked_end=asked.end,
            sealed=sealed,
        )
        uow.session.add(preservation)
        audit_trail.record(
            uow,
            "footage-preserved",
            "item",
            attempt.item_id,
            application_id=attempt.application_id,
            key=attempt.key,
            outcome=sealed.get("outcome"),
            sha256=sealed.get("sha256Cipher"),
        )
    return True


def record_failure(uow: UnitOfWork, application_id: str, item_id: str, code: str, job_key: int) -> None:
    """Record that footage at risk could not be preserved, and notify the storage office.

    Once for each item within ``REMINDERS_APART``, however often the engine sends the job. Nothing has failed where a
    later job works on the item: it has taken the work over.
    """
    if attempts.has_later_job(uow, "quarantine", item_id, job_key):
        return
    told = select(AuditEvent.seq).where(
        AuditEvent.action == PRESERVATION_FAILED,
        AuditEvent.subject_id == item_id,
        AuditEvent.at > uow.now - permissions.REMINDERS_APART,
    )
    if uow.session.scalar(told.limit(1)) is not None:
        return
    audit_trail.record(uow, PRESERVATION_FAILED, "item", item_id, application_id=application_id, code=code)
    measurements.notify_storage(uow, PRESERVATION_FAILED, application_id=application_id, subject_id=item_id)


def release(uow: UnitOfWork, application_id: str, because: str) -> list[Preservation]:
    """End every hold of the case's quarantine; lists the objects that are still to be discarded."""
    rows = list(
        uow.session.scalars(
            select(Preservation).where(
                Preservation.application_id == application_id, Preservation.discarded_at.is_(None)
            )
        )
    )
    for row in rows:
        if row.released_at is None:
            row.released_at, row.released_because = uow.now, because
            audit_trail.record(
                uow, "preservation-released", "item", row.item_id, application_id=application_id, because=because
            )
    return rows


def recorders_in_scope(uow: UnitOfWork, application_id: str) -> list[measurements.CameraChannel]:
    """Return one camera of each recorder that the application's items are on."""
    cameras = (item.camera for item in items_in_scope(uow, application_id))
    sources = (measurements.build_source(camera, camera.recorder) for camera in cameras)
    return list({source.recorder_id: source for source in sources if not source.uploaded}.values())

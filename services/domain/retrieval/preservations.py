"""Preservations: footage at risk of being overwritten, copied into the sealed quarantine (T4, docs/failures.md F1)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias

from sqlalchemy import ColumnElement, and_, case, delete, or_, select, update
from sqlalchemy.orm import joinedload

from services.database.moments import DAY_SECONDS, seconds_of
from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.cameras import Camera
from services.database.tables.matters import Matter
from services.database.tables.preservations import DAMAGED, FailedPreservation, Preservation
from services.database.tables.reviews import Decision
from services.database.tables.upload_attempts import UploadAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.notifications import service as notification_service
from services.domain.process import permissions
from services.domain.retrieval import attempts
from services.domain.working_calendar import deadlines
from services.runtime.spans import Span

PRESERVATION_FAILED = "preservation-failed"  # the action in the audit trail, and the notice
INCOMPLETE = "Incomplete"  # the code of a preservation of which a later try may give more
OBJECT_DAMAGED = "ObjectDamaged"  # the code where what was preserved is not what was sealed
GONE = ("NothingRecorded", "FootageMissing")  # what says that the recorder has nothing of it
FIRST_PAUSE = timedelta(minutes=1)
# A recorder or store that is away is asked for little; what it gave may have been fetched whole, in vain.
LONGEST_PAUSE = {True: timedelta(minutes=10), False: timedelta(hours=1)}
# A recorder may still be writing the file of what was recorded so lately.
SETTLES_WITHIN = timedelta(minutes=10)
# So many tries that gave no more than there is say that the recorder has no more: a reboot takes minutes.
TRIES_IN_VAIN = 3
SHARE_EPSILON = 0.001  # shares that differ by less are equal: there are some ten pictures a second
RENEWED_EVERY, CLAIM = timedelta(seconds=30), timedelta(minutes=5)


Kept: TypeAlias = Literal["unwanted", "incomplete", "kept"]
"""What became of an object: to be deleted; a later try may give more; all that the recorder gives is there."""


@dataclass(frozen=True)
class Need:
    """An item that is to be preserved, and where its footage is."""

    item_id: str
    asked: Span
    source: measurements.CameraChannel


@dataclass(frozen=True)
class Retry:
    """What is tried again, under the key of the job that failed."""

    application_id: str
    job_key: int
    need: Need


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


def is_overwritten(uow: UnitOfWork, camera: Camera, end: datetime) -> bool:
    """Return whether footage up to ``end`` may all have been overwritten by now."""
    moment = overwrite_moment(camera, end)
    return moment is not None and moment <= uow.now


def overwrite_order() -> ColumnElement[float]:
    """Compute what ``overwrite_moment`` does, as a number to sort by; of a query on ``Item`` and ``Camera``.

    The moment is not kept on the item: each probe of its recorder changes it for every item of the camera.
    """
    at_most = Camera.retention_days * DAY_SECONDS
    measured = seconds_of(Camera.oldest_measured_at) - seconds_of(Camera.oldest_frame_at)
    seen = Camera.oldest_moved_at.is_not(None)
    return seconds_of(Item.asked_start) + case((and_(seen, measured < at_most), measured), else_=at_most)


def is_at_risk(uow: UnitOfWork, camera: Camera, start: datetime) -> bool:
    """Return whether the overwriting may come before the approvals are through (T4)."""
    moment = overwrite_moment(camera, start)
    return moment is not None and moment <= deadlines.compute_approval_end(uow)


def begin(uow: UnitOfWork, application_id: str) -> bool:
    """Return whether anything is preserved at all; NotPermitted unless the case is being approved (T4)."""
    permissions.lock_approval(uow, application_id, "preserve footage")
    return _what_to_preserve(uow, application_id) != "never"


def list_needs(uow: UnitOfWork, application_id: str) -> tuple[int, list[Need]]:
    """Return how many items are preserved as they are asked for, and which are still to be (T4)."""
    preserved, open_needs = 0, []
    preserve = _what_to_preserve(uow, application_id)
    for item in items_in_scope(uow, application_id):
        if _is_held(uow, item):
            preserved += 1
        elif (need := _need_of(uow, item, preserve)) is not None:
            open_needs.append(need)
    return preserved, open_needs


def _is_held(uow: UnitOfWork, item: Item) -> bool:
    """Return whether the quarantine has the item as it is asked for: whole, or as much of it as the recorder gives."""
    held = [row for row in list_usable(uow, item) if row.released_at is None]
    rows = _covering(held, Span(item.asked_start, item.asked_end))
    if all(_may_give_more(row.sealed, row.asked_end, row.preserved_at) for row in rows):
        tried = uow.session.get(FailedPreservation, item.id)
        own = any(row.item_id == item.id for row in rows)  # what an appealed case has was not tried to the end
        return own and (tried is None or tried.next_try_at is None)
    return True


def _covering(rows: Sequence[Preservation], asked: Span) -> list[Preservation]:
    return [row for row in rows if row.asked_start <= asked.start and asked.end <= row.asked_end]


def _may_give_more(sealed: Mapping[str, Any], end: datetime, at: datetime) -> bool:
    """Return whether a try after ``at`` may give more: something promised is missing, came broken, or was so new."""
    return sealed["outcome"] != "complete" and (_is_broken(sealed) or end > at - SETTLES_WITHIN)


def _is_broken(sealed: Mapping[str, Any]) -> bool:
    """Return whether something promised is missing or came broken; that key frames are all there is, no try mends."""
    coverage = sealed["coverage"]
    keys_only = coverage.get("pictures", {}).get("keyFramesOnly", False)
    return bool(coverage["lost"]) or len(coverage["problems"]) > int(keys_only)


def _what_to_preserve(uow: UnitOfWork, application_id: str) -> str:
    """Return the rule that holds for the case: of a released urgent retrieval everything is preserved at once."""
    urgent = (
        select(Matter.id)
        .join(Decision, Decision.matter_id == Matter.id)
        .where(
            Matter.application_id == application_id,
            Matter.kind == "urgent",
            Matter.closed_at.is_(None),
            Decision.outcome == "approved",
        )
    )
    return "always" if uow.session.scalar(urgent.limit(1)) is not None else uow.rules.preserve


def _need_of(uow: UnitOfWork, item: Item, preserve: str) -> Need | None:
    """Return what of an item that is not held is to be preserved; None for what needs it not."""
    camera = item.camera
    if not camera.overwritten:
        return None  # it lies in the quarantine since it was uploaded
    if preserve == "at-risk" and uow.session.get_one(Application, item.application_id).on_behalf is not None:
        preserve = "always"  # what people outside ask for is kept from its registration on: letter and answer take days
    if preserve != "always" and not (preserve == "at-risk" and is_at_risk(uow, camera, item.asked_start)):
        return None
    asked = Span(item.asked_start, item.asked_end)
    return Need(item.id, asked, measurements.build_source(camera, camera.recorder))


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
    """Return the item's quarantine objects that are there and not known to be damaged, oldest first."""
    return list(
        uow.session.scalars(
            select(Preservation)
            .where(Preservation.item_id == item_id, Preservation.released_at.is_(None))
            .order_by(Preservation.preserved_at)
        )
    )


def list_usable(uow: UnitOfWork, item: Item) -> list[Preservation]:
    """Return what the quarantine has of an item: its own, and what the case that is appealed has of the same camera.

    That one stays as long as the appeal is open (``holds.queries``), and may be all that is left: the recorder has
    overwritten the footage meanwhile. What was found damaged is among them, though it counts as held no more: who
    reads it finds out anew, and a store that had lost sight of it may have it again.
    """
    there = and_(
        or_(Preservation.released_at.is_(None), Preservation.released_because == DAMAGED),
        Preservation.discarded_at.is_(None),
    )
    own = select(Preservation).where(Preservation.item_id == item.id, there).order_by(Preservation.preserved_at)
    appealed = (
        select(Preservation)
        .join(Item, Item.id == Preservation.item_id)
        .join(Application, Application.previous_id == Preservation.application_id)
        .where(
            Application.id == item.application_id,
            Item.camera_id == item.camera_id,
            Preservation.asked_start < item.asked_end,
            Preservation.asked_end > item.asked_start,
            there,
        )
        .order_by(Preservation.preserved_at)
    )
    return [*uow.session.scalars(own), *uow.session.scalars(appealed)]


def create(uow: UnitOfWork, attempt_id: str, version_id: str, asked: Span, sealed: dict[str, Any]) -> Kept:
    """Record a quarantine object, and whether it is tried again because a later try may give more.

    What gives no more than there is is not recorded: its attempt stays open, and is to be swept. After some of these
    the recorder is asked no more.
    """
    attempt = attempts.get(uow, attempt_id)
    more = _may_give_more(sealed, asked.end, uow.now)
    if more and attempt.finished_at is None and _is_in_vain(uow, attempt.item_id, asked, sealed):
        tried = uow.session.get(FailedPreservation, attempt.item_id)
        more = tried is not None and (
            tried.code != INCOMPLETE or tried.failures < TRIES_IN_VAIN or asked.end > uow.now - SETTLES_WITHIN
        )
    elif attempts.finish(uow, attempt_id, version_id):
        _add(uow, attempt, asked, sealed)
    else:
        return "unwanted"
    if more:
        broken = _is_broken(sealed)
        record_failure(uow, attempt.application_id, attempt.item_id, INCOMPLETE, attempt.job_key, told=broken)
        return "incomplete"
    put_right = uow.session.execute(
        delete(FailedPreservation).where(
            FailedPreservation.item_id == attempt.item_id, FailedPreservation.job_key <= attempt.job_key
        )
    )
    if getattr(put_right, "rowcount", 0):
        _end_notices(uow, attempt.item_id)
    notification_service.mark_done(uow, "damage", subject_id=attempt.item_id)  # of what it takes the place of
    return "kept"


def _is_in_vain(uow: UnitOfWork, item_id: str, asked: Span, sealed: Mapping[str, Any]) -> bool:
    """Return whether the quarantine has as much of the span already."""
    shares = [row.sealed["coverage"]["share"] for row in _covering(list_held(uow, item_id), asked)]
    return bool(shares) and bool(sealed["coverage"]["share"] <= max(shares) + SHARE_EPSILON)


def _add(uow: UnitOfWork, attempt: UploadAttempt, asked: Span, sealed: dict[str, Any]) -> None:
    if uow.session.scalar(select(Preservation.id).where(Preservation.attempt_id == attempt.id)) is not None:
        return
    preservation = Preservation(
        application_id=attempt.application_id,
        item_id=attempt.item_id,
        attempt_id=attempt.id,
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


def record_failure(
    uow: UnitOfWork,
    application_id: str,
    item_id: str,
    code: str,
    job_key: int,
    *,
    away: bool = False,
    told: bool = True,
) -> None:
    """Record that footage at risk could not be preserved and when it is tried again, and notify the storage office.

    ``away``: recorder or store did not answer; ``told``: whether the office is notified. It is tried no more once the
    recorder says that it has nothing of it and has overwritten what is as old. The office is notified of that, and else
    once for each item within ``REMINDERS_APART``, however often it fails until it is preserved. Nothing has failed
    where a later job works on the item, which has taken the work over, where another process has preserved it
    meanwhile, or where the case needs it no more.
    """
    if attempts.has_later_job(uow, "quarantine", item_id, job_key):
        return
    if attempts.reason_unwanted(uow, application_id, item_id) is not None:
        return
    item = uow.session.get_one(Item, item_id)
    if item.outcome is not None or (code != INCOMPLETE and _is_held(uow, item)):
        return
    moment = overwrite_moment(uow.session.get_one(Camera, item.camera_id), item.asked_end)
    gone = code in GONE and moment is not None and moment <= uow.now
    row = uow.session.get(FailedPreservation, item_id)
    if row is None:
        row = FailedPreservation(
            item_id=item_id, application_id=application_id, job_key=job_key, failures=0, since=uow.now
        )
        uow.session.add(row)
    # tries in vain are counted alone: a recorder that is away has not said that it has no more
    again = row.job_key == job_key and (code != INCOMPLETE or row.code == INCOMPLETE)
    row.failures = row.failures + 1 if again else 1
    row.job_key, row.code, row.failed_at, row.claimed_until = job_key, code, uow.now, None
    if code in GONE and row.failures > TRIES_IN_VAIN:
        # a part is kept, and the recorder has said often enough that it has no more
        gone = gone or bool(_covering(list_held(uow, item_id), Span(item.asked_start, item.asked_end)))
    row.next_try_at = None if gone else uow.now + _pause(row.failures, away=away)
    if gone:
        _notify_failure(uow, application_id, item_id, code, overwritten=True)
        return
    known = select(AuditEvent.seq).where(
        AuditEvent.action == PRESERVATION_FAILED,
        AuditEvent.subject_id == item_id,
        AuditEvent.at > uow.now - permissions.REMINDERS_APART,
    )
    if row.since is not None:
        known = known.where(AuditEvent.at >= row.since)  # what failed before and was put right is told of no more
    if not told or uow.session.scalar(known.limit(1)) is not None:
        return
    _notify_failure(uow, application_id, item_id, code)


def _pause(failures: int, *, away: bool) -> timedelta:
    """Return the wait before the next try: a minute first, then twice as long each time."""
    doubled: timedelta = FIRST_PAUSE * 2 ** min(failures - 1, 8)
    return min(doubled, LONGEST_PAUSE[away])


def _notify_failure(uow: UnitOfWork, application_id: str, item_id: str, code: str, **more: bool) -> None:
    audit_trail.record(uow, PRESERVATION_FAILED, "item", item_id, application_id=application_id, code=code, **more)
    measurements.notify_storage(uow, PRESERVATION_FAILED, application_id=application_id, subject_id=item_id)


def claim_due(uow: UnitOfWork, running: Collection[str], limit: int) -> list[str]:
    """Claim up to ``limit`` items that are due to be tried again, for the caller's process; the longest due first.

    The claims on ``running``, which the process tries already, are renewed. A claim that nobody renews lapses, so that
    another process tries what one that died has left.
    """
    until = uow.now + CLAIM
    if running:
        claimed = update(FailedPreservation).where(FailedPreservation.item_id.in_(running))
        uow.session.execute(claimed.values(claimed_until=until))
    query = (
        select(FailedPreservation)
        .where(
            FailedPreservation.next_try_at <= uow.now,
            or_(FailedPreservation.claimed_until.is_(None), FailedPreservation.claimed_until <= uow.now),
        )
        .order_by(FailedPreservation.next_try_at, FailedPreservation.item_id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    due = list(uow.session.scalars(query)) if limit > 0 else []
    for row in due:
        row.claimed_until = until
    return [row.item_id for row in due]


def begin_retry(uow: UnitOfWork, item_id: str) -> Retry | None:
    """Return what of an item is tried again now; None where it was preserved, or its case needs it no more (T4)."""
    row = uow.session.get(FailedPreservation, item_id)
    if row is None:
        return None
    item = next((one for one in items_in_scope(uow, row.application_id) if one.id == item_id), None)
    state = permissions.lock(uow, row.application_id, "preserve footage again")
    if item is not None and item.outcome is None and permissions.is_preserved(state) and not _is_held(uow, item):
        need = _need_of(uow, item, _what_to_preserve(uow, row.application_id))
        if need is not None:
            return Retry(row.application_id, row.job_key, need)
    uow.session.delete(row)
    _end_notices(uow, item_id)
    return None


def _end_notices(uow: UnitOfWork, item_id: str) -> None:
    """End what asks somebody to look after the preservation of an item."""
    notification_service.mark_done(uow, "preparation", subject_id=item_id)


def postpone(uow: UnitOfWork, item_id: str) -> None:
    """Let a recorder that was not asked now be asked soon."""
    row = uow.session.get(FailedPreservation, item_id)
    if row is not None and row.next_try_at is not None:
        row.next_try_at, row.claimed_until = uow.now + measurements.ASKED_APART, None


def list_failed(uow: UnitOfWork, item_ids: Collection[str]) -> dict[str, FailedPreservation]:
    """Return which of the items could not be preserved; one statement."""
    query = select(FailedPreservation).where(FailedPreservation.item_id.in_(item_ids))
    return {row.item_id: row for row in uow.session.scalars(query)}


def end_tries(uow: UnitOfWork, application_id: str) -> None:
    """Try no more to preserve what a case has failed to."""
    uow.session.execute(delete(FailedPreservation).where(FailedPreservation.application_id == application_id))


def end_damaged(uow: UnitOfWork, application_id: str, key: str, job_key: int) -> None:
    """Let a quarantine object that is not what was sealed count as held no more; what it held is preserved again.

    Its object stays as evidence until the others of its case are released. ``application_id``: the case whose job has
    found it, maybe the appeal of the one that preserved it. Nothing is preserved again once the retrieval asks the
    recorder itself. A second run, and the key of another kind of object, change nothing.
    """
    state = permissions.lock(uow, application_id, "preserve footage again")
    query = select(Preservation).join(UploadAttempt, UploadAttempt.id == Preservation.attempt_id)
    row = uow.session.scalar(query.where(UploadAttempt.key == key, Preservation.released_at.is_(None)))
    if row is None:
        return
    items = [item for item in items_in_scope(uow, application_id) if row in list_usable(uow, item)]
    row.released_at, row.released_because = uow.now, DAMAGED
    uow.session.flush()
    if not permissions.is_preserved(state):
        return
    preserve = _what_to_preserve(uow, application_id)
    for item in items:
        if not _is_held(uow, item) and _need_of(uow, item, preserve) is not None:
            record_failure(uow, application_id, item.id, OBJECT_DAMAGED, job_key)


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
        if row.released_at is None or row.released_because == DAMAGED:
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

"""The storage office at a glance: releases that wait, footage on its way, recorders, quarantine (R30 to R34).

Read by the people of the storage office and by the supervision group, without the cases that concern the reader (T8);
recorders are measured by its operators.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Select, func, select
from sqlalchemy.orm import aliased

from services.database.listing import EVERYTHING, Listing
from services.database.tables.applications import Application, Item
from services.database.tables.cameras import UPLOADED, Camera, Recorder
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.people import Person
from services.database.tables.preservations import FailedPreservation, Preservation
from services.database.tables.process_steps import ProcessStep
from services.database.tables.progress import Progress
from services.database.tables.reviews import Decision, Proposal, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.cameras.measurements import CameraChannel
from services.domain.cases.schemas.storage import (
    FootageProgress,
    PreservedItem,
    StorageFigures,
    StorageOffice,
    WaitingRelease,
    WatchedCamera,
    WatchedRecorder,
)
from services.domain.cases.standstills import standstill_of
from services.domain.process import steps
from services.domain.retrieval import preservations, progress
from services.domain.retrieval.preservations import overwrite_moment
from services.recorders.protocol import RecorderFacts
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message
from services.web.problem import Problem

OPERATES = ("storage-operator",)
HEADS = ("head", "deputy")
QUARANTINE = "quarantine"  # the purpose of what is preserved: its step has ended when it is tried again


def get_office(uow: UnitOfWork, preserved: Listing, *, releases: int, recorders: int) -> StorageOffice:
    """Return everything at a glance, with the part of the quarantine that is asked for.

    ``releases``, ``recorders``: so many at most, those that are due and those in trouble first. Raises Refused with
    403 for people outside the office.
    """
    work, figures = list_work(uow)
    return StorageOffice(
        releases=_releases(uow, releases),
        work=work,
        recorders=_list_few_recorders(uow, recorders),
        preserved=list_preserved(uow, preserved),
        figures=figures,
        may_measure=may_measure(uow),
    )


def list_preserved(uow: UnitOfWork, listing: Listing = EVERYTHING) -> list[PreservedItem]:
    """Return the quarantine, the newest first; searched in numbers, cameras and places.

    Raises Refused with 403 for people outside the office.
    """
    _require_reader(uow)
    query = (
        select(Preservation, Application.number, Item.position, Camera)
        .join(Item, Item.id == Preservation.item_id)
        .join(Camera, Camera.id == Item.camera_id)
        .join(Application, Application.id == Preservation.application_id)
        .where(
            Preservation.released_at.is_(None),
            visibility.is_not_hidden(uow),
            listing.mentioned(*(Application.number, Camera.name_zh, Camera.name_en, Camera.place_zh, Camera.place_en)),
        )
    )
    columns = {
        **{"preserved": Preservation.preserved_at, "number": Application.number},
        "camera": listing.name(Camera),
    }
    part = listing.part(query, columns, Preservation.preserved_at.desc(), Preservation.id)
    return [
        PreservedItem(
            id=row.id,
            application_id=row.application_id,
            number=number,
            position=position,
            camera_zh=camera.name_zh,
            camera_en=camera.name_en,
            preserved_at=row.preserved_at,
            outcome=str(row.sealed.get("outcome", "")),
            overwrite_at=overwrite_moment(camera, row.asked_start),
        )
        for row, number, position, camera in uow.session.execute(part)
    ]


def list_recorders(uow: UnitOfWork, listing: Listing = EVERYTHING) -> list[WatchedRecorder]:
    """Return the recorders in use by name; searched in name, site and cameras.

    Raises Refused with 403 for people outside the office.
    """
    _require_reader(uow)
    of_camera = select(Camera.recorder_id).where(listing.mentioned(Camera.name_zh, Camera.name_en))
    query = _select_recorders().where(
        listing.mentioned(Recorder.name, Recorder.site, also=Recorder.id.in_(of_camera)),
    )
    columns = {
        **{"name": Recorder.name, "site": Recorder.site, "seen": Recorder.last_seen_at},
        "clock": func.abs(Recorder.clock_offset_ms),
    }
    part = listing.part(query, columns, Recorder.name, Recorder.id)
    return _watched(uow, list(uow.session.scalars(part)))


def _list_few_recorders(uow: UnitOfWork, most: int) -> list[WatchedRecorder]:
    """Return so many recorders in use, those that gave no answer first; their cameras alone are read."""
    query = _select_recorders().order_by(Recorder.last_error.is_(None), Recorder.name, Recorder.id)
    return _watched(uow, list(uow.session.scalars(query.limit(most))))


def _select_recorders() -> Select[Recorder]:
    return select(Recorder).where(Recorder.active, Recorder.kind != UPLOADED)


def may_measure(uow: UnitOfWork) -> bool:
    """Return whether the actor measures recorders."""
    return access_queries.load_directory(uow).holds(uow.actor.id, *OPERATES)


def list_work(uow: UnitOfWork) -> tuple[list[FootageProgress], StorageFigures]:
    """Return what is being retrieved and sealed now, with the figures of today."""
    _require_reader(uow)
    under_way = progress.list_open(uow)
    items = _items(uow, {row.item_id for row in under_way})
    rows = [row for row in under_way if row.item_id in items]
    of_items = steps.list_open_of_items(uow, set(items))
    failed = preservations.list_failed(uow, {row.item_id for row in rows if row.purpose == QUARANTINE})
    work = [_work(uow, row, items[row.item_id], of_items.get(row.item_id), failed.get(row.item_id)) for row in rows]
    return work, _figures(uow, sum(entry.last_error is not None for entry in work))


def source_to_measure(uow: UnitOfWork, recorder_id: str) -> CameraChannel:
    """Return the recorder that an operator wants to be asked now; Refused with 403 for others."""
    if not may_measure(uow):
        raise Refused(
            "not-operator",
            "Only storage operators can measure recorders.",
            status=403,
        )
    camera = uow.session.scalar(select(Camera).where(Camera.recorder_id == recorder_id).order_by(Camera.channel))
    if camera is None:
        raise NotFound(Message("recorder"), recorder_id)
    return measurements.source_of_camera(uow, camera)


def record_measurement(uow: UnitOfWork, recorder_id: str, facts: RecorderFacts) -> WatchedRecorder:
    """Store what the recorder answered to an operator."""
    measurements.record_measured(uow, recorder_id, facts)
    recorder = uow.session.get_one(Recorder, recorder_id)
    recorder.polled_at, recorder.last_error = uow.now, None
    audit_trail.record(uow, "recorder-measured", "recorder", recorder_id, clock_offset_ms=facts.clock_offset_ms)
    return _watched(uow, [recorder])[0]


def get_recorder(uow: UnitOfWork, recorder_id: str) -> WatchedRecorder:
    """Return a recorder as the office sees it; the caller has checked who reads it."""
    return _watched(uow, [uow.session.get_one(Recorder, recorder_id)])[0]


def record_unreachable(uow: UnitOfWork, recorder_id: str, code: str = "down") -> Refused:
    """Store that the recorder gave no answer; return the refusal that says what to do. ``code`` is RecorderDown's."""
    recorder = uow.session.get_one(Recorder, recorder_id)
    refusal = Refused(
        "recorder-down",
        "The recorder “{name}” is not responding: check its power and network, then measure again.",
        name=recorder.name,
    )
    recorder.polled_at = uow.now
    recorder.last_error = {"code": f"recorder-{code}", "zh": refusal.zh, "en": refusal.en}
    return refusal


def _require_reader(uow: UnitOfWork) -> None:
    me, directory = uow.actor.id, access_queries.load_directory(uow)
    if directory.holds(me, "supervisor", *OPERATES) or directory.holds_in(me, "storage", *HEADS):
        return
    raise Refused(
        "not-storage",
        "This page is only for the storage office.",
        status=403,
    )


def _releases(uow: UnitOfWork, most: int) -> list[WaitingRelease]:
    claimant, proposer = aliased(Person), aliased(Person)
    query = (
        select(Review, Application.number, claimant.name, proposer.name)
        .join(Application, Application.id == Review.application_id)
        .outerjoin(claimant, claimant.id == Review.claimed_by)
        .outerjoin(Proposal, (Proposal.review_id == Review.id) & Proposal.refused_by.is_(None))
        .outerjoin(proposer, proposer.id == Proposal.person_id)
        .where(
            Review.stage == "storage-release",
            Review.closed_at.is_(None),
            Application.closed_at.is_(None),
            Application.withdrawn_at.is_(None),
            visibility.is_not_hidden(uow),
        )
        .order_by(Review.due_at, Review.id)
        .limit(most)
    )
    return [
        WaitingRelease(
            review_id=review.id,
            application_id=review.application_id,
            number=number,
            opened_at=review.opened_at,
            due_at=review.due_at,
            claimed_by=claimed_by,
            proposed_by=proposed_by,
        )
        for review, number, claimed_by, proposed_by in uow.session.execute(query)
    ]


@dataclass(frozen=True)
class _Item:
    """An item with what its work is shown by."""

    item: Item
    camera: Camera
    recorder: str
    number: str | None


def _items(uow: UnitOfWork, ids: Collection[str]) -> dict[str, _Item]:
    """Load those of these items, by id, whose cases are not hidden from the actor; one statement."""
    query = (
        select(Item, Camera, Recorder.name, Application.number)
        .join(Camera, Camera.id == Item.camera_id)
        .join(Recorder, Recorder.id == Camera.recorder_id)
        .join(Application, Application.id == Item.application_id)
        .where(Item.id.in_(ids), visibility.is_not_hidden(uow))
    )
    return {row[0].id: _Item(*row) for row in uow.session.execute(query)}


def _work(
    uow: UnitOfWork, row: Progress, of: _Item, step: ProcessStep | None, failed: FailedPreservation | None
) -> FootageProgress:
    trouble = progress.error_of(row)
    failed = failed if row.purpose == QUARANTINE else None
    next_try_at = failed.next_try_at if failed is not None else None
    return FootageProgress(
        application_id=row.application_id,
        item_id=row.item_id,
        number=of.number,
        position=of.item.position,
        camera_zh=of.camera.name_zh,
        camera_en=of.camera.name_en,
        recorder=of.recorder,
        purpose=row.purpose,
        phase=row.phase,
        size=row.size,
        share=row.share,
        since=row.since,
        attempts=row.attempts,
        heartbeat_at=row.heartbeat_at,
        silent=progress.is_silent(uow, row),
        last_error=Problem.of(trouble) if trouble is not None else None,
        last_error_at=row.last_error_at,
        standstill=standstill_of(step, uow.now) if step is not None and row.purpose != QUARANTINE else None,
        retried=next_try_at is not None if row.purpose == QUARANTINE else step is not None,
        next_try_at=next_try_at if next_try_at is not None and next_try_at > uow.now else None,
        overwritten=failed is not None and next_try_at is None,
    )


def _watched(uow: UnitOfWork, recorders: Sequence[Recorder]) -> list[WatchedRecorder]:
    """Return the recorders with their cameras; two statements, however many there are."""
    of_recorders = select(Camera).where(Camera.recorder_id.in_([row.id for row in recorders]))
    cameras: dict[str, list[Camera]] = defaultdict(list)
    for camera in uow.session.scalars(of_recorders.order_by(Camera.channel)):
        cameras[camera.recorder_id].append(camera)
    changes = measurements.retention_changes(uow, (camera for some in cameras.values() for camera in some))
    return [_watched_one(recorder, cameras[recorder.id], changes) for recorder in recorders]


def _watched_one(recorder: Recorder, cameras: Sequence[Camera], changes: Mapping[str, timedelta]) -> WatchedRecorder:
    error: Mapping[str, str] | None = recorder.last_error
    return WatchedRecorder(
        id=recorder.id,
        name=recorder.name,
        site=recorder.site,
        make=recorder.make,
        model=recorder.model,
        zone=recorder.zone,
        clock_offset_ms=recorder.clock_offset_ms,
        clock_method=recorder.clock_method,
        clock_uncertainty_ms=recorder.clock_uncertainty_ms,
        clock_measured_at=recorder.clock_measured_at,
        tells_its_time=recorder.tells_its_time,
        last_seen_at=recorder.last_seen_at,
        polled_at=recorder.polled_at,
        last_error=Problem(code=error["code"], zh=error["zh"], en=error["en"]) if error else None,
        cameras=[
            WatchedCamera(
                camera_id=camera.id,
                channel=camera.channel,
                name_zh=camera.name_zh,
                name_en=camera.name_en,
                camera_class=camera.camera_class,
                oldest_frame_at=camera.oldest_frame_at,
                oldest_measured_at=camera.oldest_measured_at,
                retention_days=camera.retention_days,
                retention_change_seconds=_seconds(changes.get(camera.id)),
            )
            for camera in cameras
        ],
    )


def _seconds(length: timedelta | None) -> int | None:
    return None if length is None else round(length.total_seconds())


def _figures(uow: UnitOfWork, in_trouble: int) -> StorageFigures:
    midnight = uow.now.astimezone(ZoneInfo(uow.rules.zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    shown = visibility.is_not_hidden(uow)
    retrieved = (
        select(func.count())
        .select_from(Master)
        .join(Application, Application.id == Master.application_id)
        .where(Master.retrieved_at >= midnight, shown)
    )
    released = select(Decision.application_id).where(
        Decision.stage == "storage-release",
        Decision.outcome == "approved",
        Decision.application_id == Application.id,
        Decision.issue == Application.issue,
    )
    waiting = (
        select(func.count())
        .select_from(Item)
        .join(Application, Application.id == Item.application_id)
        .where(
            Item.application_id.in_(released),
            Item.outcome.is_(None),
            Item.dropped_in_round.is_(None),
            Application.closed_at.is_(None),
            Application.withdrawn_at.is_(None),
            shown,
        )
    )
    without = (
        select(func.count())
        .select_from(Document)
        .join(Item, Item.id == Document.item_id)
        .join(Application, Application.id == Item.application_id)
        .where(
            Document.kind == "retrieval-record",
            Document.made_at >= midnight,
            Item.outcome.in_(("missing", "unreadable")),
            shown,
        )
    )
    return StorageFigures(
        retrieved=uow.session.scalar(retrieved) or 0,
        waiting=uow.session.scalar(waiting) or 0,
        failed=(uow.session.scalar(without) or 0) + in_trouble,
    )

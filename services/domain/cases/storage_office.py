"""The storage office at a glance: releases that wait, footage on its way, recorders, quarantine (R30 to R34).

Read by the people of the storage office and by the supervision group; recorders are measured by its operators.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from sqlalchemy import func, select

from services.database.listing import EVERYTHING, Listing
from services.database.tables.applications import Application, Item
from services.database.tables.cameras import Camera, Recorder
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.people import Person
from services.database.tables.preservations import Preservation
from services.database.tables.progress import Progress
from services.database.tables.reviews import Decision, Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.cameras.measurements import Measured, Source
from services.domain.cameras.retention import BROUGHT
from services.domain.retrieval import progress
from services.domain.retrieval.preservations import overwrite_moment
from services.domain.retrieval.progress import Trouble
from services.domain.reviews import service as review_service
from services.runtime.errors import NotFound, Refused
from services.runtime.translations import Message

OPERATES = ("storage-operator",)
HEADS = ("head", "deputy")
KeptSort = Literal["preserved", "number", "camera"]
RecorderSort = Literal["name", "site", "clock", "seen"]


@dataclass(frozen=True)
class Release:
    """An open release; ``proposed_by`` has released it, and a second person is to confirm."""

    review: Review
    number: str | None
    claimed_by: str | None
    proposed_by: str | None


@dataclass(frozen=True)
class Work:
    """One item's footage on its way; ``silent``: nobody seems to work on it at this moment."""

    row: Progress
    number: str | None
    position: int
    camera: Camera
    recorder: str
    silent: bool
    trouble: Trouble | None


@dataclass(frozen=True)
class Kept:
    """A quarantine object: held until its case ends; the recorder may have overwritten the footage by ``gone_at``."""

    row: Preservation
    number: str | None
    position: int
    camera: Camera
    outcome: str
    gone_at: datetime | None


@dataclass(frozen=True)
class Figures:
    """Items: fetched since midnight, released and not fetched yet, and failed: in trouble, or today without footage."""

    fetched: int
    waiting: int
    failed: int


@dataclass(frozen=True)
class Watched:
    """A recorder with what was last measured of it, and its cameras' oldest frames.

    ``changes`` is how much further back each camera can be seen than a week ago, by its id; negative: less.
    """

    recorder: Recorder
    cameras: list[Camera]
    oldest_frame_at: datetime | None
    changes: dict[str, timedelta]


@dataclass(frozen=True)
class Office:
    releases: list[Release]
    work: list[Work]
    recorders: list[Watched]
    kept: list[Kept]
    figures: Figures
    may_measure: bool


def overview(uow: UnitOfWork, kept: Listing) -> Office:
    """Everything that the storage office looks at, of the quarantine the part that is wanted; Refused with 403 for
    people outside the office."""
    _require_reader(uow)
    work = [_work(uow, row) for row in progress.under_way(uow)]
    return Office(
        releases=_releases(uow),
        work=work,
        recorders=recorders(uow),
        kept=preserved(uow, kept),
        figures=_figures(uow, work),
        may_measure=may_measure(uow),
    )


def preserved(uow: UnitOfWork, listing: Listing = EVERYTHING) -> list[Kept]:
    """The quarantine, the newest first, searched in numbers, cameras and places; Refused with 403 for people outside
    the office."""
    _require_reader(uow)
    query = (
        select(Preservation, Application.number, Item.position, Camera)
        .join(Item, Item.id == Preservation.item_id)
        .join(Camera, Camera.id == Item.camera_id)
        .join(Application, Application.id == Preservation.application_id)
        .where(
            Preservation.released_at.is_(None),
            listing.mentioned(*(Application.number, Camera.name_zh, Camera.name_en, Camera.place_zh, Camera.place_en)),
        )
    )
    columns = {
        **{"preserved": Preservation.preserved_at, "number": Application.number},
        "camera": listing.name(Camera),
    }
    part = listing.part(query, columns, Preservation.preserved_at.desc(), Preservation.id)
    return [
        Kept(
            *(row, number, position, camera, str(row.sealed.get("outcome", ""))),
            overwrite_moment(camera, row.asked_start),
        )
        for row, number, position, camera in uow.session.execute(part)
    ]


def recorders(uow: UnitOfWork, listing: Listing = EVERYTHING) -> list[Watched]:
    """The recorders in use by name, searched in name, site and cameras; Refused with 403 for people outside the
    office."""
    _require_reader(uow)
    seen_by = select(Camera.recorder_id).where(listing.mentioned(Camera.name_zh, Camera.name_en))
    query = select(Recorder).where(
        Recorder.active,
        Recorder.kind != BROUGHT,
        listing.mentioned(Recorder.name, Recorder.site, also=Recorder.id.in_(seen_by)),
    )
    columns = {
        **{"name": Recorder.name, "site": Recorder.site, "seen": Recorder.last_seen_at},
        "clock": func.abs(Recorder.clock_offset_ms),
    }
    part = listing.part(query, columns, Recorder.name, Recorder.id)
    return [_watched(uow, row) for row in uow.session.scalars(part)]


def may_measure(uow: UnitOfWork) -> bool:
    """Whether the acting person measures recorders."""
    return access_queries.directory(uow).holds(uow.actor.id, *OPERATES)


def work_under_way(uow: UnitOfWork) -> tuple[list[Work], Figures]:
    """What is being fetched and sealed, alone: what the page asks for every few seconds."""
    _require_reader(uow)
    work = [_work(uow, row) for row in progress.under_way(uow)]
    return work, _figures(uow, work)


def to_measure(uow: UnitOfWork, recorder_id: str) -> Source:
    """A recorder that an operator wants to be asked now; Refused with 403 for others."""
    if not may_measure(uow):
        raise Refused(
            "not-operator",
            "Recorders are measured by storage operators.",
            status=403,
        )
    camera = uow.session.scalar(select(Camera).where(Camera.recorder_id == recorder_id).order_by(Camera.channel))
    if camera is None:
        raise NotFound(Message("recorder"), recorder_id)
    return measurements.of_camera(uow, camera)


def measured(uow: UnitOfWork, recorder_id: str, facts: Measured) -> Watched:
    """Write down what the recorder answered to an operator."""
    measurements.measured(uow, recorder_id, facts)
    recorder = uow.session.get_one(Recorder, recorder_id)
    recorder.polled_at, recorder.last_error = uow.now, None
    audit_trail.record(uow, "recorder-measured", "recorder", recorder_id, clock_offset_ms=facts.clock_offset_ms)
    return _watched(uow, recorder)


def watched(uow: UnitOfWork, recorder_id: str) -> Watched:
    """A recorder as the office sees it; for those who were let in."""
    return _watched(uow, uow.session.get_one(Recorder, recorder_id))


def not_reached(uow: UnitOfWork, recorder_id: str) -> Refused:
    """Write down that the recorder gave no answer; the refusal says what to do."""
    recorder = uow.session.get_one(Recorder, recorder_id)
    refusal = Refused(
        "recorder-down",
        "The recorder “{name}” does not answer: check its power and network, then measure again.",
        name=recorder.name,
    )
    recorder.polled_at = uow.now
    recorder.last_error = {"code": refusal.code, "zh": refusal.zh, "en": refusal.en}
    return refusal


def _require_reader(uow: UnitOfWork) -> None:
    me, staff = uow.actor.id, access_queries.directory(uow)
    if staff.holds(me, "supervisor", *OPERATES) or staff.holds_in(me, "storage", *HEADS):
        return
    raise Refused(
        "not-storage",
        "This page is for the storage office.",
        status=403,
    )


def _releases(uow: UnitOfWork) -> list[Release]:
    query = (
        select(Review)
        .join(Application, Application.id == Review.application_id)
        .where(
            Review.stage == "storage-release",
            Review.closed_at.is_(None),
            Application.closed_at.is_(None),
            Application.withdrawn_at.is_(None),
        )
        .order_by(Review.due_at)
    )
    found = []
    for review in uow.session.scalars(query):
        proposal = review_service.open_proposal(uow, review)
        found.append(
            Release(
                review,
                _number(uow, review.application_id),
                _name(uow, review.claimed_by),
                _name(uow, proposal.person_id) if proposal else None,
            )
        )
    return found


def _work(uow: UnitOfWork, row: Progress) -> Work:
    item = uow.session.get_one(Item, row.item_id)
    camera = uow.session.get_one(Camera, item.camera_id)
    return Work(
        row=row,
        number=_number(uow, row.application_id),
        position=item.position,
        camera=camera,
        recorder=uow.session.get_one(Recorder, camera.recorder_id).name,
        silent=progress.silent(uow, row),
        trouble=progress.trouble_of(row),
    )


def _watched(uow: UnitOfWork, recorder: Recorder) -> Watched:
    cameras = list(
        uow.session.scalars(select(Camera).where(Camera.recorder_id == recorder.id).order_by(Camera.channel))
    )
    known = [camera.oldest_frame_at for camera in cameras if camera.oldest_frame_at is not None]
    changes = {
        camera.id: change for camera in cameras if (change := measurements.retention_change(uow, camera)) is not None
    }
    return Watched(recorder, cameras, min(known, default=None), changes)


def _figures(uow: UnitOfWork, work: list[Work]) -> Figures:
    midnight = uow.now.astimezone(ZoneInfo(uow.rules.zone)).replace(hour=0, minute=0, second=0, microsecond=0)
    fetched = select(func.count()).select_from(Master).where(Master.retrieved_at >= midnight)
    released = select(Decision.application_id).where(
        Decision.stage == "storage-release", Decision.outcome == "approved"
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
        )
    )
    without = (
        select(func.count())
        .select_from(Document)
        .join(Item, Item.id == Document.item_id)
        .where(
            Document.kind == "retrieval-record",
            Document.made_at >= midnight,
            Item.outcome.in_(("missing", "unreadable")),
        )
    )
    in_trouble = sum(one.trouble is not None for one in work)
    return Figures(
        fetched=uow.session.scalar(fetched) or 0,
        waiting=uow.session.scalar(waiting) or 0,
        failed=(uow.session.scalar(without) or 0) + in_trouble,
    )


def _number(uow: UnitOfWork, application_id: str) -> str | None:
    return uow.session.get_one(Application, application_id).number


def _name(uow: UnitOfWork, person_id: str | None) -> str | None:
    return uow.session.get_one(Person, person_id).name if person_id else None

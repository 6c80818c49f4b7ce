"""What a reviewer reads beside the form: each item, what exists of it, and what came back (R34, R39)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Select, select

from services.database.tables.applications import Item
from services.database.tables.cameras import UPLOADED, Camera, CameraPicture, Recorder
from services.database.tables.copies import Copy
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.masters import Master
from services.database.tables.people import Person
from services.database.tables.returns import Inspection, Return
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.access import reviews as access_reviews
from services.domain.audit import trail as audit_trail
from services.domain.cameras import clocks, measurements, reference_pictures
from services.domain.cases import footage as case_footage
from services.domain.custody import copies
from services.domain.retrieval import preservations, recorder_coverage
from services.domain.retrieval.recorder_coverage import Nearest
from services.domain.retrieval.records import granted_span, searched_span
from services.domain.reviews import service as review_service
from services.domain.reviews.schemas import (
    AccountedDownload,
    InspectionFinding,
    ItemCoverage,
    ReturnedCopy,
    ReturnSheet,
)
from services.domain.work_orders import downloads as download_accounts
from services.recorders.protocol import RecorderDown, WrongChannel
from services.runtime.errors import NotFound, Refused
from services.runtime.spans import Span, gaps
from services.runtime.translations import Message
from services.vault.coverage import Pictures
from services.vault.verdict import share_of
from services.web.dependencies import OpenRecorder
from services.web.problem import Problem
from services.web.schemas import SpanAnswer

PreviewMoment = Literal["first", "middle", "last"]
PREVIEW_MOMENTS: tuple[PreviewMoment, ...] = ("first", "middle", "last")
NO_FOOTAGE = Nearest()
LAST_PICTURE = timedelta(seconds=1)
RECORDER_DOWN = Refused(
    "recorder-down", "The recorder cannot be reached at the moment: reload the page later.", status=503
)
WRONG_CHANNEL = Refused(
    "wrong-channel", "The recorder does not have this channel: ask the administrator to check the camera.", status=503
)


@dataclass(frozen=True)
class SheetItem:
    """One item; ``granted`` is the span as it is granted now, ``held`` where its footage is safe in the vault."""

    id: str
    position: int
    camera: Camera
    recorder: Recorder
    zone: str
    asked: Span
    granted: Span
    overwrite_at: datetime | None
    held: bool
    outcome: str | None
    coverage: float | None
    reference_picture: bool = False  # whether there is one to know the camera by
    form_item_id: str | None = None  # the line of the form, where the item replaces another one

    @property
    def uploaded(self) -> bool:
        """Return whether it is a file that a person uploaded, and no camera's (R8, R9)."""
        return self.recorder.kind == UPLOADED

    @property
    def searched(self) -> Span:
        """Return where its footage is searched, in the recorder's own time, as its clock is known now (R34)."""
        return self.granted if self.uploaded else clocks.search_span(self.granted, clocks.clock_of(self.recorder))

    @property
    def clock_too_far(self) -> bool:
        """Return whether the recorder's clock is so far off that somebody has to say which time is meant."""
        return not self.uploaded and clocks.clock_of(self.recorder).too_far

    @property
    def previews(self) -> dict[PreviewMoment, datetime]:
        """Return the moments of the pictures that an operator sees first (R34)."""
        span = self.granted
        last = max(span.start, span.end - LAST_PICTURE)
        return {"first": span.start, "middle": span.start + span.duration / 2, "last": last}


@dataclass(frozen=True)
class CoverageSource:
    """Where an item's footage is on its recorder; ``covered`` is known already where the vault has it.

    ``searched`` is what has to be there: by its record where it was retrieved, else by the clock as it is known now.
    """

    item: SheetItem
    source: measurements.CameraChannel
    covered: list[Span] | None
    searched: Span
    pictures: Pictures | None = None  # how they follow one another in the vault's master


def items_of(uow: UnitOfWork, application_id: str) -> list[SheetItem]:
    """Return the items in scope, by position; the caller has checked who reads them."""
    return [_item(*row) for row in uow.session.execute(_in_scope(application_id))]


def coverage_sources(uow: UnitOfWork, review_id: str) -> list[CoverageSource]:
    """Return where to measure each item, for those who may read the review; NotFound for others."""
    review = uow.session.get(Review, review_id)
    if review is None:
        raise NotFound(Message("review"), review_id)
    access_reviews.require_readable(uow, review)
    rows = uow.session.execute(_in_scope(review.application_id)).all()
    items = [row[0].id for row in rows]
    recorded = select(Document).where(Document.item_id.in_(items), Document.kind == "retrieval-record")
    records = {record.item_id: record for record in uow.session.scalars(recorded)}
    masters = {
        master.item_id: master for master in uow.session.scalars(select(Master).where(Master.item_id.in_(items)))
    }
    return [_source(_item(*row), row[0], records.get(row[0].id), masters.get(row[0].id)) for row in rows]


async def measure(sources: Sequence[CoverageSource], recorders: OpenRecorder) -> list[ItemCoverage]:
    """Measure all items at once; a recorder that is down leaves the others their answers."""
    return list(await asyncio.gather(*(_measure(source, recorders) for source in sources)))


async def _measure(source: CoverageSource, recorders: OpenRecorder) -> ItemCoverage:
    if source.covered is not None:
        return _coverage(source, source.covered, asked_now=False)
    camera = recorder_coverage.CameraSource(source.source, source.item.overwrite_at)
    try:
        measured = await recorder_coverage.measure_source(camera, recorders, source.searched)
    except RecorderDown:
        return _coverage(source, trouble=RECORDER_DOWN)
    except WrongChannel:
        return _coverage(source, trouble=WRONG_CHANNEL)
    return _coverage(source, measured.covered, nearest=measured.nearest or NO_FOOTAGE, unread=measured.unread)


def _coverage(
    source: CoverageSource,
    held: Sequence[Span] = (),
    *,
    asked_now: bool = True,
    trouble: Refused | None = None,
    nearest: Nearest = NO_FOOTAGE,
    unread: Sequence[str] = (),
) -> ItemCoverage:
    """Return the view; the share is of the searched span, as a retrieval is judged."""
    item, searched = source.item, source.searched
    camera, recorder = item.camera, item.recorder
    covered = [part for span in held if (part := span.intersect(searched)) is not None]
    return ItemCoverage(
        item_id=item.id,
        position=item.position,
        camera_id=camera.id,
        camera_zh=camera.name_zh,
        camera_en=camera.name_en,
        place_zh=camera.place_zh,
        place_en=camera.place_en,
        camera_class=camera.camera_class,
        reference_picture=item.reference_picture,
        zone=item.zone,
        outcome=item.outcome,
        asked=SpanAnswer.model_validate(item.asked),
        start=item.granted.start,
        end=item.granted.end,
        covered=[SpanAnswer.model_validate(span) for span in covered],
        gaps=[] if trouble else [SpanAnswer.model_validate(span) for span in gaps(searched, covered)],
        share=share_of(searched, covered, source.pictures),
        pictures_lost=source.pictures.lost if source.pictures else None,
        pictures_there=source.pictures.there if source.pictures else None,
        picture_holes=source.pictures.holes if source.pictures else None,
        longest_between_ms=source.pictures.longest_ms if source.pictures else None,
        nearest_before=SpanAnswer.of(nearest.before),
        nearest_after=SpanAnswer.of(nearest.after),
        unread=list(unread),
        asked_now=asked_now and not item.uploaded,
        uploaded=item.uploaded,
        trouble=Problem.of(trouble) if trouble else None,
        overwrite_at=item.overwrite_at,
        held=item.held,
        clock_offset_ms=recorder.clock_offset_ms,
        clock_method=recorder.clock_method,
        clock_uncertainty_ms=recorder.clock_uncertainty_ms,
        clock_measured_at=recorder.clock_measured_at,
        last_seen_at=recorder.last_seen_at,
        searched_start=searched.start,
        searched_end=searched.end,
        clock_too_far=item.clock_too_far,
    )


def _returned_by(uow: UnitOfWork, returned: Return | None) -> str | None:
    """Return who has returned the copies in another one's place."""
    if returned is None or not returned.attestation.get("inPlaceOf"):
        return None
    return uow.session.get_one(Person, returned.returned_by).name


def get_return(uow: UnitOfWork, review_id: str) -> ReturnSheet:
    """Return what an inspector decides on, for those who may read the review; NotFound for others."""
    review = uow.session.get(Review, review_id)
    if review is None or review.stage != "return-inspection":
        raise NotFound(Message("return inspection"), review_id)
    access_reviews.require_readable(uow, review)
    of_issue = (HandOver.application_id == review.application_id, HandOver.issue == review.issue)
    hand_over = uow.session.scalar(select(HandOver).where(*of_issue))
    if hand_over is None:
        raise NotFound(Message("hand-over"), review.application_id)
    returned = uow.session.scalar(select(Return).where(Return.hand_over_id == hand_over.id))
    inspection = uow.session.scalar(select(Inspection).where(Inspection.hand_over_id == hand_over.id))
    hashes = inspection.hashes if inspection else {}
    fates = dict(returned.attestation["downloads"]) if returned else {}
    listed = copies.list_downloads(uow, hand_over.id)
    said = download_accounts.find_fates(uow, [row.id for row in listed if row.id not in fates])
    fates |= {one: {"fate": row.fate, "note": row.how or row.medium or ""} for one, row in said.items()}
    lent = select(Copy).where(Copy.hand_over_id == hand_over.id).order_by(Copy.made_at, Copy.id)
    held = uow.session.scalars(lent).all()
    query = _items().where(Item.id.in_([copy.item_id for copy in held]))
    items = {row[0].id: _item(*row) for row in uow.session.execute(query)}
    return ReturnSheet(
        custodian=uow.session.get_one(Person, hand_over.custodian_id).name,
        returned_by=_returned_by(uow, returned),
        accepted_at=hand_over.accepted_at,
        due_at=hand_over.due_at,
        returned_at=returned.returned_at if returned else None,
        return_to=returned.return_to if returned else "",
        statement_sha256=returned.statement_sha256 if returned else "",
        copies=[
            ReturnedCopy(
                id=copy.id,
                item_id=copy.item_id,
                position=items[copy.item_id].position,
                camera_zh=items[copy.item_id].camera.name_zh,
                camera_en=items[copy.item_id].camera.name_en,
                size=copy.sealed["plainSize"],
                sha256=copy.sealed["sha256Cipher"],
                matches=hashes.get(copy.id),
            )
            for copy in held
        ],
        downloads=[
            AccountedDownload(
                id=row.id,
                copy_id=row.copy_id,
                medium=row.medium,
                asked_at=row.asked_at,
                finished_at=row.finished_at,
                fate=fates.get(row.id, {}).get("fate"),
                note=fates.get(row.id, {}).get("note", ""),
            )
            for row in listed
        ],
        inspected_at=inspection.inspected_at if inspection else None,
        findings=[InspectionFinding.model_validate(finding) for finding in inspection.findings] if inspection else [],
    )


def _in_scope(application_id: str) -> Select[Item, Camera, Recorder, bool, bool]:
    """Return the items in scope by position, with what ``_item`` says of each."""
    scope = (Item.application_id == application_id) & Item.dropped_in_round.is_(None)
    return _items().where(scope).order_by(Item.position)


def _items() -> Select[Item, Camera, Recorder, bool, bool]:
    picture = select(CameraPicture.camera_id).where(CameraPicture.camera_id == Camera.id)
    return (
        select(Item, Camera, Recorder, case_footage.is_safe(), picture.exists())
        .join(Camera, Camera.id == Item.camera_id)
        .join(Recorder, Recorder.id == Camera.recorder_id)
    )


def _item(item: Item, camera: Camera, recorder: Recorder, held: bool, pictured: bool) -> SheetItem:
    return SheetItem(
        id=item.id,
        position=item.position,
        camera=camera,
        recorder=recorder,
        zone=item.zone,
        asked=Span(item.asked_start, item.asked_end),
        granted=granted_span(item),
        overwrite_at=preservations.overwrite_moment(camera, item.asked_start),
        held=held,
        outcome=item.outcome,
        coverage=item.coverage,
        reference_picture=pictured and reference_pictures.is_shown(camera, recorder),
        form_item_id=item.form_item_id,
    )


def _source(item: SheetItem, row: Item, record: Document | None, master: Master | None) -> CoverageSource:
    searched = item.searched if record is None else searched_span(row, record)
    source = measurements.build_source(item.camera, item.recorder)
    counted = master.sealed.get("coverage", {}).get("pictures") if master is not None else None
    pictures = Pictures.from_json(counted) if counted else None
    return CoverageSource(item, source, _in_vault(row, master), searched, pictures)


def _in_vault(item: Item, master: Master | None) -> list[Span] | None:
    """Return what the vault's master covers, where there is one: the recorder may have lost it since."""
    if master is None or not master.sealed.get("coverage"):
        return [] if item.outcome is not None else None
    covered = master.sealed["coverage"].get("covered") or []
    return [Span(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in covered]


@dataclass(frozen=True)
class PictureSource:
    """The source of a picture, and its moment."""

    source: measurements.CameraChannel
    at: datetime


def get_picture_source(uow: UnitOfWork, review_id: str, item_id: str, at: datetime | None = None) -> PictureSource:
    """Return where an item's picture is, for those who may release it or confirm that; reading it is an event.

    ``at`` lies inside the approved span, by default at its start. Refused outside it, and to everybody else.
    """
    review = uow.session.get(Review, review_id)
    if review is None or review.stage != "storage-release":
        raise NotFound(Message("release"), review_id)
    access_reviews.require_readable(uow, review)
    if review.closed_at is not None:
        raise Refused("review-closed", "This review is already closed.")
    second = review_service.open_proposal(uow, review) is not None
    refusal = access_policy.refusal_for(
        access_queries.load_directory(uow),
        access_queries.load_facts(uow, review.application_id),
        review,
        uow.actor.id,
        second=second,
    )
    if refusal is not None:
        raise refusal
    items = preservations.items_in_scope(uow, review.application_id)
    item = next((item for item in items if item.id == item_id), None)
    if item is None:
        raise NotFound(Message("item"), item_id)
    start, end = item.granted_start or item.asked_start, item.granted_end or item.asked_end
    at = at or start
    require_inside(Span(start, end), at)
    audit_trail.record(
        uow,
        "picture-read",
        "item",
        item_id,
        application_id=review.application_id,
        review=review_id,
        moment=at.isoformat(),
    )
    return PictureSource(measurements.source_of(uow, item), at)


def require_inside(granted: Span, at: datetime) -> None:
    """Raise Refused for a moment outside the approved span."""
    if not granted.start <= at < granted.end:
        raise Refused(
            "outside-scope",
            "Only the approved time span can be viewed: choose a moment within it.",
            status=422,
            field="at",
        )

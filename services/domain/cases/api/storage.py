"""The storage office: releases, footage on its way, recorders, quarantine; measuring a recorder (R30 to R34)."""

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.cameras import clocks
from services.domain.cases import storage_office
from services.domain.cases.storage_office import Kept, Office, Release, Watched, Work
from services.web.dependencies import GivenDatabase, GivenRecorders, OpenRecorder
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Answer, Body, ListParameters, Moment

router = APIRouter(prefix="/api/storage", tags=["storage"])


class KeptQuestion(ListParameters):
    """``text`` is looked for in numbers, cameras and places."""

    sort: storage_office.KeptSort = "preserved"
    order: Literal["asc", "desc"] = "desc"


class ReleaseAnswer(Answer):
    """An open release; ``proposed_by`` has released it, and a second person is to confirm."""

    review_id: str
    application_id: str
    number: str | None
    opened_at: Moment
    due_at: Moment
    claimed_by: str | None
    proposed_by: str | None


class ErrorAnswer(Answer):
    code: str
    zh: str
    en: str


class WorkAnswer(Answer):
    """One item on its way: ``size`` in bytes and ``share`` 0 to 1 of the phase; ``silent``: nobody works on it now."""

    application_id: str
    item_id: str
    number: str | None
    position: int
    camera_zh: str
    camera_en: str
    recorder: str
    purpose: str
    phase: str
    size: int
    share: float
    since: Moment
    attempts: int
    heartbeat_at: Moment
    silent: bool
    last_error: ErrorAnswer | None
    last_error_at: Moment | None


class ClockBody(Body):
    """``shown`` is what the picture showed at the true time ``true``."""

    shown: Moment
    true: Moment
    uncertainty_ms: Annotated[int, Field(ge=1000, le=600_000)] = 2000


class OldestFrameAnswer(Answer):
    camera_id: str
    channel: str
    name_zh: str
    name_en: str
    oldest_frame_at: Moment | None
    retention_days: int
    retention_change_seconds: int | None


class RecorderAnswer(Answer):
    """What was last measured of a recorder, and what was wrong when it was asked last.

    ``clock_offset_ms`` is its clock minus true time; ``retention_change_seconds`` is how much further back a camera's
    recordings go than a week ago, negative: less.
    """

    id: str
    name: str
    site: str
    make: str | None
    model: str | None
    zone: str
    clock_offset_ms: int | None
    clock_method: str | None
    clock_uncertainty_ms: int | None
    clock_measured_at: Moment | None
    last_seen_at: Moment | None
    polled_at: Moment | None
    last_error: ErrorAnswer | None
    cameras: list[OldestFrameAnswer]


class KeptAnswer(Answer):
    """A quarantine object; its hold ends with its case, and the recorder may have lost the footage by ``gone_at``."""

    id: str
    application_id: str
    number: str | None
    position: int
    camera_zh: str
    camera_en: str
    preserved_at: Moment
    outcome: str
    gone_at: Moment | None


class FiguresAnswer(Answer):
    fetched: int
    waiting: int
    failed: int


class OfficeAnswer(Answer):
    """The storage office at a glance; the figures count items of today."""

    releases: list[ReleaseAnswer]
    work: list[WorkAnswer]
    recorders: list[RecorderAnswer]
    kept: list[KeptAnswer]
    figures: FiguresAnswer


@router.get("", responses=problems(401, 403))
async def read_office(
    question: Annotated[KeptQuestion, Query()], actor: Acting, database: GivenDatabase
) -> OfficeAnswer:
    """Everything that the storage office looks at; what is asked is of what is kept in the quarantine."""
    return await database.run(actor, lambda uow: _office(storage_office.overview(uow, question.listing())))


@router.post("/recorders/{recorder_id}/measure", responses=problems(*USUAL))
async def measure(
    recorder_id: str, actor: Acting, database: GivenDatabase, recorders: GivenRecorders
) -> RecorderAnswer:
    """Ask a recorder now for its clock and its oldest frames."""
    return _recorder(await measure_now(recorder_id, actor, database, recorders))


@router.post("/recorders/{recorder_id}/clock", responses=problems(*USUAL))
async def compare_clock(recorder_id: str, body: ClockBody, actor: Acting, database: GivenDatabase) -> RecorderAnswer:
    """Keep what the clock in a picture showed, against true time: for a recorder that does not tell its own."""

    def keep(uow: UnitOfWork) -> RecorderAnswer:
        uncertainty = timedelta(milliseconds=body.uncertainty_ms)
        clocks.compare(uow, recorder_id, body.shown, body.true, uncertainty)
        return _recorder(storage_office.watched(uow, recorder_id))

    return await database.run(actor, keep)


async def measure_now(recorder_id: str, actor: Actor, database: Database, recorders: OpenRecorder) -> Watched:
    """The recorder as it answers now; Refused where it does not answer, and to everybody but an operator."""
    source = await database.run(actor, storage_office.to_measure, recorder_id)
    configuration = {name: str(value) for name, value in source.configuration.items()}
    facts = await recorders(source.kind, configuration).probe()
    if not facts.reachable:
        raise await database.run(actor, storage_office.not_reached, recorder_id)
    return await database.run(actor, storage_office.measured, recorder_id, facts)


def _office(office: Office) -> OfficeAnswer:
    return OfficeAnswer(
        releases=[_release(one) for one in office.releases],
        work=[_work(one) for one in office.work],
        recorders=[_recorder(one) for one in office.recorders],
        kept=[_kept(one) for one in office.kept],
        figures=FiguresAnswer.model_validate(office.figures),
    )


def _release(one: Release) -> ReleaseAnswer:
    return ReleaseAnswer(
        review_id=one.review.id,
        application_id=one.review.application_id,
        number=one.number,
        opened_at=one.review.opened_at,
        due_at=one.review.due_at,
        claimed_by=one.claimed_by,
        proposed_by=one.proposed_by,
    )


def _work(one: Work) -> WorkAnswer:
    row, trouble = one.row, one.trouble
    return WorkAnswer(
        application_id=row.application_id,
        item_id=row.item_id,
        number=one.number,
        position=one.position,
        camera_zh=one.camera.name_zh,
        camera_en=one.camera.name_en,
        recorder=one.recorder,
        purpose=row.purpose,
        phase=row.phase,
        size=row.size,
        share=row.share,
        since=row.since,
        attempts=row.attempts,
        heartbeat_at=row.heartbeat_at,
        silent=one.silent,
        last_error=ErrorAnswer.model_validate(trouble) if trouble else None,
        last_error_at=row.last_error_at,
    )


def _recorder(one: Watched) -> RecorderAnswer:
    row = one.recorder
    return RecorderAnswer(
        id=row.id,
        name=row.name,
        site=row.site,
        make=row.make,
        model=row.model,
        zone=row.zone,
        clock_offset_ms=row.clock_offset_ms,
        clock_method=row.clock_method,
        clock_uncertainty_ms=row.clock_uncertainty_ms,
        clock_measured_at=row.clock_measured_at,
        last_seen_at=row.last_seen_at,
        polled_at=row.polled_at,
        last_error=ErrorAnswer.model_validate(row.last_error) if row.last_error else None,
        cameras=[
            OldestFrameAnswer(
                camera_id=camera.id,
                channel=camera.channel,
                name_zh=camera.name_zh,
                name_en=camera.name_en,
                oldest_frame_at=camera.oldest_frame_at,
                retention_days=camera.retention_days,
                retention_change_seconds=_seconds(one.changes.get(camera.id)),
            )
            for camera in one.cameras
        ],
    )


def _seconds(length: timedelta | None) -> int | None:
    return None if length is None else round(length.total_seconds())


def _kept(one: Kept) -> KeptAnswer:
    row = one.row
    return KeptAnswer(
        id=row.id,
        application_id=row.application_id,
        number=one.number,
        position=one.position,
        camera_zh=one.camera.name_zh,
        camera_en=one.camera.name_en,
        preserved_at=row.preserved_at,
        outcome=one.outcome,
        gone_at=one.gone_at,
    )

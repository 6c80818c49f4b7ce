"""What a recorder holds of a span, asked for while somebody types: few questions at once, and a short wait (R20)."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from anyio.lowlevel import RunVar

from services.database.tables.cameras import Camera
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.cameras import measurements
from services.domain.cameras.measurements import CameraChannel
from services.domain.retrieval import preservations
from services.recorders.protocol import RecorderDown
from services.runtime.errors import NotFound
from services.runtime.spans import Span, covered_share, gaps
from services.runtime.translations import Message
from services.web.dependencies import OpenRecorder

TIMEOUT = 5.0  # seconds
MOST_QUESTIONS = 2  # to one recorder


@dataclass(frozen=True)
class MeasuredCoverage:
    """What exists of ``asked``; ``share`` is 0 to 1. ``overwrite_at``: from then on the first of it may be gone."""

    asked: Span
    covered: list[Span]
    gaps: list[Span]
    share: float
    overwrite_at: datetime | None
    zone: str


@dataclass(frozen=True)
class CameraSource:
    """Where a camera's footage is, and from when on what was recorded at a moment may be gone."""

    source: CameraChannel
    overwrite_at: datetime | None


def get_source(uow: UnitOfWork, camera_id: str, start: datetime) -> CameraSource:
    """Return where the camera's footage is; NotFound where there is no such camera."""
    camera = uow.session.get(Camera, camera_id)
    if camera is None:
        raise NotFound(Message("camera"), camera_id)
    return CameraSource(measurements.source_of_camera(uow, camera), preservations.overwrite_moment(camera, start))


async def measure(
    database: Database, actor: Actor, recorders: OpenRecorder, camera_id: str, asked: Span
) -> MeasuredCoverage:
    """Ask the camera's recorder. Raises NotFound, and RecorderDown also where it does not answer in time."""
    return await measure_source(await database.read(actor, get_source, camera_id, asked.start), recorders, asked)


async def measure_source(camera: CameraSource, recorders: OpenRecorder, asked: Span) -> MeasuredCoverage:
    """Ask the recorder of a source that is known; raises as ``measure`` does."""
    source = camera.source

    async def ask() -> list[Span]:
        async with _limit(source.recorder_id):
            return await recorders(source.kind, source.configuration).coverage(source.channel, asked)

    held = await _in_time(asyncio.create_task(ask()))
    covered = [part for span in held if (part := span.intersect(asked)) is not None]
    return MeasuredCoverage(
        asked, covered, gaps(asked, covered), covered_share(asked, covered), camera.overwrite_at, source.zone
    )


async def _in_time(question: asyncio.Task[list[Span]]) -> list[Span]:
    """Return the answer, or raise RecorderDown after ``TIMEOUT``.

    A question that hangs cannot be cancelled: it goes on in its thread, and counts until then, so that a dead recorder
    holds up no more than ``MOST_QUESTIONS`` threads.
    """
    done, _ = await asyncio.wait({question}, timeout=TIMEOUT)
    if not done:
        question.cancel()
        question.add_done_callback(lambda task: task.cancelled() or task.exception())
        raise RecorderDown(f"the recorder did not answer within {TIMEOUT:.0f} s")
    return question.result()


_limits: RunVar[dict[str, asyncio.Semaphore]] = RunVar("footage_desk_coverage_limits")


def _limit(recorder_id: str) -> asyncio.Semaphore:
    try:
        limits = _limits.get()
    except LookupError:
        limits = {}
        _limits.set(limits)
    return limits.setdefault(recorder_id, asyncio.Semaphore(MOST_QUESTIONS))

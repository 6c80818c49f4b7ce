"""What a recorder holds of a span, asked for while somebody types: few questions at once, and a short wait (R20).

Where it holds nothing of the span, it is asked once more, for the day before and the day after: a wrong hour or zone is
then seen at once.
"""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from anyio.lowlevel import RunVar

from services.database.tables.cameras import Camera
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.cameras import measurements
from services.domain.cameras.measurements import CameraChannel
from services.domain.retrieval import preservations
from services.recorders.protocol import RecorderDown, TellsUnread, WrongChannel
from services.runtime.errors import NotFound, Retryable
from services.runtime.spans import Span, covered_share, gaps, merge
from services.runtime.translations import Message
from services.web.dependencies import OpenRecorder

T = TypeVar("T")
TIMEOUT = 5.0  # seconds
MOST_QUESTIONS = 2  # to one recorder
NEAR = timedelta(days=1)  # how far from a span of which nothing is there footage is looked for
FEW = 3  # files that are named
JOINED = timedelta(seconds=2)  # files follow one another with less between them


@dataclass(frozen=True)
class MeasuredCoverage:
    """What exists of ``asked``; ``share`` is 0 to 1. ``overwrite_at``: from then on the first of it may be gone.

    ``nearest`` is there where nothing exists of it, and could be asked for. ``unread`` names a few files that may hold
    what lacks, and are damaged or of a kind that is not read.
    """

    asked: Span
    covered: list[Span]
    gaps: list[Span]
    share: float
    overwrite_at: datetime | None
    zone: str
    nearest: "Nearest | None" = None
    unread: Sequence[str] = ()


@dataclass(frozen=True)
class Nearest:
    """The recorded spans next to one of which nothing is recorded, at most ``NEAR`` away; None where there is none."""

    before: Span | None = None
    after: Span | None = None


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

    async def ask(span: Span) -> list[Span]:
        async with _limit(source.recorder_id):
            return await recorders(source.kind, source.configuration).coverage(source.channel, span)

    async def ask_unread() -> list[str]:
        async with _limit(source.recorder_id):
            teller = recorders(source.kind, source.configuration)
            return await teller.list_unread(source.channel, asked) if isinstance(teller, TellsUnread) else []

    held = await _in_time(asyncio.create_task(ask(asked)))
    covered = [part for span in held if (part := span.intersect(asked)) is not None]
    missing, nearest, unread = gaps(asked, covered), None, list[str]()
    with suppress(Retryable, WrongChannel):  # what was asked is answered all the same
        if missing:
            unread = await _in_time(asyncio.create_task(ask_unread()))
        if not covered and not unread:
            nearest = find_nearest(asked, await _in_time(asyncio.create_task(ask(asked.widen(NEAR)))))
    share = covered_share(asked, covered)
    facts = (camera.overwrite_at, source.zone, nearest, unread[:FEW])
    return MeasuredCoverage(asked, covered, missing, share, *facts)


def find_nearest(asked: Span, held: Sequence[Span]) -> Nearest:
    """Return the spans next to ``asked`` of what a recorder lists around it, within ``NEAR``."""
    near = asked.widen(NEAR)
    spans = merge((part for span in held if (part := span.intersect(near)) is not None), tolerance=JOINED)
    before = [span for span in spans if span.end <= asked.start]
    after = [span for span in spans if span.start >= asked.end]
    return Nearest(before[-1] if before else None, after[0] if after else None)


async def _in_time(question: asyncio.Task[list[T]]) -> list[T]:
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

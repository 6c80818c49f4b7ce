"""What a recorder holds of a span, asked for while somebody types: few questions at a time, and a short wait (R20)."""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from anyio.lowlevel import RunVar

from services.database.tables.cameras import Camera
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.cameras import measurements
from services.domain.cameras.measurements import Source
from services.domain.retrieval import preservations
from services.recorders.protocol import RecorderDown
from services.runtime.errors import NotFound
from services.runtime.spans import Span, covered_share, gaps
from services.runtime.translations import Message
from services.web.dependencies import OpenRecorder

PATIENCE = 5.0  # seconds
QUESTIONS_AT_A_TIME = 2  # to one recorder


@dataclass(frozen=True)
class Held:
    """What exists of ``asked``; ``share`` is 0 to 1. ``overwrite_at``: from then on the first of it may be gone."""

    asked: Span
    covered: list[Span]
    gaps: list[Span]
    share: float
    overwrite_at: datetime | None
    zone: str


@dataclass(frozen=True)
class Place:
    """Where a camera's footage is, and from when on what was recorded at a moment may be gone."""

    source: Source
    overwrite_at: datetime | None


def place(uow: UnitOfWork, camera_id: str, start: datetime) -> Place:
    """Raises NotFound where there is no such camera."""
    camera = uow.session.get(Camera, camera_id)
    if camera is None:
        raise NotFound(Message("camera"), camera_id)
    return Place(measurements.of_camera(uow, camera), preservations.overwrite_moment(camera, start))


async def look(database: Database, actor: Actor, recorders: OpenRecorder, camera_id: str, asked: Span) -> Held:
    """Ask the camera's recorder. Raises NotFound, and RecorderDown also where it does not answer in time."""
    where = await database.run(actor, place, camera_id, asked.start)
    return await look_at(where, recorders, asked)


async def look_at(where: Place, recorders: OpenRecorder, asked: Span) -> Held:
    """As ``look``, with the camera's place known."""
    source = where.source

    async def ask() -> list[Span]:
        async with _turn(source.recorder_id):
            return await recorders(source.kind, source.configuration).coverage(source.channel, asked)

    held = await _in_time(asyncio.create_task(ask()))
    covered = [part for span in held if (part := span.intersect(asked)) is not None]
    return Held(asked, covered, gaps(asked, covered), covered_share(asked, covered), where.overwrite_at, source.zone)


async def _in_time(question: asyncio.Task[list[Span]]) -> list[Span]:
    """The answer, or RecorderDown after ``PATIENCE``.

    A question that hangs cannot be cancelled: it goes on in its thread, and keeps its turn, so that a dead recorder
    holds up no more than ``QUESTIONS_AT_A_TIME`` threads.
    """
    done, _ = await asyncio.wait({question}, timeout=PATIENCE)
    if not done:
        question.cancel()
        question.add_done_callback(lambda task: task.cancelled() or task.exception())
        raise RecorderDown(f"the recorder did not answer within {PATIENCE:.0f} s")
    return question.result()


_turns: RunVar[dict[str, asyncio.Semaphore]] = RunVar("footage_desk_coverage_turns")


def _turn(recorder_id: str) -> asyncio.Semaphore:
    try:
        turns = _turns.get()
    except LookupError:
        turns = {}
        _turns.set(turns)
    return turns.setdefault(recorder_id, asyncio.Semaphore(QUESTIONS_AT_A_TIME))

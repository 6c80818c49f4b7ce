"""Write a worker's progress into the database about once a second, and that it is alive while nothing changes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

import anyio

from services.database.unit_of_work import Actor, Database
from services.domain.retrieval import progress
from services.domain.retrieval.attempts import NoLongerWanted, Purpose
from services.runtime.errors import Outcome, Retryable
from services.runtime.waiting import set_within

EVERY = 1.0  # seconds between two writes
# After which an unchanged reading is written too: a job that waits for its recorder or for a slow line is alive,
# and what it uploads is not to be swept (``attempts.abandon_dead``).
HEARTBEAT = timedelta(seconds=10)

Reading: TypeAlias = tuple[str, int, float]
"""Phase, bytes so far, share of the whole."""


class ProgressReporter:
    """Records bytes and share, from the loop or a thread."""

    def __init__(self, phase: str, now: datetime) -> None:
        self.phase = phase
        self._size = 0
        self._share = 0.0
        self._written: Reading = (phase, 0, 0.0)
        self._written_at = now

    def enter(self, phase: str) -> None:
        """Begin a new phase, with its bytes counted from 0."""
        self.phase, self._size, self._share = phase, 0, 0.0

    def __call__(self, size: int, share: float) -> None:
        """Record bytes so far and the share of the whole, 0 to 1, as ``vault.sealing`` reports them."""
        self._size, self._share = size, share

    def sealing(self, size: int, share: float) -> None:
        """Record as ``__call__``, for the pass that fetches, clips and seals: its first bytes end the fetching."""
        if self.phase in ("fetching", "retrying-fetch"):
            self.phase = "sealing"
        self(size, share)

    def due(self, now: datetime) -> Reading | None:
        """Return the reading where it has changed since the last one, or HEARTBEAT has passed."""
        reading = (self.phase, self._size, self._share)
        if reading == self._written and now < self._written_at + HEARTBEAT:
            return None
        self._written, self._written_at = reading, now
        return reading


@dataclass(frozen=True)
class _Row:
    """The reporter's row in the database."""

    database: Database
    actor: Actor
    item_id: str
    purpose: Purpose
    attempt: int

    async def write(self, reading: Reading) -> None:
        phase, size, share = reading
        await self.database.run(
            self.actor, progress.update, self.item_id, self.purpose, phase=phase, size=size, share=share
        )

    async def fail(self, error: Exception) -> None:
        await self.database.run(self.actor, progress.record_error, self.item_id, self.purpose, type(error).__name__)

    async def end(self) -> None:
        await self.database.run(self.actor, progress.finish, self.item_id, self.purpose, self.attempt)


@asynccontextmanager
async def report_progress(
    database: Database,
    actor: Actor,
    purpose: Purpose,
    *,
    application_id: str,
    item_id: str,
    phase: str,
    every: float | None = None,
) -> AsyncIterator[ProgressReporter]:
    """Write the reporter's readings into the database while the block runs.

    The row is deleted when the block ends, and marked as failed when it raises.
    """
    attempt = await database.run(actor, progress.start, application_id, item_id, purpose, phase)
    row = _Row(database, actor, item_id, purpose, attempt)
    reporter, done = ProgressReporter(phase, database.clock.now()), asyncio.Event()
    writer = asyncio.create_task(_keep_writing(row, reporter, done, EVERY if every is None else every), name="progress")
    try:
        yield reporter
    except (NoLongerWanted, Outcome):
        await _settled(writer, done)
        with suppress(Retryable):  # the row is taken over, or goes with the case
            await row.end()
        raise
    except Exception as error:
        await _settled(writer, done)
        with suppress(Retryable):  # the job itself reports what failed
            await row.fail(error)
        raise
    finally:
        await _settled(writer, done)
    await row.end()


async def _keep_writing(row: _Row, reporter: ProgressReporter, done: asyncio.Event, every: float) -> None:
    while not done.is_set():
        await set_within(done, every)
        reading = reporter.due(row.database.clock.now())
        if reading is not None and not done.is_set():
            with suppress(Retryable):  # the next reading replaces one that is lost
                await row.write(reading)


async def _settled(writer: "asyncio.Task[None]", done: asyncio.Event) -> None:
    """Stop the writer and wait for it."""
    done.set()
    with anyio.CancelScope(shield=True):
        await asyncio.wait({writer})

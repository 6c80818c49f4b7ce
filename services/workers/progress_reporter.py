"""How far a worker has come, written into the books about once a second while it works."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TypeAlias

import anyio

from services.database.unit_of_work import Actor, Database
from services.domain.retrieval import progress
from services.domain.retrieval.attempts import NoLongerWanted, Purpose
from services.runtime.errors import Outcome, Retryable
from services.runtime.waiting import set_within

EVERY = 1.0  # seconds between two writes

Reading: TypeAlias = tuple[str, int, float]
"""Phase, bytes so far, share of the whole."""


class ProgressReporter:
    """Takes notice of bytes and share from loop or thread at no cost; only what has changed is written."""

    def __init__(self, phase: str) -> None:
        self.phase = phase
        self._size = 0
        self._share = 0.0
        self._written: Reading = (phase, 0, 0.0)

    def enter(self, phase: str) -> None:
        """A new phase begins; its bytes are counted anew."""
        self.phase, self._size, self._share = phase, 0, 0.0

    def __call__(self, size: int, share: float) -> None:
        """Bytes so far and the share of the whole, 0 to 1: what ``vault.sealing`` tells."""
        self._size, self._share = size, share

    def sealing(self, size: int, share: float) -> None:
        """As called, from the one pass that fetches, clips and seals: its first bytes end the fetching."""
        if self.phase in ("fetching", "fetching-again"):
            self.phase = "sealing"
        self(size, share)

    def news(self) -> Reading | None:
        """What has changed since it was asked last."""
        now = (self.phase, self._size, self._share)
        if now == self._written:
            return None
        self._written = now
        return now


@dataclass(frozen=True)
class _Row:
    """The reporter's row in the books."""

    database: Database
    actor: Actor
    item_id: str
    purpose: Purpose

    async def tell(self, news: Reading) -> None:
        phase, size, share = news
        await self.database.run(
            self.actor, progress.tell, self.item_id, self.purpose, phase=phase, size=size, share=share
        )

    async def stumble(self, error: Exception) -> None:
        await self.database.run(self.actor, progress.stumble, self.item_id, self.purpose, type(error).__name__)

    async def end(self) -> None:
        await self.database.run(self.actor, progress.end, self.item_id, self.purpose)


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
    """Write the reporter's readings into the books while the block runs.

    The row goes when the block is done, and is marked as in trouble when it fails.
    """
    row = _Row(database, actor, item_id, purpose)
    await database.run(actor, progress.begin, application_id, item_id, purpose, phase)
    reporter, done = ProgressReporter(phase), asyncio.Event()
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
        with suppress(Retryable):  # what failed is told by the job itself
            await row.stumble(error)
        raise
    finally:
        await _settled(writer, done)
    await row.end()


async def _keep_writing(row: _Row, reporter: ProgressReporter, done: asyncio.Event, every: float) -> None:
    while not done.is_set():
        await set_within(done, every)
        news = reporter.news()
        if news is not None and not done.is_set():
            with suppress(Retryable):  # a reading that is lost is made good by the next one
                await row.tell(news)


async def _settled(writer: "asyncio.Task[None]", done: asyncio.Event) -> None:
    """Nothing is written any more."""
    done.set()
    with anyio.CancelScope(shield=True):
        await asyncio.wait({writer})

"""A worker whose jobs do what a test says, and a runner that runs it against a gateway from a script."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from fake_gateway import PATIENCE, FakeGateway

from services.runtime.jobs.runner import JobRunner
from services.runtime.jobs.worker import Worker, describe
from services.runtime.settings import Settings


@dataclass(frozen=True)
class SealItem:
    application_id: str
    job_key: int
    part: int = 1


@dataclass(frozen=True)
class Sealed:
    copy_id: str
    byte_count: int


Act = Callable[[SealItem], Awaitable[Sealed | None]]


def seal_worker(act: Act, job_type: str = "seal-item", **arguments: Any) -> Worker:
    async def handle(command: SealItem) -> Sealed:
        return await act(command)  # type: ignore[return-value]

    return describe(job_type, handle, **arguments)


def settings_for(gateway: FakeGateway, threads: int = 8, **overrides: Any) -> Settings:
    values: dict[str, Any] = {"job_timeout": timedelta(seconds=1), "poll_seconds": 1, "drain_seconds": 5} | overrides
    return Settings.load(zeebe_address=gateway.address, threads=threads, workers=values)


@asynccontextmanager
async def running(runner: JobRunner) -> AsyncIterator[JobRunner]:
    """The runner works in the block, and has stopped behind it."""
    task = asyncio.create_task(runner.run())
    try:
        yield runner
    finally:
        await runner.stop()
        async with asyncio.timeout(PATIENCE):
            await task


async def done(_command: SealItem) -> Sealed:
    return Sealed("copy-1", 10)


def raises(error: Exception) -> Act:
    async def act(_command: SealItem) -> Sealed:
        raise error

    return act

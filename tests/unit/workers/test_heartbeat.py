"""A job is extended by time alone: a fetch that stalls, and one of hundreds of pieces, keep it just as well (F8)."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from functools import partial
from typing import cast

import pytest
from asked_recorder import Asked
from custody_desk import FILMED, Desk

from services.recorders import retrying_fetch
from services.recorders.protocol import Recorder, Segment
from services.runtime.jobs.adapter import JobAdapter
from services.runtime.jobs.lease import Lease
from services.runtime.spans import Span
from services.workers import retrieve_footage

SHORT = 0.15  # seconds that the engine leaves a job without a sign of life


class Engine:
    """Counts how often a job was extended."""

    def __init__(self) -> None:
        self.extended = 0
        self._more = asyncio.Condition()

    async def update_job_timeout(self, _job_key: int, _timeout: int) -> None:
        async with self._more:
            self.extended += 1
            self._more.notify_all()

    async def extends(self, times: int) -> None:
        """Wait for so many extensions from now on."""
        until = self.extended + times
        async with self._more:
            await self._more.wait_for(lambda: self.extended >= until)

    def lease(self) -> Lease:
        return Lease(cast("JobAdapter", self), 1, SHORT)


@pytest.mark.requirement("R32")
async def test_a_job_is_kept_while_its_recorder_sends_nothing(desk: Desk) -> None:
    engine, asked = Engine(), Asked.of(desk)
    case = desk.case("gate").approve()
    asked.before = partial(engine.extends, 4)

    async with engine.lease():
        done = await desk.work(retrieve_footage, application_id=case.id, item_id=case.item())

    assert done.coverage == 1.0
    assert engine.extended >= 4 * len(asked.opened)


@pytest.mark.requirement("R32")
async def test_a_job_is_kept_over_hundreds_of_pieces() -> None:
    engine, start = Engine(), FILMED.start
    pieces = 600

    class Pieces:
        async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
            for number in range(pieces):
                begins = start + timedelta(seconds=number)
                yield Segment(
                    *(str(number), channel, Span(begins, begins + timedelta(seconds=1)), None, "mp4"),
                    partial(self.bytes, number),
                )

        async def bytes(self, number: int) -> AsyncIterator[bytes]:
            if number % 200 == 0:
                await engine.extends(1)
            yield b"."

    got = 0
    async with engine.lease():
        async for segment in retrying_fetch.fetch(
            cast("Recorder", Pieces()), "1", Span(start, start + timedelta(hours=1))
        ):
            got += sum([len(chunk) async for chunk in segment.open()])

    assert got == pieces
    assert engine.extended >= pieces // 200

"""An example of a kind of recorder: one that lists its files as JSON at /files.json, behind a user and a password.

[{"channel": "1", "name": "a.mp4", "start": "2026-03-01T12:00:00+00:00", "seconds": 10, "size": 12345}, ...]
"""

from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx

from services.recorders.clock import Clock
from services.recorders.configuration_schema import ADDRESS, PARALLEL, PASSWORD, USER, ConfigurationSchema
from services.recorders.http_client import HttpClient
from services.recorders.kinds import Kind, Places
from services.recorders.protocol import RecorderDown, RecorderFacts, Segment, WrongChannel
from services.recorders.snapshot import picture_in
from services.runtime.errors import Fatal
from services.runtime.spans import Span, merge
from services.runtime.translations import Bilingual

SCHEMA = ConfigurationSchema(
    "example-nvr", Bilingual("示例录像机", "Example recorder"), (ADDRESS, USER, PASSWORD, PARALLEL)
)
JOIN = timedelta(milliseconds=200)


class ExampleRecorder:
    """Reads only. Its requests go through ``HttpClient``: with the address guard, time-outs and bounded answers."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    async def probe(self) -> RecorderFacts:
        oldest: dict[str, datetime] = {}
        clock, reachable = Clock(), True
        try:
            answer = await self._client.request("GET", "/files.json")
            clock = answer.clock  # by the header Date
            for channel, segment in self._segments(self._client.parsed(answer, "/files.json")):
                oldest[channel] = min(segment.span.start, oldest.get(channel, segment.span.start))
        except RecorderDown:
            oldest, reachable = {}, False
        return RecorderFacts(
            make="Example",
            model="1.0",
            identity=self._client.identity,
            reachable=reachable,
            oldest_frame=oldest,
            clock_offset_ms=clock.offset_ms,
            clock_method=clock.method,
            clock_uncertainty_ms=clock.uncertainty_ms,
            zone="UTC",
        )

    async def coverage(self, channel: str, span: Span) -> list[Span]:
        spans = merge([one.span for one in await self._of(channel)], tolerance=JOIN)
        return [part for one in spans if (part := one.intersect(span)) is not None]

    async def fetch(self, channel: str, span: Span) -> AsyncIterator[Segment]:
        for segment in await self._of(channel):
            if segment.span.intersect(span) is not None:
                yield segment

    async def snapshot(self, channel: str, at: datetime) -> bytes:
        return await picture_in(self.fetch(channel, Span(at, at + timedelta(milliseconds=1))), at)

    async def protect(self, channel: str, span: Span) -> bool:
        return False  # it has no locks

    async def release(self, channel: str, span: Span) -> None:
        return None

    async def _of(self, channel: str) -> list[Segment]:
        listed = self._client.parsed(await self._client.request("GET", "/files.json"), "/files.json")
        segments = [(known, one) for known, one in self._segments(listed)]
        if channel not in {known for known, _ in segments}:
            raise WrongChannel(
                f"Recorder {self._client.identity} has no channel {channel!r}: correct it in the register, then retry."
            )
        return sorted((one for known, one in segments if known == channel), key=lambda one: one.span)

    def _segments(self, listed: Any) -> list[tuple[str, Segment]]:
        try:
            return [self._segment(**row) for row in listed]
        except (TypeError, KeyError, ValueError) as error:
            raise self._client.down("not-a-recorder", "its list of files is none") from error

    def _segment(self, *, channel: str, name: str, start: str, seconds: float, size: int) -> tuple[str, Segment]:
        begins = datetime.fromisoformat(start)
        span = Span(begins, begins + timedelta(seconds=seconds))
        stream = partial(self._client.read, f"/{quote(name)}", ranges=True, absent=(404,))
        return channel, Segment(name, channel, span, size, "fmp4", stream)


def make(configuration: Mapping[str, str], places: Places) -> ExampleRecorder:
    """Open one; raises Fatal with what to correct."""
    if not configuration.get("address"):
        raise Fatal("An example recorder has no address: set where it answers, such as http://192.168.1.20.")
    auth = httpx.BasicAuth(configuration.get("user", ""), configuration.get("password", ""))
    return ExampleRecorder(HttpClient(configuration["address"], places.guard, auth=auth))


KIND = Kind(SCHEMA, make)

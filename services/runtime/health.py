"""Liveness, readiness and metrics on a port of their own (docs/zeebe.md).

Alive means: the event loop runs, the pollers poll, the channel is open, and the pool of the database is not hung for
good. It never depends on another server: an engine or a database that is down leaves a worker alive, because restarting
it would not help.
"""

import asyncio
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.runtime import metrics
from services.runtime.http import serve

Check = Callable[[], Awaitable[str | None]]
"""A readiness check: None when the part is ready, otherwise a sentence that says what is wrong."""

LOOP_LIMIT = 15.0
CHECK_SECONDS = 5.0
HUNG_SECONDS = 600.0


@dataclass
class Poller:
    """The poller of one job type: it must poll within ``limit`` seconds unless it is at full capacity."""

    capacity: int
    limit: float
    beat: float
    running: int = 0

    def silent(self, now: float) -> bool:
        return self.running < self.capacity and now - self.beat > self.limit


@dataclass
class Health:
    """State for liveness, and the checks of readiness; one for each process."""

    monotonic: Callable[[], float] = time.monotonic
    checks: dict[str, Check] = field(default_factory=dict)
    away: dict[str, str] = field(default_factory=dict)
    """What is away without which this process still works, such as a store: a sentence by part."""
    pollers: dict[str, Poller] = field(default_factory=dict)
    exporters: list[Callable[[], bytes]] = field(default_factory=list)
    """Further metrics of this process for ``/metrics``, in Prometheus' text format."""
    connected: Callable[[], bool] = lambda: True
    hung_seconds: Callable[[], float] = lambda: 0.0
    """For how long, in seconds, every connection to the database has been in use and none given back."""
    hung_limit: float = HUNG_SECONDS
    draining: bool = False
    """Whether the polls have ended on purpose: a worker that drains finishes its jobs and is alive."""
    loop_stamp: float = field(init=False)

    def __post_init__(self) -> None:
        self.loop_stamp = self.monotonic()

    def watch(self, job_type: str, capacity: int, limit: float) -> Poller:
        """Watch a poller that must poll every ``limit`` seconds."""
        poller = self.pollers[job_type] = Poller(capacity, limit, self.monotonic())
        return poller

    def beat(self, job_type: str) -> None:
        self.pollers[job_type].beat = self.monotonic()

    async def stamp_loop(self, every: float = 1.0) -> None:
        """Record until cancelled that the event loop runs; run it in that loop."""
        while True:
            self.loop_stamp = self.monotonic()
            await asyncio.sleep(every)

    def faults(self) -> list[str]:
        """Return why this process should be restarted; empty if it is alive."""
        now = self.monotonic()
        faults = []
        if now - self.loop_stamp > LOOP_LIMIT:
            faults.append(f"the event loop has not turned for {now - self.loop_stamp:.0f} s")
        if not self.connected():
            faults.append("the channel to the engine is closed for good")
        if (hung := self.hung_seconds()) > self.hung_limit:
            faults.append(f"no connection to the database has become free for {hung:.0f} s")
        if not self.draining:
            faults += [f"nobody polls for {name}" for name, poller in self.pollers.items() if poller.silent(now)]
        return faults

    async def unready(self) -> dict[str, str]:
        """Return what is not ready, by check; a check that hangs or raises is not ready either."""
        unready: dict[str, str] = {}
        for name, check in self.checks.items():
            try:
                async with asyncio.timeout(CHECK_SECONDS):
                    answer = await check()
            except TimeoutError:
                answer = f"no answer within {CHECK_SECONDS:g} s"
            except Exception as error:  # noqa: BLE001  # whatever a check raises, the answer is "not ready"
                answer = f"the check failed: {type(error).__name__}"
            if answer is not None:
                unready[name] = answer
        return unready


def health_app(health: Health) -> Starlette:
    """``/livez``, ``/readyz`` and ``/metrics``."""

    async def livez(_request: Request) -> Response:
        faults = health.faults()
        return JSONResponse({"alive": not faults, "faults": faults}, 503 if faults else 200)

    async def readyz(_request: Request) -> Response:
        unready = await health.unready()
        away = {"away": health.away} if health.away else {}
        return JSONResponse({"ready": not unready, "unready": unready, **away}, 503 if unready else 200)

    async def show_metrics(_request: Request) -> Response:
        exposition = b"".join([metrics.exposition(), *(export() for export in health.exporters)])
        return Response(exposition, headers={"content-type": metrics.CONTENT_TYPE})

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", show_metrics)])


async def serve_health(health: Health, listener: socket.socket) -> None:
    """Serve ``health_app`` on a socket of ``services.runtime.http.listen`` and stamp the loop until cancelled."""
    async with anyio.create_task_group() as group:
        group.start_soon(health.stamp_loop)
        await serve(health_app(health), listener, grace=1)

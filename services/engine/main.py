"""Run the engine on its own until a signal stops it."""

import asyncio
import gc
import signal
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from services.engine.access import Credentials
from services.engine.clock import SystemClock
from services.engine.server import DEFAULT_RETENTION, EngineServer


def run(
    announce: Callable[[str], None],
    address: str = "127.0.0.1:26500",
    *,
    data: Path | None = None,
    credentials: Credentials | None = None,
    management: str | None = None,
    controlled_clock: bool = False,
    records: Path | None = None,
    retention: timedelta = DEFAULT_RETENTION,
) -> None:
    """Serve until SIGINT or SIGTERM; ``announce`` gets the addresses.

    Raises DataFileError, GatewayError, or RuntimeError if the port is in use.
    """
    server = EngineServer(
        data,
        SystemClock(),
        address,
        credentials=credentials,
        records=records,
        management=management,
        controlled_clock=controlled_clock,
        retention=retention,
    )
    asyncio.run(_serve(server, announce))


async def _serve(server: EngineServer, announce: Callable[[str], None]) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for stop_signal in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(stop_signal, stop.set)
    bound = await server.start()
    gc.collect()
    gc.freeze()  # what is loaded by now lives as long as the process: later collections skip it
    announce(f"The engine listens on {bound}.")
    if server.token_file is not None:
        announce(f"Its clients need the token in {server.token_file}.")
    if server.management_address is not None:
        announce(f"Its health, metrics and open incidents are at http://{server.management_address}.")
    await stop.wait()
    await server.stop()

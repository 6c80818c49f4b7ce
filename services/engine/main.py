"""Run the engine by itself until it is told to stop."""

import asyncio
import signal
from pathlib import Path

from services.engine.clock import SystemClock
from services.engine.server import EngineServer


def run(
    address: str = "127.0.0.1:26500",
    data: Path | None = None,
    management: str | None = None,
    controlled_clock: bool = False,
    records: Path | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; raises DataDirectoryInUse, or RuntimeError where the port is taken."""
    server = EngineServer(
        data,
        SystemClock(),
        address,
        records=records,
        management=management,
        controlled_clock=controlled_clock,
    )
    asyncio.run(_serve(server))


async def _serve(server: EngineServer) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    bound = await server.start()
    print(f"The engine listens on {bound}.", flush=True)  # noqa: T201 - the command's answer to whoever started it
    if server.management_address is not None:
        print(f"Its clock is turned at http://{server.management_address}/actuator/clock.", flush=True)  # noqa: T201
    await stop.wait()
    await server.stop()

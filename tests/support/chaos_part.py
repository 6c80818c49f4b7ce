"""One process of a server in parts, that kills itself at planned points."""

import asyncio
import os
from pathlib import Path

from chaos_points import Points, install
from prefork import Announce

from services.app import server
from services.app.container import locked_container
from services.app.server import Addresses, Roles
from services.engine import main as engine_main
from services.runtime.jobs import adapter
from services.runtime.jobs.worker import discover
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings


def serve(announce: Announce, folder: Path, part: str) -> None:
    """Run one part until it is ended; the target of a ``ForkedProcess``.

    ``part`` is engine, portal or worker; settings come from the environment; ``folder`` holds what chaos_points writes.
    The part's address is announced once it answers.
    """
    configure_logs("info", "json")
    install(Points(folder))
    if part == "engine":
        engine_main.run(announce, os.environ["ZEEBE_ADDRESS"], data=folder / "data" / "engine")
        return
    # An engine that died is back soon; a worker's longest pause is for one that is not.
    adapter.POLL_PAUSE_LONGEST = 0.5
    parts = (
        Roles(portal=True, relay=True) if part == "portal" else server.roles_for([one.job_type for one in discover()])
    )

    async def ready(addresses: Addresses) -> None:
        announce(addresses.portal or addresses.health)

    with locked_container(Settings.load()) as container:
        asyncio.run(server.run_until_signalled(container, parts, ready))

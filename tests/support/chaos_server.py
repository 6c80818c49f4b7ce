"""The whole demo server in one process that kills itself at planned points.

FOLDER/data holds the data; seed.txt the share of the points; visits.txt and struck.txt what happened; the portal's
address is announced once everything answers.
"""

import asyncio
from datetime import timedelta
from pathlib import Path

from chaos_points import Points, install
from prefork import Announce
from redated import redate

from services.app import server
from services.app.container import open_container
from services.app.server import Addresses
from services.database.unit_of_work import Actor
from services.demo import organisation
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings


def settings(folder: Path) -> Settings:
    """As the demo's, with leases so short that a lost job is soon handed out again."""
    return Settings.load(
        **organisation.settings(),
        data_dir=folder / "data",
        rules={"preservation": "always"},
        portal={"port": 0},
        health={"port": 0},
        workers={"job_timeout": timedelta(seconds=2), "poll_seconds": 1, "drain_seconds": 2},
    )


def serve(announce: Announce, folder: Path) -> None:
    """Run the server until it is ended; the target of a ``ForkedProcess``."""
    loaded = settings(folder)
    configure_logs("info", "json")
    install(Points(folder))
    container = open_container(loaded)
    recordings = loaded.data_dir / "recordings"
    container.database.run_now(Actor("system", "demo"), organisation.seed_demo, recordings, zone=organisation.ZONE)
    redate(recordings, (container.clock.now() - timedelta(days=1)).date())

    async def ready(addresses: Addresses) -> None:
        assert addresses.portal is not None
        announce(addresses.portal)

    asyncio.run(server.run_until_signalled(container, server.all_roles(), ready))

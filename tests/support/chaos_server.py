"""The whole demo server in one process that kills itself at planned points: ``python chaos_server.py FOLDER``.

FOLDER/data holds the data; plan.txt the points; visits.txt and struck.txt what happened; the portal's address is
printed once everything answers.
"""

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

from chaos_points import Points, install

from services.app import server
from services.app.container import open_container
from services.app.server import Addresses
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
        engine={"port": 0},
        health={"port": 0},
        workers={"job_timeout": timedelta(seconds=2), "poll_seconds": 1, "drain_seconds": 2},
    )


def main(folder: Path) -> None:
    loaded = settings(folder)
    configure_logs("info", "json")
    install(Points(folder))
    container = open_container(loaded)
    organisation.prepare(container)

    async def ready(addresses: Addresses) -> None:
        print(addresses.portal, flush=True)  # noqa: T201

    asyncio.run(server.run_until_signalled(container, server.everything(), ready))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""One process of a server in parts, that kills itself at planned points: ``python chaos_part.py FOLDER PART``.

PART is engine, portal or worker; settings come from the environment; FOLDER holds what chaos_points writes. The part's
address is printed once it answers.
"""

import asyncio
import os
import sys
from functools import partial
from pathlib import Path

from chaos_points import Points, install

from services.app import server
from services.app.container import locked_container
from services.app.server import Addresses, Parts
from services.engine import main as engine_main
from services.runtime.jobs.worker import discover
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings

say = partial(print, flush=True)


def main(folder: Path, part: str) -> None:
    configure_logs("info", "json")
    install(Points(folder))
    if part == "engine":
        engine_main.run(say, os.environ["ZEEBE_ADDRESS"], data=folder / "data" / "engine")
        return
    parts = Parts(portal=True, relay=True) if part == "portal" else server.only([one.job_type for one in discover()])

    async def ready(addresses: Addresses) -> None:
        say(addresses.portal or addresses.health)

    with locked_container(Settings.load()) as container:
        asyncio.run(server.run_until_signalled(container, parts, ready))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])

"""Commands by which an operator lets a stuck case go on (docs/runbooks/incidents-pending.md)."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Annotated

import typer

from services.runtime import incidents
from services.runtime.channel import open_channel
from services.runtime.settings import Settings


def add_to(
    app: typer.Typer,
    settings: Callable[[], Settings],
    sentences: Callable[[], AbstractContextManager[None]],
    say: Callable[[str], None],
) -> None:
    """Add the commands; ``sentences`` leaves with the sentence of what went wrong."""

    @app.command()
    def resolve(
        incident: Annotated[int, typer.Argument(help="The incident's key, as Operate or the engine's log shows it.")],
        job: Annotated[int | None, typer.Option(help="The key of its job, where it has one.")] = None,
        retries: Annotated[int, typer.Option(min=1, help="How often the job may be tried again.")] = 3,
    ) -> None:
        """Resolve an incident once its cause is removed: what failed is tried again where it stopped."""
        loaded = settings()

        async def work() -> None:
            channel = open_channel(loaded)
            try:
                await incidents.resolve(channel, incident, job, retries)
            finally:
                await channel.close()

        with sentences():
            asyncio.run(work())
        say(f"Incident {incident} is resolved.")

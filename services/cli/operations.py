"""Commands of operators: let a stuck case go on (docs/runbooks/incidents-pending.md), enter the first administrator."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Annotated

import typer

from services.app.container import START, open_register
from services.database import schema as database_schema
from services.domain.accounts import staff
from services.runtime import incidents
from services.runtime.channel import open_channel
from services.runtime.clock import SystemClock
from services.runtime.errors import Refused
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

    @app.command()
    def administrator(
        login: Annotated[str, typer.Argument(help="What they type to sign in, such as li.na.")],
        name: Annotated[str, typer.Argument(help="Their name, as pages and documents show it.")],
    ) -> None:
        """Enter the first administrator, who then enters everybody else in the portal. Prints a password, once.

        Only while the books have nobody; it is changed at the first sign-in.
        """
        loaded = settings()

        async def work() -> None:
            database = open_register(loaded, SystemClock())
            try:
                await database.run(START, database_schema.check)
                entered = await staff.enter_first(database, START, login, name)
            except Refused as refusal:
                typer.echo(refusal.en, err=True)
                raise typer.Exit(1) from None
            finally:
                database.close()
            say(f"{entered.login} signs in once with the password {entered.password} and chooses a new one.")

        with sentences():
            asyncio.run(work())

"""Commands of operators: resolve incidents (docs/runbooks/incidents-pending.md), accept a loss, first administrator."""

import asyncio
import json
from typing import Annotated

import typer

from services.app.container import START, open_migrated_database
from services.backup import losses
from services.cli.context import load_settings, reported_errors, say
from services.database import schema as database_schema
from services.database.unit_of_work import Actor
from services.domain.accounts import staff
from services.domain.wiring import command_database
from services.runtime import data_folder, incidents
from services.runtime.channel import open_channel
from services.runtime.clock import SystemClock
from services.runtime.errors import Refused

RESCUE = Actor("system", "administrator-reset")


def add_to(app: typer.Typer) -> None:
    """Add the commands."""
    _add_losses(app)

    @app.command()
    def resolve(
        incident: Annotated[int, typer.Argument(help="The incident's key, as Operate or the engine's log shows it.")],
        job: Annotated[int | None, typer.Option(help="The key of its job, if it has one.")] = None,
        retries: Annotated[int, typer.Option(min=1, help="How many more times the job may be tried.")] = 3,
    ) -> None:
        """Resolve an incident after its cause was removed: the failed step is tried again."""
        settings = load_settings()

        async def work() -> None:
            channel = open_channel(settings)
            try:
                await incidents.resolve(channel, incident, job, retries)
            finally:
                await channel.close()

        with reported_errors():
            asyncio.run(work())
        say(f"Incident {incident} is resolved.")

    @app.command()
    def administrator(
        login: Annotated[str, typer.Argument(help="The login name, such as li.na.")],
        name: Annotated[str | None, typer.Argument(help="The name, as pages and documents show it.")] = None,
        reset: Annotated[
            bool,
            typer.Option(
                "--reset", help="Give an administrator who has lost password or second factor a way in again."
            ),
        ] = False,
    ) -> None:
        """Enter the first administrator, who then enters everybody else in the portal. Prints a password, once.

        Only while the database has no people. With --reset, of an administrator who is there: their second factor and
        passkeys end, and Security and the supervisors are told. The password is changed at the first sign-in.
        """
        settings = load_settings()
        if reset == (name is not None):
            raise typer.BadParameter("give a name, or --reset without one", param_hint="NAME")

        async def work() -> None:
            database = open_migrated_database(settings, SystemClock())
            try:
                await database.run(START, database_schema.check)
                if name is None:
                    entered = await staff.rescue_administrator(database, RESCUE, login)
                else:
                    entered = await staff.add_first_administrator(database, START, login, name)
            except Refused as refusal:
                typer.echo(refusal.en, err=True)
                raise typer.Exit(1) from None
            finally:
                database.close()
            say(f"{entered.login} signs in once with the password {entered.password} and chooses a new one.")

        with reported_errors():
            asyncio.run(work())


def _add_losses(app: typer.Typer) -> None:
    @app.command("accept-loss")
    def accept_loss(
        part: Annotated[str, typer.Argument(help=f"What is lost: {', '.join(losses.COSTS)}.")],
        confirm: Annotated[
            bool, typer.Option("--confirm", help="Go on without it; otherwise it is only said what that costs.")
        ] = False,
    ) -> None:
        """Go on without a part of the installation that no backup brings back. It is entered in the audit trail.

        The next start then makes a new one, or uses the key that lies in its place.
        """
        settings = load_settings()
        clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
        with (
            reported_errors(),
            data_folder.exclusive(settings),
            command_database(settings, clock) as database,
        ):
            database.run_now(START, database_schema.check)
            losses.accept_loss(settings, database, part, say, confirmed=confirm)

    @app.command()
    def modify(
        instance: Annotated[int, typer.Argument(help="The process instance's key.")],
        activate: Annotated[str, typer.Option(help="The BPMN id of the element that is to be entered.")],
        terminate: Annotated[int, typer.Option(help="The key of the element instance that is to be left.")],
        variables: Annotated[str, typer.Option(help="Variables of the instance, as a JSON object.")] = "{}",
    ) -> None:
        """Move a process instance to another element, as a runbook says; the database allows no more than before."""
        settings = load_settings()
        try:
            values = json.loads(variables)
        except ValueError:
            values = None
        if not isinstance(values, dict):
            raise typer.BadParameter("give a JSON object", param_hint="--variables")

        async def work() -> None:
            channel = open_channel(settings)
            try:
                await incidents.modify(channel, instance, activate, terminate, values)
            finally:
                await channel.close()

        with reported_errors():
            asyncio.run(work())
        say(f"Instance {instance} is at {activate}.")

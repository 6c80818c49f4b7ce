"""``footage-desk demo``, and what ``run --demo`` does besides ``run``."""

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from services.app.container import Container
from services.app.server import Addresses
from services.cli.context import console, error_console
from services.demo import organisation, situations
from services.demo.organisation import Account
from services.demo.people import StepFailed
from services.runtime.settings import Settings, variable


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command()
    def demo(
        data: Annotated[
            Path, typer.Option(help="The folder for everything that is written; its content is deleted first.")
        ] = Path("var/demo"),
        store: Annotated[
            bool,
            typer.Option(
                "--store",
                help="Keep the footage in the store and the replica of the settings, not in folders of its own.",
            ),
        ] = False,
    ) -> None:
        """Lead one application through every step without a person, and check the result.

        Exits with 0 if all is well.
        """
        from services.demo import walk  # noqa: PLC0415 - run --demo does not need it

        raise typer.Exit(asyncio.run(walk.demonstrate(data, console, own_store=not store)))


def prepare(container: Container, *, cases: bool) -> list[Account]:
    """Write the demo organisation, and recordings of the days that it needs."""
    console.print("Preparing the demo organisation and its recordings of yesterday …", style="dim", soft_wrap=True)
    return organisation.prepare(container, situations.RECORDED if cases else (1,))


def can_lay_out(settings: Settings) -> bool:
    """Return whether the demo's cases can be made, and say why not: they need an engine whose clock we turn."""
    if settings.embedded:
        return True
    error_console.print(
        f"The demo's cases are not made: they need days of the process to pass, and the engine at "
        f"{settings.zeebe_address} has a clock of its own, which this program does not turn. Unset "
        f"{variable('zeebe_address')} for --cases; without them the demo runs on.",
        soft_wrap=True,
    )
    return False


def print_accounts(accounts: list[Account]) -> None:
    """Print who can sign in."""
    console.print("\nAccounts of the demo organisation", style="bold")
    console.print(_accounts(accounts))


async def lay_out_cases(container: Container, addresses: Addresses, accounts: list[Account]) -> None:
    """Make the demo's cases; if that fails, say why and let the demo run without them."""
    passwords = {account.login: account.password for account in accounts}
    console.print("The demo's people are leading a dozen cases to every stage; it takes about a minute.")
    try:
        day = (container.clock.now() - timedelta(days=1)).date()
        if made := await situations.lay_out(addresses.portal or "", passwords, day):
            console.print(
                f"{made} cases are there; the clock of the demo is turned {situations.AHEAD.days} days ahead.\n"
            )
    except StepFailed as error:
        error_console.print(f"The cases stopped half-way: {error}")


def _accounts(accounts: list[Account]) -> Table:
    """Return a table of the accounts that fits into 80 columns."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in ("account", "password", "name", "department", "what for"):
        table.add_column(heading, no_wrap=True)
    for account in accounts:
        table.add_row(account.login, account.password, account.name, account.department_zh, account.does)
    return table

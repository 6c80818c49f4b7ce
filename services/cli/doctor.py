"""``footage-desk doctor``: check a set-up."""

import asyncio
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from services.app import doctor as app_doctor
from services.cli.context import Lang, console, fail
from services.demo import organisation
from services.runtime.logs import configure_logs
from services.runtime.settings import Settings, SettingsError, unknown_variables


def _title(line: app_doctor.Line, lang: Lang) -> str:
    return line.part if lang is Lang.en else line.title.translate(lang)


def add_to(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("doctor")
    def examine(
        demo: Annotated[bool, typer.Option("--demo", help="With the settings of run --demo.")] = False,
        lang: Annotated[Lang, typer.Option(help="The language of the sentences.")] = Lang.en,
        portal: Annotated[
            bool, typer.Option("--portal", help="Where the portal runs apart: what it has no part in is left out.")
        ] = False,
    ) -> None:
        """Check every setting and part, and say what to do. Exits with 0 if all is well, else with 1."""
        configure_logs("error")
        try:
            settings = Settings.load(**(organisation.settings() if demo else {}))
        except SettingsError as error:
            fail("\n".join(f"✗ settings: {line}" for line in str(error).splitlines()), 1)
        findings = asyncio.run(app_doctor.examine(settings, unknown_variables(), portal=portal))
        table = Table.grid(padding=(0, 2, 0, 0))
        table.add_column()
        table.add_column()
        table.add_column(overflow="fold")
        for line in findings:
            table.add_row(
                "[green]✓[/]" if line.well else "[red]✗[/]",
                escape(_title(line, lang)),
                escape(line.message.translate(lang)),
            )
        console.print(table)
        raise typer.Exit(0 if all(line.well for line in findings) else 1)

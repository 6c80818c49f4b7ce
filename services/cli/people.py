"""The command ``people``: take over the people of the organisation's directory, each night."""

import asyncio
from typing import Annotated

import typer

from services.cli.context import load_settings, reported_errors, say
from services.database import schema as database_schema
from services.domain.staffing import directory_import, ldap_client
from services.domain.staffing.directory_import import ACTOR, Plan
from services.domain.wiring import command_database
from services.runtime import data_folder
from services.runtime.errors import Refused


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    people = typer.Typer(help="Take over people from the organisation's directory.", no_args_is_help=True)
    people.callback()(lambda: None)
    app.add_typer(people, name="people")

    @people.command("from-directory")
    def from_directory(
        dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
    ) -> None:
        """Take over the people of the directory (LDAP), all or nothing; for a nightly run.

        New people get no password and nobody gets a post. Who is missing leaves; with copies out the account is kept
        until they are transferred. Where more would leave than the settings allow at once, or the list is not whole,
        nothing changes and the exit status is 1.
        """
        settings = load_settings()
        clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
        with reported_errors(), command_database(settings, clock) as database:
            database.run_now(ACTOR, database_schema.check)
            try:
                entries = ldap_client.read_entries(settings.directory)
                if dry_run:
                    plan = asyncio.run(database.read(ACTOR, directory_import.preview, settings.directory, entries))
                else:
                    plan, _ = asyncio.run(directory_import.take_over(database, ACTOR, settings.directory, entries))
            except Refused as refusal:
                typer.echo(refusal.en, err=True)
                raise typer.Exit(1) from None
        _report(plan, dry_run=dry_run)


def _report(plan: Plan, *, dry_run: bool) -> None:
    for one in plan.left_out:
        typer.echo(f"left out | {one.name} | {one.why.en}", err=True)
    for change in plan.changes:
        if change.state == "leaves":
            kept = f"kept until these are transferred: {', '.join(change.cases)}" if change.cases else "deactivated"
            say(f"leaves | {change.login} | {kept}")
    say(
        f"{plan.count('new')} new, {plan.count('changed')} changed, {plan.count('leaves')} leaving, "
        f"{plan.unchanged} unchanged, {len(plan.left_out)} left out"
        + (": nothing was changed, this was a dry run." if dry_run else ".")
    )
    if dry_run and plan.too_many_leave:
        typer.echo(f"At most {plan.most_leaving} of {plan.linked} may leave at once: it would be refused.", err=True)
        raise typer.Exit(1)

"""``footage-desk models …``: the versions of models in the engine, and those of them that are on no record."""

from typing import Annotated

import typer
from rich.table import Table

from services.cli import model_versions
from services.cli.context import console, load_settings, operator, reported_errors
from services.cli.model_deployment import opened_database
from services.database.unit_of_work import Actor
from services.domain.deployments import versions

ACTOR = Actor("system", "models")


def add_to(app: typer.Typer) -> None:
    """Add the group ``models``."""
    group = typer.Typer(help="The deployed versions of the models, and the cases on them.", no_args_is_help=True)
    app.add_typer(group, name="models")
    add_commands(group)
    model_versions.add_commands(group)


def add_commands(group: typer.Typer) -> None:
    """Add the commands to the group ``models``."""

    @group.command("list")
    def list_unrecorded() -> None:
        """List the versions on no record whose jobs came within a day; exits with 1 where there are some."""
        settings = load_settings()
        with reported_errors(), opened_database(settings) as database:
            rows = database.read_now(ACTOR, versions.list_unrecorded)
        if not rows:
            console.print("Every model whose jobs came within a day is on record.")
            return
        table = Table("key", "process", "version", "first job (UTC)", "last job (UTC)")
        for row in rows:
            first, last = (f"{moment:%Y-%m-%d %H:%M}" for moment in (row.first_seen_at, row.last_seen_at))
            table.add_row(str(row.definition_key), row.process_id, str(row.version), first, last)
        console.print(table)
        raise typer.Exit(1)

    @group.command("accept")
    def accept(
        key: Annotated[int, typer.Argument(help="The key of the version, as footage-desk models list names it.")],
        reason: Annotated[str, typer.Option(help="Why its jobs may run; the audit trail keeps it.")],
    ) -> None:
        """Let the jobs of a version run that is on no record, because you know who deployed it.

        Cases that stand there go on when their incidents are resolved.
        """
        settings = load_settings()
        with reported_errors(), opened_database(settings) as database:
            row = database.run_now(ACTOR, versions.accept, key, reason, operator())
        console.print(f"{row.process_id} version {row.version} is accepted: resolve the incidents of its cases.")

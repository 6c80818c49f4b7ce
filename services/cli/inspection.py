"""``footage-desk inspection …``: compute the sample of an inspection again (R63)."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from services.cli.context import load_settings, reported_errors, say
from services.database import schema as database_schema
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.supervision import reproduction
from services.domain.wiring import command_database
from services.runtime import data_folder
from services.runtime.errors import Fatal, Refused

ACTOR = Actor("system", "inspection")


def add_to(app: typer.Typer) -> None:
    """Add the group ``inspection``."""
    group = typer.Typer(help="Compute the sample of an inspection again.", no_args_is_help=True)
    app.add_typer(group, name="inspection")

    @group.callback()
    def inspection() -> None:
        """Compute the sample of an inspection again."""

    @group.command()
    def reproduce(
        number: Annotated[str, typer.Argument(help="The number of the inspection, such as JC-2026-000001.")],
        *,
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Draw the sample of an inspection again from the register; exit with 1 where anything differs.

        The seed is the SHA-256 of the note of the first audit checkpoint after the end of the period; of what older
        releases have drawn, the root of the last one before it. A case that changed after the drawing changes nothing.
        """
        settings = load_settings()
        clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
        with reported_errors(), command_database(settings, clock) as database:
            database.read_now(ACTOR, database_schema.check)
            found = database.read_now(ACTOR, _reproduce, number)
        if as_json:
            say(json.dumps(asdict(found), ensure_ascii=False))
        else:
            say(f"{found.number}: {found.sampled} of {found.population} cases, seed {found.seed}")
            for difference in found.differences:
                say(difference)
            say(
                "differs: keep the database as it is, and run footage-desk audit verify"
                if found.differences
                else "equal"
            )
        if found.differences:
            raise typer.Exit(1)


def _reproduce(uow: UnitOfWork, number: str) -> reproduction.Reproduced:
    try:
        return reproduction.reproduce(uow, number)
    except Refused as refused:
        raise Fatal(f"could not draw the sample again | {number} | {refused.en} | use the number of a report") from None

"""``footage-desk inspection …``: compute the sample of an inspection again (R63)."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import typer

from services.cli.context import load_settings, reported_errors, say
from services.database import schema as database_schema
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.supervision import populations, reproduction
from services.domain.supervision.populations import FileInvalid, Recomputed
from services.domain.supervision.reproduction import Reproduced
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
        number: Annotated[
            str, typer.Argument(help="The number of the inspection, such as JC-2026-000001; not needed with a file.")
        ] = "",
        *,
        population: Annotated[
            Path | None,
            typer.Option(help="The cases that it was drawn from, as JSON or CSV: no database is read."),
        ] = None,
        seed: Annotated[str, typer.Option(help="The seed as the report has it; a CSV has none.")] = "",
        as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    ) -> None:
        """Draw the sample of an inspection again from the register; exit with 1 where anything differs.

        The seed is the SHA-256 of the note of the first audit checkpoint after the end of the period; of what older
        releases have drawn, the root of the last one before it. A case that changed after the drawing changes nothing.
        With --population the sample is drawn from the file that the page of the inspection gives, on any machine.
        """
        with reported_errors():
            found = _from_file(population, number, seed) if population is not None else _from_register(number)
        if as_json:
            say(json.dumps(asdict(found), ensure_ascii=False))
        else:
            say(f"{found.number}: {found.sampled} of {found.population} cases, seed {found.seed}".removeprefix(": "))
            if isinstance(found, Recomputed):
                say(f"digest of the cases: {found.sha256}")
            for difference in found.differences:
                say(difference)
            say(_verdict(found))
        if found.differences:
            raise typer.Exit(1)


def _verdict(found: Reproduced) -> str:
    if not found.differences:
        return "equal"
    if isinstance(found, Recomputed):
        return "differs: compare seed and digest with the signed report of the inspection"
    return "differs: keep the database as it is, and run footage-desk audit verify"


def _from_register(number: str) -> Reproduced:
    if not number:
        raise Fatal("name the number of the inspection, or a file with --population.")
    settings = load_settings()
    clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
    with command_database(settings, clock) as database:
        database.read_now(ACTOR, database_schema.check)
        return database.read_now(ACTOR, _reproduce, number)


def _from_file(path: Path, number: str, seed: str) -> Recomputed:
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix.lower() == ".csv":
            if not seed:
                raise Fatal(f"{path.name} has no seed: name it with --seed, as the report has it.")
            return populations.recompute(number, populations.parse_csv(text), seed, None)
        given = populations.parse_json(text)
        if number and number != given.number:
            raise Fatal(f"{path.name} is of {given.number} and not of {number}.")
        found = populations.recompute(given.number, given.cases, seed or given.seed, given.sha256)
        differs = populations.seed_differs(given, seed)
    except (OSError, UnicodeDecodeError, FileInvalid) as error:
        raise Fatal(f"{path.name} cannot be used: {error}.") from error
    return replace(found, differences=[*differs, *found.differences])


def _reproduce(uow: UnitOfWork, number: str) -> reproduction.Reproduced:
    try:
        return reproduction.reproduce(uow, number)
    except Refused as refused:
        raise Fatal(f"could not draw the sample again | {number} | {refused.en} | use the number of a report") from None

"""The command ``storage``: feed the stores' access logs to the next reconciliation."""

import hashlib
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal

import typer

from services.cli.context import load_settings, reported_errors, say
from services.database import schema as database_schema
from services.database.unit_of_work import Actor
from services.domain.storage import store_accesses
from services.domain.storage.store_accesses import Access, LineInvalid
from services.domain.wiring import command_database
from services.runtime import data_folder

ACTOR = Actor("system", "access-log")
AT_ONCE = 500


def add_to(app: typer.Typer) -> None:
    """Add the command."""
    storage = typer.Typer(help="Feed the stores' access logs to the reconciliation.", no_args_is_help=True)
    storage.callback()(lambda: None)
    app.add_typer(storage, name="storage")

    @storage.command("import-log")
    def import_log(
        file: Annotated[
            str,
            typer.Argument(help="A log: lines of MinIO's audit webhook, or of S3's server access log; - for input."),
        ],
        place: Annotated[str, typer.Option(help="Whose log it is: primary or replica.")] = "primary",
    ) -> None:
        """Import a store's access log; the next reconciliation compares it with the register.

        Only what reads, writes or deletes an object of ours is kept. The same log may be imported again.
        """
        settings = load_settings()
        if place not in ("primary", "replica"):
            raise typer.BadParameter("give primary or replica", param_hint="--place")
        of: Literal["primary", "replica"] = "primary" if place == "primary" else "replica"
        prefix = (settings.store_place if of == "primary" else settings.replica_place).prefix
        clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
        with reported_errors(), command_database(settings, clock) as database:
            database.run_now(ACTOR, database_schema.check)
            digest = hashlib.sha256()
            read, new = 0, 0
            try:
                accesses = store_accesses.read_lines(_lines(file, digest), prefix)
                while page := list(islice(accesses, AT_ONCE)):
                    read += len(page)
                    kept: list[Access] = [one for one in page if one is not None]
                    new += database.run_now(ACTOR, store_accesses.add, of, kept)
            except (LineInvalid, OSError) as error:
                typer.echo(f"{file} was imported up to a point: {error}. Correct that and import it again.", err=True)
                raise typer.Exit(1) from None
            database.run_now(ACTOR, store_accesses.record_import, of, digest.hexdigest(), lines=read, new=new)
            say(f"{read} lines were read, {new} accesses are new: the next reconciliation compares them.")


def _lines(file: str, digest: "hashlib._Hash") -> Iterator[str]:
    """Yield the lines of a file or of the input, hashing them."""
    if file == "-":
        yield from _hashed(sys.stdin, digest)
        return
    with Path(file).open(encoding="utf-8", errors="replace") as opened:
        yield from _hashed(opened, digest)


def _hashed(lines: Iterable[str], digest: "hashlib._Hash") -> Iterator[str]:
    for line in lines:
        digest.update(line.encode("utf-8", "replace"))
        yield line

"""The command ``storage``: feed the stores' access logs to the next reconciliation."""

import hashlib
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Annotated, TextIO

import typer

from services.cli.context import load_settings, reported_errors, say
from services.database import schema as database_schema
from services.database.unit_of_work import Actor
from services.domain.storage import store_accesses
from services.domain.storage.store_accesses import LONGEST_LINE, LineInvalid
from services.domain.storage.verification import Place
from services.domain.wiring import command_database
from services.runtime import data_folder

ACTOR = Actor("system", "access-log")
AT_ONCE = 500
NAMED = 20  # lines that could not be read and are named


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

        Only what reads, writes or deletes an object of ours is kept. The same log may be imported again. Lines that
        nobody can read are named and counted, those behind them are imported, and the exit status is 1.
        """
        settings, of = load_settings(), _place(place)
        prefix = (settings.store_place if of == "primary" else settings.replica_place).prefix
        clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
        with reported_errors(), command_database(settings, clock) as database:
            database.run_now(ACTOR, database_schema.check)
            digest = hashlib.sha256()
            read, new, unread = 0, 0, 0
            broken = ""
            try:
                accesses = store_accesses.read_lines(_lines(file, digest), prefix)
                while page := list(islice(accesses, AT_ONCE)):
                    read += len(page)
                    for invalid in (one for one in page if isinstance(one, LineInvalid)):
                        unread += 1
                        if unread <= NAMED:
                            typer.echo(str(invalid), err=True)
                    kept = [access for one in page if not isinstance(one, LineInvalid) for access in one]
                    new += database.run_now(ACTOR, store_accesses.add, of, kept)
            except OSError as error:
                broken = f"{file} was imported up to a point: {error.strerror or error}. Import it again."
            counts = {"lines": read, "new": new, "unread": unread}
            database.run_now(ACTOR, store_accesses.record_import, of, digest.hexdigest(), **counts)
            say(f"{read} lines were read, {new} accesses are new: the next reconciliation compares them.")
            if unread:
                broken = broken or f"{unread} lines could not be read: give the log as the store wrote it."
            if broken:
                typer.echo(broken, err=True)
                raise typer.Exit(1)

    @storage.command("end-log")
    def end_log(
        place: Annotated[str, typer.Option(help="Whose log it is: primary or replica.")] = "primary",
    ) -> None:
        """Say that a store sends its access log no more, so that no alert waits for it."""
        settings, of = load_settings(), _place(place)
        clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
        with reported_errors(), command_database(settings, clock) as database:
            database.run_now(ACTOR, database_schema.check)
            if not database.run_now(ACTOR, store_accesses.end_feed, of):
                typer.echo(f"The {of} store does not send its access log: there is nothing to end.", err=True)
                raise typer.Exit(1)
            say(f"The access log of the {of} store is awaited no more; the next event that arrives begins it again.")


def _place(given: str) -> Place:
    if given == "primary":
        return "primary"
    if given == "replica":
        return "replica"
    raise typer.BadParameter("give primary or replica", param_hint="--place")


def _lines(file: str, digest: "hashlib._Hash") -> Iterator[str]:
    """Yield the lines of a file or of the input, hashing them."""
    if file == "-":
        yield from _hashed(sys.stdin, digest)
        return
    with Path(file).open(encoding="utf-8", errors="replace") as opened:
        yield from _hashed(opened, digest)


def _hashed(opened: TextIO, digest: "hashlib._Hash") -> Iterator[str]:
    """Yield each line; of one that is longer than any event no more than that is in memory."""
    whole = True  # the piece before this one ended its line
    while piece := opened.readline(LONGEST_LINE + 2):
        digest.update(piece.encode("utf-8", "replace"))
        if whole:
            yield piece
        whole = piece.endswith("\n")

"""``footage-desk backup`` and ``footage-desk restore``: arguments, and what is said on the way."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Annotated

import typer

from services.backup import restore as restoring
from services.backup.create import Say, Wanted, back_up
from services.backup.restore import Source
from services.backup.source import Premises
from services.runtime.settings import Settings

LACKING = 3  # the exit code of a restore after which the stores are not as they were


def add_to(
    app: typer.Typer,
    settings: Callable[[], Settings],
    sentences: Callable[[], AbstractContextManager[None]],
    say: Say,
) -> None:
    """Add both commands; ``sentences`` leaves with the sentence of what could not be done."""

    @app.command()
    def backup(  # noqa: PLR0917 - each is an option of the command line
        target: Annotated[Path, typer.Argument(help="A folder to be made, or a file whose name ends with .zip.")],
        keys: Annotated[
            Path | None, typer.Option(help="A file for the keys that last (vault, portal); never overwritten.")
        ] = None,
        loan_keys: Annotated[
            Path | None, typer.Option(help="A file for the loan keys that live now; replaces the one before.")
        ] = None,
        recipient: Annotated[
            list[str] | None, typer.Option(help="An age1… recipient that both files of keys are encrypted to.")
        ] = None,
        engine_data: Annotated[
            Path | None, typer.Option(help="The folder of an engine that runs by itself (footage-desk engine --data).")
        ] = None,
        without_engine: Annotated[
            bool, typer.Option("--without-engine", help="Take the books alone, while the engine runs.")
        ] = False,
    ) -> None:
        """Back up the books, the embedded engine's state and an inventory of the stores; keys apart and encrypted.

        The embedded engine has to stand still meanwhile. Nothing is overwritten. docs/operations.md says how often.
        """
        loaded = settings()
        with sentences():
            wanted = Wanted(target, keys, loan_keys, tuple(recipient or ()), engine_data, without_engine)
            back_up(Premises.of(loaded), wanted, say)

    @app.command()
    def restore(  # noqa: PLR0917 - each is an option of the command line
        backup: Annotated[Path, typer.Argument(help="The folder or .zip that footage-desk backup has made.")],
        keys: Annotated[Path | None, typer.Option(help="The file of the keys that last.")] = None,
        loan_keys: Annotated[Path | None, typer.Option(help="The newest file of loan keys.")] = None,
        identity: Annotated[Path | None, typer.Option(help="The age identity (mode 0600) that opens both.")] = None,
        engine_data: Annotated[
            Path | None, typer.Option(help="The folder of an engine that runs by itself (footage-desk engine --data).")
        ] = None,
        read_all: Annotated[
            bool, typer.Option("--read-all", help="Hash every object in the stores; it reads the whole vault.")
        ] = False,
        check: Annotated[
            bool, typer.Option("--check", help="Only read the backup; with --read-all the stores too. Writes nothing.")
        ] = False,
    ) -> None:
        """Restore into empty books, and say what is missing or changed in the stores.

        Ends with 0 when all is as it was, with 3 when the backup is good and objects are missing or changed.
        """
        loaded = settings()
        with sentences():
            if check:
                bundle = restoring.check(backup, say)
                well = not read_all or restoring.as_they_were(Premises.of(loaded, only_to_look=True), bundle, say)
            else:
                source = Source(backup, keys, loan_keys, identity, engine_data, read_all)
                well = restoring.restore(Premises.of(loaded), source, say).well
        if not well:
            raise typer.Exit(LACKING)

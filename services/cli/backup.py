"""``footage-desk backup`` and ``footage-desk restore``."""

from pathlib import Path
from typing import Annotated

import typer

from services.backup import restore as restoring
from services.backup.create import BackupRequest, back_up
from services.backup.installation import Installation
from services.cli.context import load_settings, reported_errors, say

STORES_DIFFER = 3  # exit code of a restore after which objects in the stores are missing or changed


def add_to(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command()
    def backup(  # noqa: PLR0917 - each is an option of the command line
        target: Annotated[Path, typer.Argument(help="A new file, such as DATE.age.")],
        keys: Annotated[
            Path | None, typer.Option(help="A new file for the lasting keys, all but the loan keys; never overwritten.")
        ] = None,
        loan_keys: Annotated[
            Path | None, typer.Option(help="A file for the current loan keys; an existing file is replaced.")
        ] = None,
        recipient: Annotated[
            list[str] | None,
            typer.Option(
                help="An age1… recipient of backup and key files; the escrow key without one. May be repeated."
            ),
        ] = None,
        engine_data: Annotated[
            Path | None, typer.Option(help="The data folder of a separate engine (footage-desk engine --data).")
        ] = None,
        without_engine: Annotated[
            bool, typer.Option("--without-engine", help="Back up without the engine's state, while the engine runs.")
        ] = False,
    ) -> None:
        """Back up the database, the embedded engine's state and an inventory of the stores; keys apart. All encrypted.

        Stop the embedded engine first. A backup is never overwritten. docs/operations.md says how often to run it.
        """
        settings = load_settings()
        with reported_errors():
            request = BackupRequest(target, keys, loan_keys, tuple(recipient or ()), engine_data, without_engine)
            back_up(Installation.of(settings, read_only=True), request, say)

    @app.command()
    def restore(  # noqa: PLR0917 - each is an option of the command line
        backup: Annotated[Path, typer.Argument(help="What footage-desk backup made.")],
        keys: Annotated[Path | None, typer.Option(help="The file of lasting keys.")] = None,
        loan_keys: Annotated[Path | None, typer.Option(help="The newest file of loan keys.")] = None,
        identity: Annotated[
            Path | None, typer.Option(help="The age identity (mode 0600) that opens backup and key files.")
        ] = None,
        engine_data: Annotated[
            Path | None, typer.Option(help="The data folder of a separate engine (footage-desk engine --data).")
        ] = None,
        read_all: Annotated[
            bool, typer.Option("--read-all", help="Hash every object in the stores, which reads the whole vault.")
        ] = False,
        sha256: Annotated[
            str | None,
            typer.Option(help="The SHA-256 of its manifest, as footage-desk backup said it. Another one is refused."),
        ] = None,
        check: Annotated[
            bool, typer.Option("--check", help="Only read the backup, and with --read-all the stores. Writes nothing.")
        ] = False,
    ) -> None:
        """Restore into an empty database, and list what is missing or changed in the stores.

        Exits with 0 if everything is as it was, with 3 if the backup is good and objects are missing or changed.
        """
        settings = load_settings()
        with reported_errors():
            if check:
                bundle = restoring.check(backup, say, identity, sha256)
                complete = not read_all or restoring.check_stores(
                    Installation.of(settings, read_only=True), bundle, say
                )
            else:
                request = restoring.RestoreRequest(
                    backup, keys, loan_keys, identity, engine_data, read_all=read_all, sha256=sha256
                )
                complete = restoring.restore(Installation.of(settings), request, say).complete
        if not complete:
            raise typer.Exit(STORES_DIFFER)

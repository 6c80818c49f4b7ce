"""``footage-desk keys …``: list, make and rotate keys, and practise the use of the escrow key."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from services.backup import belongings, key_archive
from services.backup.drill import drill as try_escrow
from services.backup.installation import ACTOR, Installation
from services.cli.context import load_settings, reported_errors, say
from services.database import schema as database_schema
from services.database.unit_of_work import Database
from services.domain.audit import key_events
from services.domain.wiring import command_database
from services.runtime import data_folder
from services.runtime.manifest import read_manifest
from services.runtime.settings import Settings
from services.vault.keys.fingerprints import SEAL_FOLDER as SEAL
from services.vault.keys.fingerprints import VAULT_FOLDER as VAULT
from services.vault.keys.fingerprints import read_keys
from services.vault.keys.log_key import FOLDER as LOG
from services.vault.keys.log_key import ensure_log_key, public_keys, rotate_log
from services.vault.keys.signer import trusted_signers
from services.vault.keys.signing_key import ROOT_FILE, FileSigningKey, ensure_signing_key, rotate_signing_key
from services.vault.keys.vault_keys import ensure_keys, recipients_in, rotate_vault


def add_to(app: typer.Typer) -> None:
    """Add the group ``keys``."""
    group = typer.Typer(help="List, make and rotate keys; practise the use of the escrow key.", no_args_is_help=True)
    app.add_typer(group, name="keys")

    @group.command()
    def make() -> None:
        """Make the missing keys: vault and escrow key, seal key with its root, log key of the audit trail.

        Only before the first start: a key that the installation has had is restored, not made anew.
        """
        settings = load_settings()
        with reported_errors():
            manifest = read_manifest(settings.data_dir)
            belongings.check_keys(settings.keys, manifest.keys if manifest else {}, read_keys(settings.keys))
            ensure_keys(settings.keys / VAULT)
            ensure_signing_key(settings.keys / SEAL, settings.organisation, datetime.now(UTC))
            ensure_log_key(settings.keys / LOG, settings.audit.origin)
            _list(settings)

    @group.command("list")
    def list_() -> None:
        """List the keys by their public parts, and the files that belong offline. Reads only."""
        settings = load_settings()
        with reported_errors():
            _list(settings)

    @group.command()
    def restore(
        file: Annotated[Path, typer.Argument(help="The file of lasting keys that footage-desk backup --keys made.")],
        identity: Annotated[Path, typer.Option(help="The age identity (mode 0600) that opens it.")],
    ) -> None:
        """Restore the lasting keys that are missing. A key is never replaced."""
        settings = load_settings()
        with reported_errors():
            archive = key_archive.read(file, key_archive.LASTING, identity)
            key_archive.check_no_conflict(settings.keys, archive)
            count = key_archive.restore_lasting_keys(settings.keys, archive)
        say(f"{count} key files were restored to {settings.keys}.")

    @group.command()
    def drill(
        identity: Annotated[Path, typer.Option(help="The escrow identity from the safe, a file of mode 0600.")],
        master: Annotated[
            list[str] | None, typer.Option(help="A master's id; the oldest and the newest by default. May be repeated.")
        ] = None,
    ) -> None:
        """Open masters with the escrow key alone and compare them with their labels. Exits with 1 if one fails."""
        settings = load_settings()
        with reported_errors(), data_folder.exclusive(settings):
            openings = try_escrow(Installation.of(settings, read_only=True), identity, master or [])
        for opening in openings:
            mark = "✓" if opening.held else "✗"
            say(f"{mark} {opening.master_id} ({opening.key}, {opening.size} bytes): {opening.result}.")
        held = sum(opening.held for opening in openings)
        say(f"{held} of {len(openings)} masters opened with the escrow key and match their labels. Put the key back.")
        raise typer.Exit(0 if held == len(openings) else 1)

    _add_rotations(group)


def _add_rotations(group: typer.Typer) -> None:
    rotate = typer.Typer(help="Replace a key with a new one.", no_args_is_help=True)
    group.add_typer(rotate, name="rotate")

    @rotate.command("seal")
    def rotate_the_seal(
        root: Annotated[
            Path | None, typer.Option(help=f"The root key from the safe; {ROOT_FILE} in the keys folder by default.")
        ] = None,
    ) -> None:
        """Make a new seal key under the same root. Old signatures stay valid; the old key is destroyed."""
        settings = load_settings()
        with reported_errors(), _open_database(settings) as database:
            folder = settings.keys / SEAL
            before, after = rotate_signing_key(folder, root or folder / ROOT_FILE, datetime.now(UTC))
            database.run_now(ACTOR, key_events.record_rotation, SEAL, before.seal_fingerprint, after.seal_fingerprint)
            until = after.leaf.not_valid_after_utc
            say(f"The new seal key is sha256:{after.seal_fingerprint}, until {until:%Y-%m-%d}.")
            say(f"Its root is unchanged: sha256:{after.root_fingerprint}.")

    @rotate.command("vault")
    def rotate_the_vault() -> None:
        """Make a new vault key. Masters sealed to the old one still open; the file keeps both."""
        settings = load_settings()
        with reported_errors(), _open_database(settings) as database:
            before, after = rotate_vault(settings.keys / VAULT)
            database.run_now(ACTOR, key_events.record_rotation, VAULT, before, after)
            say(f"Workers seal masters to {after} from their next start on. Back up the keys now.")

    @rotate.command("log")
    def rotate_the_log() -> None:
        """Make a new log key of the same name. What the old one has signed stays valid."""
        settings = load_settings()
        with reported_errors(), _open_database(settings) as database:
            before, after = rotate_log(settings.keys / LOG, settings.audit.origin)
            database.run_now(ACTOR, key_events.record_rotation, LOG, before.fingerprint, after.fingerprint)
            say(f"The portal signs the audit trail's head with {after.fingerprint} from its next start on.")


def _list(settings: Settings) -> None:
    vault, escrow = recipients_in(settings.keys / VAULT)
    say(f"vault   {vault}")
    say(f"escrow  {escrow}")
    chain = FileSigningKey(settings.keys / SEAL).chain
    say(f"seal    sha256:{chain.seal_fingerprint}, until {chain.leaf.not_valid_after_utc:%Y-%m-%d}")
    root_end = chain.root.not_valid_after_utc
    for root in sorted(trusted_signers(settings.keys / SEAL).roots):
        until = f", until {root_end:%Y-%m-%d}" if root == chain.root_fingerprint else ", of what was sealed before"
        say(f"root    sha256:{root}{until}")
    for number, key in enumerate(public_keys(settings.keys / LOG)):
        say(f"log     {key.fingerprint} {key.name}{'' if not number else ', of what was signed before'}")
    for path in key_archive.offline_files(settings.keys):
        say(f"Take {path} offline and delete it: nothing here needs it.")


@contextmanager
def _open_database(settings: Settings) -> Iterator[Database]:
    """Open the database, which must exist before a key is rotated: the rotation is an audit event."""
    clock = data_folder.clock_of(settings.data_dir, demo=settings.demo)
    with data_folder.exclusive(settings), command_database(settings, clock) as database:
        database.run_now(ACTOR, database_schema.check)
        yield database
        if read_manifest(settings.data_dir) is not None:
            belongings.save_manifest(settings, database)

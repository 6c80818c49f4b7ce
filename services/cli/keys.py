"""``footage-desk keys …``: what keys there are, new ones in the place of old ones, and the escrow drill."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from services.backup import key_archive
from services.backup.drill import drill as try_escrow
from services.backup.source import ACTOR, Premises
from services.database import schema as database_schema
from services.database.unit_of_work import Database
from services.domain.audit import key_events
from services.domain.wiring import open_database
from services.runtime import data_folder
from services.runtime.rules import rules_of
from services.runtime.settings import Settings
from services.vault.keys.log_key import FOLDER as LOG
from services.vault.keys.log_key import ensure_log_key, public_keys, rotate_log
from services.vault.keys.signer import trusted_signers
from services.vault.keys.signing_key import ROOT_FILE, FileSigningKey, ensure_signing_key, rotate_signing_key
from services.vault.keys.vault_keys import ensure_keys, recipients_in, rotate_vault

Say = Callable[[str], None]
VAULT, SEAL = "vault", "seal"


def commands(
    settings: Callable[[], Settings], sentences: Callable[[], AbstractContextManager[None]], say: Say
) -> typer.Typer:
    """The commands; ``say`` prints a line."""
    app = typer.Typer(help="List keys, make and replace them, try the escrow key.", no_args_is_help=True)
    rotate = typer.Typer(help="Put a new key in the place of an old one.", no_args_is_help=True)
    app.add_typer(rotate, name="rotate")

    @app.command()
    def make() -> None:
        """Make the keys that are missing: the vault's and the escrow's, the seal with its root, the audit trail's."""
        loaded = settings()
        with sentences():
            ensure_keys(loaded.keys / VAULT)
            ensure_signing_key(loaded.keys / SEAL, loaded.organisation, datetime.now(UTC))
            ensure_log_key(loaded.keys / LOG, loaded.audit.origin)
            _list(loaded, say)

    @app.command("list")
    def list_() -> None:
        """Say which keys there are, by what is public of them, and what belongs offline. Reads only."""
        loaded = settings()
        with sentences():
            _list(loaded, say)

    @rotate.command("seal")
    def rotate_the_seal(
        root: Annotated[
            Path | None, typer.Option(help=f"The root's key, as it comes from the safe; else {ROOT_FILE} in its place.")
        ] = None,
    ) -> None:
        """A new seal key under the same root. What was sealed is checked as before; the old key is destroyed."""
        loaded = settings()
        with sentences(), _books(loaded) as database:
            folder = loaded.keys / SEAL
            before, after = rotate_signing_key(folder, root or folder / ROOT_FILE, datetime.now(UTC))
            database.run_now(ACTOR, key_events.rotated, SEAL, before.seal_fingerprint, after.seal_fingerprint)
            until = after.leaf.not_valid_after_utc
            say(f"The seal key is new: sha256:{after.seal_fingerprint}, until {until:%Y-%m-%d}.")
            say(f"Its root is the same: sha256:{after.root_fingerprint}.")

    @rotate.command("vault")
    def rotate_the_vault() -> None:
        """A new vault key. Masters that were sealed to the old one open as before; the file keeps both."""
        loaded = settings()
        with sentences(), _books(loaded) as database:
            before, after = rotate_vault(loaded.keys / VAULT)
            database.run_now(ACTOR, key_events.rotated, VAULT, before, after)
            say(f"Masters are sealed to {after} from the next start of the workers on. Back up the keys now.")

    @rotate.command("log")
    def rotate_the_log() -> None:
        """A new key of the audit trail, whose name stays. What the old one has signed is checked as before."""
        loaded = settings()
        with sentences(), _books(loaded) as database:
            before, after = rotate_log(loaded.keys / LOG, loaded.audit.origin)
            database.run_now(ACTOR, key_events.rotated, LOG, before.fingerprint, after.fingerprint)
            say(f"The audit trail's head is signed by {after.fingerprint} from the portal's next start on.")

    @app.command()
    def drill(
        identity: Annotated[Path, typer.Option(help="The escrow identity from the safe, a file of mode 0600.")],
        master: Annotated[
            list[str] | None, typer.Option(help="A master's id; else the oldest and the newest. May be repeated.")
        ] = None,
    ) -> None:
        """Open masters with the escrow key alone and compare them with their labels. Ends with 1 where one fails."""
        loaded = settings()
        with sentences(), _alone(loaded):
            tried = try_escrow(Premises.of(loaded, only_to_look=True), identity, master or [])
        for one in tried:
            say(f"{'✓' if one.held else '✗'} {one.master_id} ({one.key}, {one.size} bytes): {one.result}.")
        held = sum(one.held for one in tried)
        say(f"{held} of {len(tried)} masters opened with the escrow key and are what was sealed. Put the key back.")
        raise typer.Exit(0 if held == len(tried) else 1)

    return app


def _list(loaded: Settings, say: Say) -> None:
    vault, escrow = recipients_in(loaded.keys / VAULT)
    say(f"vault   {vault}")
    say(f"escrow  {escrow}")
    chain = FileSigningKey(loaded.keys / SEAL).chain
    ends = (chain.leaf.not_valid_after_utc, chain.root.not_valid_after_utc)
    say(f"seal    sha256:{chain.seal_fingerprint}, until {ends[0]:%Y-%m-%d}")
    for root in sorted(trusted_signers(loaded.keys / SEAL).roots):
        until = f", until {ends[1]:%Y-%m-%d}" if root == chain.root_fingerprint else ", of what was sealed before"
        say(f"root    sha256:{root}{until}")
    for number, key in enumerate(public_keys(loaded.keys / LOG)):
        say(f"log     {key.fingerprint} {key.name}{'' if not number else ', of what was signed before'}")
    for path in key_archive.still_here(loaded.keys):
        say(f"Take {path} offline and delete it: nothing here needs it.")


@contextmanager
def _books(loaded: Settings) -> Iterator[Database]:
    """The books, which have to be there before a key is replaced: the audit trail tells of it."""
    clock = data_folder.clock_of(loaded.data_dir, demo=loaded.demo)
    with _alone(loaded):
        database = open_database(loaded.database, clock, rules_of(loaded))
        try:
            database.run_now(ACTOR, database_schema.check)
            yield database
        finally:
            database.close()


def _alone(loaded: Settings) -> AbstractContextManager[None]:
    """With SQLite nobody else is in the books meanwhile."""
    return data_folder.only_process(loaded.data_dir) if loaded.database.startswith("sqlite") else nullcontext()

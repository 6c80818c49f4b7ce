"""Make a backup: a snapshot of database and engine, an inventory of the objects, and the keys apart."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import make_url

from services.backup import belongings, database_export, engine_data, inventory, key_archive
from services.backup.bundle import BundleWriter, new_bundle
from services.backup.installation import ACTOR, Installation
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.runtime.errors import Fatal
from services.runtime.manifest import read_manifest
from services.runtime.settings import Settings, variable
from services.vault.keys.fingerprints import VAULT_FOLDER
from services.vault.keys.vault_keys import ESCROW_RECIPIENT_FILE

Say = Callable[[str], None]
CLOCK = "clock.json"
MOST_SENTENCES = 20  # of a list; the rest is only counted


@dataclass(frozen=True)
class BackupRequest:
    """Where to write, and what besides the database. ``engine_data`` is the folder of a separate engine.

    All of it is encrypted to ``recipients``; the backup to the escrow key where none is named.
    """

    target: Path
    keys: Path | None = None
    loan_keys: Path | None = None
    recipients: Sequence[str] = ()
    engine_data: Path | None = None
    without_engine: bool = False


def back_up(installation: Installation, request: BackupRequest, say: Say) -> str:
    """Make the backup; return its manifest's SHA-256, as in its audit event. Raises Fatal and Retryable."""
    _check(installation.settings, request)
    recipients = request.recipients or (_escrow_recipient(installation.settings),)
    with _locked_engine(installation.settings, request) as engine, new_bundle(request.target, recipients) as out:
        made_at = installation.clock.now().isoformat()
        settings = installation.settings
        with database_export.snapshot(settings.database_address, settings.database.without_limits) as connection:
            revision = database_export.revision_of(connection)
            _check_stores(installation)
            say("Writing the database …")
            rows = database_export.dump(connection, out)
            say(f"The database has {sum(rows.values())} rows in {len(rows)} tables.")
            say("Listing the objects of both stores …")
            count, absent = inventory.write(connection, installation.stores, out)
        say(f"The stores hold {count} objects; the backup lists them and does not copy them.")
        say_first([f"{name} is in the database and not in its store." for name in absent], say)
        if engine is not None:
            engine_data.dump(engine, out)
        say(_about_engine(installation.settings, request, engine))
        _add_clock(installation.settings, out)
        manifest = out.finish(
            {
                "madeAt": made_at,
                "madeBy": f"footage-desk {version('footage-desk')}",
                "organisation": installation.settings.organisation,
                "database": make_url(installation.settings.database_address).get_backend_name(),
                "schema": revision,
                "tables": rows,
                "objects": count,
                "engine": engine is not None,
            }
        )
    with installation.database() as database:
        # Before the keys: even if they fail, a whole copy of the database exists from now on.
        database.run_now(ACTOR, _record, manifest)
        _back_up_keys(installation, request, made_at, say)
        if request.keys is not None or request.loan_keys is not None:
            database.run_now(ACTOR, _record_keys, manifest, request)
    say(f"The backup is {request.target}, encrypted to {', '.join(recipients)}.")
    say(f"Its manifest has the SHA-256 {manifest}.")
    return manifest


def _check(settings: Settings, request: BackupRequest) -> None:
    if (request.keys or request.loan_keys) and not request.recipients:
        raise Fatal(
            "no backup was made | the keys | no recipient is named to encrypt them to | "
            "name an age1… recipient with --recipient"
        )
    if request.recipients:
        key_archive.check_recipients(request.recipients)
    _check_apart(request)
    if request.keys is not None and request.keys.exists():
        raise Fatal(
            f"no backup was made | {request.keys} | the file exists, and lasting keys are never overwritten | "
            "name another file"
        )
    belongings.check_folder(settings)
    if (
        settings.database_address.startswith("sqlite")
        and not Path(make_url(settings.database_address).database or "").exists()
    ):
        raise Fatal(
            f"no backup was made | {make_url(settings.database_address).database} | there is no database | set "
            f"{variable('data_dir')} or {variable('database_url')} to the one of this installation"
        )


def _check_stores(installation: Installation) -> None:
    """Raise Fatal for a store that is gone; a store that was never used is made."""
    manifest = read_manifest(installation.settings.data_dir)
    with installation.database() as database:
        for name, store in installation.stores.items():
            belongings.check_store(name, store, database, manifest)
            store.ensure()


def _escrow_recipient(settings: Settings) -> str:
    """Return the recipient to whom masters are sealed for a loss; raises Fatal if it is not here."""
    path = settings.keys / VAULT_FOLDER / ESCROW_RECIPIENT_FILE
    try:
        return path.read_text().strip()
    except OSError as error:
        raise Fatal(
            f"no backup was made | {path} | a backup is encrypted, and the escrow's recipient cannot be read "
            f"({error.strerror}) | name an age1… recipient with --recipient"
        ) from error


def _check_apart(request: BackupRequest) -> None:
    """The file of loan keys replaces an existing file: that must not be one of this same backup."""
    places = [path.resolve() for path in (request.target, request.keys, request.loan_keys) if path is not None]
    if len(set(places)) < len(places):
        raise Fatal(
            f"no backup was made | {request.target} | the backup and its key files have the same name, and "
            "one would replace the other | name another file for each"
        )


@contextmanager
def _locked_engine(settings: Settings, request: BackupRequest) -> Iterator[Path | None]:
    """Lock the engine's file; None if it is excluded or not ours."""
    folder = request.engine_data or (settings.data_dir / "engine" if settings.embedded else None)
    if request.without_engine or folder is None:
        yield None
        return
    with engine_data.locked(folder) as path:
        yield path


def _about_engine(settings: Settings, request: BackupRequest, engine: Path | None) -> str:
    if engine is not None:
        return "The engine was stopped; its state is in the backup, of the same moment as the database."
    if request.without_engine:
        return "The engine's state was left out: open cases cannot continue from this backup alone."
    if settings.embedded:
        return "The engine has written nothing yet."
    return (
        f"The engine at {settings.gateway_address} keeps its own data, which is not in this backup: back it up "
        "while portals and workers are stopped, so that both are of the same moment."
    )


def _add_clock(settings: Settings, out: BundleWriter) -> None:
    path = settings.data_dir / CLOCK
    if path.exists():
        with out.member(CLOCK) as member:
            member.write(path.read_bytes())


def _back_up_keys(installation: Installation, request: BackupRequest, made_at: str, say: Say) -> None:
    keys = installation.settings.keys
    if request.keys is not None:
        files = key_archive.lasting_keys(keys)
        key_archive.write(request.keys, key_archive.LASTING, files, request.recipients, made_at)
        say(f"{len(files)} key files are in {request.keys}, encrypted; without loan keys and offline keys.")
    else:
        say("No lasting keys were backed up: without them only the escrow key opens masters.")
    if request.loan_keys is not None:
        files = key_archive.loan_keys(keys)
        key_archive.write(request.loan_keys, key_archive.LOANS, files, request.recipients, made_at)
        say(
            f"{len(files)} current loan keys are in {request.loan_keys}, which replaces the last file. Keep no older "
            "one: together with its identity it opens copies whose loans have ended since."
        )
    else:
        say("No loan keys were backed up: after a loss, copies on loan cannot be opened; masters can.")
    for path in key_archive.offline_files(keys):
        say(f"{path} is still on this machine and in no backup: take it offline.")


def _record(uow: UnitOfWork, manifest: str) -> None:
    audit_trail.record(uow, "database-backed-up", "backup", manifest)


def _record_keys(uow: UnitOfWork, manifest: str, request: BackupRequest) -> None:
    audit_trail.record(
        uow,
        "keys-backed-up",
        "backup",
        manifest,
        keys=request.keys is not None,
        loan_keys=request.loan_keys is not None,
        recipients=list(request.recipients),
    )


def say_first(sentences: Sequence[str], say: Say) -> None:
    """Say the first sentences, and how many more there are."""
    for sentence in sentences[:MOST_SENTENCES]:
        say(sentence)
    if len(sentences) > MOST_SENTENCES:
        say(f"… and {len(sentences) - MOST_SENTENCES} more.")

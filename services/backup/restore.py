"""Restore a backup into an empty database, compare the stores with it, and restore loan keys that still count."""

import json
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, select
from sqlalchemy.exc import OperationalError

from services.backup import belongings, database_export, engine_data, inventory, key_archive
from services.backup.bundle import Bundle
from services.backup.create import CLOCK, Say, say_first
from services.backup.installation import ACTOR, Installation
from services.backup.key_archive import KeyArchive
from services.database import schema as database_schema
from services.database.engine import connect
from services.database.tables.documents import NumberSeries
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.accounts import restored as restored_accounts
from services.domain.audit import trail as audit_trail
from services.domain.audit.checkpoint_publisher import FOLDER as CHECKPOINTS
from services.engine.state.store import FILE_NAME as ENGINE_FILE
from services.runtime import data_folder
from services.runtime.errors import Fatal
from services.runtime.manifest import Manifest, write_manifest
from services.runtime.settings import Settings, variable

EMERGENCY = "emergency_copies"
# What loan keys are named after; those of redacted copies after the run that made them.
KEYS_OF = {"copies": "id", "derivatives": "attempt_id", EMERGENCY: "id"}
_NUMBERED = re.compile(r"(?P<prefix>[A-Z]+)-(?P<year>\d{4})-(?P<number>\d+)(?:/\d+)?\.json")


@dataclass(frozen=True)
class RestoreRequest:
    """What to restore. ``identity`` opens backup and key files; ``read_all`` hashes every object in the stores.

    ``sha256`` is that of the backup's manifest, in hexadecimal, as it was written down; a backup in clear needs it.
    """

    backup: Path
    keys: Path | None = None
    loan_keys: Path | None = None
    identity: Path | None = None
    engine_data: Path | None = None
    read_all: bool = False
    sha256: str | None = None


@dataclass(frozen=True)
class RestoreResult:
    """How the stores compare with the backup, and which loan keys stay destroyed, with the reason for each copy."""

    comparison: inventory.Comparison
    left_out: dict[str, str]

    @property
    def complete(self) -> bool:
        """Whether no object of the backup is missing or changed."""
        return not self.comparison.faults


def check(backup: Path, say: Say, identity: Path | None = None, sha256: str | None = None) -> Bundle:
    """Read the whole backup and compare it with its manifest, and that with ``sha256``; raises Fatal.

    Writes nothing.
    """
    bundle = Bundle(backup, identity)
    if sha256 is not None and bundle.sha256 != sha256.strip().lower():
        raise Fatal(
            f"nothing was restored | {backup} | its manifest has the SHA-256 {bundle.sha256}, and {sha256} is named: "
            "it is another backup, or somebody has made it | take the one that your note or the audit trail names"
        )
    database_export.check_revision(bundle.manifest["schema"])
    say(f"{bundle.verify()} members of {backup} are unchanged; {_described(bundle)}")
    if sha256 is None:
        say(
            f"Its manifest has the SHA-256 {bundle.sha256}. A backup is not signed: compare this with what was written "
            "down when it was made, or name that with --sha256."
        )
    return bundle


def compare(installation: Installation, bundle: Bundle, say: Say, *, read_all: bool) -> inventory.Comparison:
    """Compare both stores with the backup's inventory, and say the differences. Writes nothing."""
    say("Comparing the stores with the inventory …")
    comparison = inventory.compare(inventory.read(bundle), installation.stores, read_all=read_all)
    how = "every byte was read" if read_all else "by version, size, tag and locks; --read-all reads every byte"
    say(f"{comparison.same} objects are unchanged ({how}).")
    say_first(comparison.faults, say)
    if comparison.newer:
        say(f"{len(comparison.newer)} objects were made after the backup, so the restored database does not know them:")
        say_first([f"{key} is newer." for key in comparison.newer], say)
    return comparison


def check_stores(installation: Installation, bundle: Bundle, say: Say) -> bool:
    """Read every object of the inventory whole; return whether none is missing or changed. Writes nothing."""
    return not compare(installation, bundle, say, read_all=True).faults


def restore(installation: Installation, request: RestoreRequest, say: Say) -> RestoreResult:
    """Restore everything; after a failure the next try can start again. Raises Fatal and Retryable."""
    settings = installation.settings
    bundle = check(request.backup, say, request.identity, request.sha256)
    if not bundle.encrypted and request.sha256 is None:
        raise Fatal(
            f"nothing was restored | {request.backup} | it is in clear, as the first release made them, and who could "
            "write there may have changed it | compare the SHA-256 that restore --check says with what was written "
            "down when the backup was made, and name it with --sha256"
        )
    lasting, loans = _open_keys(request)
    data_folder.prepare(settings.data_dir)
    with data_folder.exclusive(settings):
        folder = request.engine_data or settings.data_dir / "engine"
        clock = _read_clock(bundle)
        _check_target(settings, bundle, request, folder, clock)
        engine = connect(settings.database_address, settings.database.without_limits)
        try:
            database_export.check_may_load(engine)
            database_export.check_empty(engine)
            # before anything is written, so that an inventory that cannot be read leaves nothing half restored
            comparison = compare(installation, bundle, say, read_all=request.read_all)
            if lasting is not None:
                key_archive.check_no_conflict(settings.keys, lasting)
                count = key_archive.restore_lasting_keys(settings.keys, lasting)
                say(f"{count} key files were restored to {settings.keys}.")
            with _restored_engine(settings, bundle, request, folder, say):
                left_out = _load(engine, installation, bundle, loans, say)
        finally:
            engine.dispose()
        installation = _with_clock(installation, clock)
        with installation.database() as database:
            database.run_now(ACTOR, _raise_number_series, installation, say)
            database.run_now(ACTOR, _record, bundle, comparison, left_out)
            _save_manifest(settings, database, installation.stores, folder / ENGINE_FILE)
        if settings.embedded:  # a process apart keeps nothing there, and the folder may be another account's
            data_folder.narrow_modes(settings.data_dir)
    say("The database is restored, and at the newest schema. Run footage-desk doctor, then start Footage Desk.")
    return RestoreResult(comparison, left_out)


def _save_manifest(settings: Settings, database: Database, stores: Iterable[str], engine: Path) -> None:
    """Write what belongs to the restored data folder; a backup without an engine's state has none.

    The stores are there, and each object that they lack was named.
    """
    write_manifest(settings.data_dir, Manifest())
    belongings.save_manifest(settings, database, tuple(stores))
    if settings.embedded and engine.exists():
        belongings.save_engine(settings.data_dir, belongings.engine_identity(engine))


def _described(bundle: Bundle) -> str:
    manifest = bundle.manifest
    engine = "with" if manifest["engine"] else "without"
    return (
        f"it was made at {manifest['madeAt']} for {manifest['organisation']} by {manifest['madeBy']} "
        f"from {manifest['database']}, {sum(manifest['tables'].values())} rows, {engine} an engine's state; "
        f"its manifest has the SHA-256 {bundle.sha256}."
    )


def _open_keys(request: RestoreRequest) -> tuple[KeyArchive | None, KeyArchive | None]:
    """Open the archives of lasting keys and of loan keys, if they are named."""

    def opened(path: Path | None, kind: str) -> KeyArchive | None:
        if path is None:
            return None
        if request.identity is None:
            raise Fatal(
                "nothing was restored | the keys | no identity is named to open them | name its file with --identity"
            )
        return key_archive.read(path, kind, request.identity)

    return opened(request.keys, key_archive.LASTING), opened(request.loan_keys, key_archive.LOANS)


def _check_target(
    settings: Settings, bundle: Bundle, request: RestoreRequest, folder: Path, clock: bytes | None
) -> None:
    engine_data.check_absent(folder)
    if bundle.manifest["engine"] and not settings.embedded and request.engine_data is None:
        raise Fatal(
            f"nothing was restored | the engine's state in {bundle.place} | {variable('zeebe_address')} is set, so the "
            "data folder of that engine is not known | name its folder with --engine-data, or unset the variable"
        )
    if clock is not None and json.loads(clock)["offsetMilli"] and not settings.demo:
        raise Fatal(
            f"nothing was restored | {bundle.place} | a demo has turned the clock of this database, and the "
            f"machine's clock is behind it | set {variable('demo')}=true"
        )


def _restored_engine(
    settings: Settings, bundle: Bundle, request: RestoreRequest, folder: Path, say: Say
) -> AbstractContextManager[None]:
    if bundle.manifest["engine"]:
        say("The engine's state is restored with the database.")
        return engine_data.staged(bundle, folder)
    if settings.embedded:
        say("This backup has no engine state: open cases do not continue until they are filed again.")
    else:
        say(
            f"The engine at {settings.gateway_address} has its own backup: restore the one of "
            f"{bundle.manifest['madeAt']}, or cases run that this database does not know."
        )
    return nullcontext()


def _load(
    engine: Engine, installation: Installation, bundle: Bundle, loans: KeyArchive | None, say: Say
) -> dict[str, str]:
    """Load the rows in one transaction, and write the loan keys before it commits, so that it can be tried again.

    Returns why loan keys stay destroyed, by copy.
    """
    try:
        database_schema.migrate(engine, bundle.manifest["schema"])
        with engine.begin() as connection:
            database_export.load(connection, bundle)
            left_out = _loan_keys(connection, installation, loans, say)
        database_schema.migrate(engine)
    except OperationalError as error:
        raise database_export.unavailable(engine, error) from error
    return left_out


def _loan_keys(
    connection: Connection, installation: Installation, loans: KeyArchive | None, say: Say
) -> dict[str, str]:
    if loans is None:
        say("No loan keys were restored: copies on loan cannot be opened, and can be issued again from masters.")
        return {}
    store = installation.stores["primary"]
    present = set(inspect(connection).get_table_names())  # a backup of before is loaded into the schema that it has
    tables = [table for name, table in database_schema.metadata().tables.items() if name in present & {*KEYS_OF}]

    def ended_because(copy_id: str) -> str | None:
        # one by one: what is sealed has the place of each key frame
        for table in tables:
            query = select(table.c.sealed, table.c.key_destroyed_at, table.c.discarded_at)
            row = connection.execute(query.where(table.c[KEYS_OF[table.name]] == copy_id)).one_or_none()
            if row is None:
                continue
            if row.key_destroyed_at is not None or row.discarded_at is not None:
                return "the restored database says that it was destroyed"
            if table.name == EMERGENCY:  # nobody holds it: its object goes with the view
                return (
                    None if inventory.is_there(store, row.sealed) else "the view that it was made for has ended since"
                )
            if not inventory.is_held(store, row.sealed):
                return "the copy's object is no longer on hold, so its loan has ended since"
            return None
        return "the restored database does not know this copy"

    left_out = key_archive.restore_loan_keys(installation.settings.keys, loans, ended_because)
    restored = len(loans.files) - len(left_out)
    say(f"{restored} loan keys were restored. {len(left_out)} stay destroyed.")
    for copy_id, reason in left_out.items():
        say(f"The loan key of copy {copy_id} stays destroyed: {reason}.")
    return left_out


def _read_clock(bundle: Bundle) -> bytes | None:
    if CLOCK not in bundle.manifest["members"]:
        return None
    with bundle.open(CLOCK) as file:
        return file.read()


def _with_clock(installation: Installation, clock: bytes | None) -> Installation:
    if clock is None or not installation.settings.demo:
        return installation
    (installation.settings.data_dir / CLOCK).write_bytes(clock)
    return replace(installation, clock=data_folder.clock_of(installation.settings.data_dir, demo=True))


def _raise_number_series(uow: UnitOfWork, installation: Installation, say: Say) -> None:
    """Raise the number series above the documents in the vault: a filed document is never overwritten."""
    for key in installation.stores["primary"].list_keys("documents"):
        if (match := _NUMBERED.fullmatch(key)) is None:
            continue
        prefix, year, number = match["prefix"], int(match["year"]), int(match["number"])
        series = uow.session.get(NumberSeries, (prefix, year))
        if series is None:
            series = NumberSeries(prefix=prefix, year=year, last=0)
            uow.session.add(series)
        if series.last < number:
            series.last = number
            say(f"{key.removesuffix('.json')} was assigned after the backup; the next number follows it.")


def _record(uow: UnitOfWork, bundle: Bundle, comparison: inventory.Comparison, left_out: dict[str, str]) -> None:
    """Write the restore's event, with what it revived and was undone in the same unit: neither is without the other."""
    revived = restored_accounts.undo(uow)
    audit_trail.record(
        uow,
        "database-restored",
        "backup",
        bundle.sha256,
        made_at=bundle.manifest["madeAt"],
        objects_unchanged=comparison.same,
        objects_missing_or_changed=len(comparison.faults),
        objects_newer=len(comparison.newer),
        checkpoints_lost=[name for name in comparison.newer if name.startswith(CHECKPOINTS)],
        loan_keys_destroyed=sorted(left_out),
        requests_withdrawn=revived.requests,
        absences_with_new_notice=revived.absences,
        sessions_ended=revived.sessions,
    )

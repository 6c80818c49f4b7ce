"""What belongs to an installation: a start stops where a part of it is missing, and makes none anew in silence.

The register (the database) knows the fingerprints of the keys, the data folder's manifest knows which database, engine
file and stores were made. An installation from before both gets them at its first start, from what is there, if the
database agrees with it.
"""

import sqlite3
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from sqlalchemy import func, make_url, select

from services.backup.installation import ACTOR
from services.database.reading import unchanged_file
from services.database.tables.applications import Application
from services.database.tables.audit import AuditCheckpoint
from services.database.tables.masters import Master
from services.database.tables.second_factors import SecondFactor
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.audit import key_events
from services.engine.state.store import FILE_NAME as ENGINE_FILE
from services.engine.state.store import IDENTITY
from services.runtime.errors import Fatal
from services.runtime.manifest import Manifest, read_manifest, write_manifest
from services.runtime.settings import Settings
from services.runtime.translations import Message, Text
from services.vault.keys.fingerprints import (
    LOAN_FOLDER,
    LOG,
    NAMES,
    PORTAL,
    PORTAL_KEY,
    RECORDERS,
    ROOT,
    SEAL,
    VAULT,
    KeyMissing,
    PresentKeys,
    read_keys,
)
from services.vault.store.protocol import BUCKETS, Store, StoreMissing, StoreRefused

DATABASE, ENGINE = "database", "engine"
PRIVATE = (VAULT, SEAL, LOG, PORTAL, RECORDERS)  # these are needed themselves, of the others the public part is enough
WHOLE = Message("restore the newest backup into an empty data folder (docs/operations.md, Restore)")
NEW_DATABASE = Message(
    "name the right database, or {restore}; for a new installation name an empty keys folder, and stores or prefixes "
    "of its own",
    restore=WHOLE,
)
KEYS = Message("restore it with footage-desk keys restore FILE --identity IDENTITY")


def accept(part: str) -> Text:
    """Return the way on for whoever has no backup of the part; the root goes with the seal key that it certifies."""
    name = SEAL if part == ROOT else part
    return Message(
        "or, where it is lost for good, continue without it: footage-desk accept-loss {part} says what that costs",
        part=name,
    )


def _or_accept(way: Text, part: str) -> Text:
    return Message("{way}, {otherwise}", way=way, otherwise=accept(part))


def check_folder(settings: Settings) -> Manifest | None:
    """Return the data folder's manifest; raises Fatal if its database or engine file is missing. Writes nothing.

    To be called before either is opened: opening a missing one makes it.
    """
    folder = settings.data_dir
    manifest = read_manifest(folder)
    engine = folder / "engine" / ENGINE_FILE
    database = _sqlite_file(settings)
    if database is not None and _is_empty(database):
        if manifest is not None and manifest.database is not None:
            raise _missing(database, Message("the database of this installation is missing or empty"), WHOLE)
        if manifest is None and not _is_empty(engine):
            cause = Message("the engine's file is here, and the database that it belongs to is not")
            raise _missing(database, cause, WHOLE)
    if settings.embedded and manifest is not None and manifest.engine is not None:
        what = Message("the engine's file is missing or empty, and every open case waits in it")
        if _is_empty(engine):
            raise _missing(engine, what, _or_accept(WHOLE, ENGINE))
        if engine_identity(engine) not in (manifest.engine, None):
            raise _missing(engine, Message("another engine's file is in its place"), _or_accept(WHOLE, ENGINE))
    return manifest


def check_database(settings: Settings, database: Database, manifest: Manifest | None) -> dict[str, str]:
    """Return the known keys by name; raises Fatal if the database is another one, or a key is missing or another.

    Without a manifest the database has to agree with what is there. Writes nothing.
    """
    if manifest is not None and manifest.database is not None:
        first = database.run_now(ACTOR, key_events.get_first_leaf)
        if first != manifest.database:
            raise _missing(
                Path(database.engine.url.render_as_string()),
                Message("it is not the database of this data folder: its audit trail begins with another event"),
                Message("name the right one, or {restore}", restore=WHOLE),
            )
    present = read_keys(settings.keys)
    known = {**(manifest.keys if manifest else {}), **database.run_now(ACTOR, key_events.list_known)}
    check_keys(settings.keys, known, present)
    if manifest is None:
        database.run_now(ACTOR, _check_engine, settings)
    if not known:
        database.run_now(ACTOR, _check_unregistered, settings.keys, present)
    return known


def check_keys(keys: Path, known: Mapping[str, str], present: PresentKeys, *, apart: bool = False) -> None:
    """Raise KeyMissing for the first known key that is missing or another one.

    ``apart``: in one process of several, which has those keys alone that its roles need.
    """
    for name in (name for name in NAMES if name in known):
        fingerprint = known[name]
        here = present.fingerprints.get(name)
        if here is not None and here != fingerprint:
            raise KeyMissing(
                Message(
                    "another key is in the place of the {name} key | {folder} | the database knows {fingerprint}, and "
                    "{here} is here | restore it with footage-desk keys restore FILE --identity IDENTITY into an empty "
                    "keys folder, {otherwise}",
                    name=name,
                    folder=str(keys.absolute()),
                    fingerprint=fingerprint,
                    here=here,
                    otherwise=accept(name),
                )
            )
        if not apart and (here is None or (name in PRIVATE and name not in present.private)):
            raise key_missing(keys, name, fingerprint)


def check_store(name: str, store: Store, database: Database, manifest: Manifest | None = None) -> None:
    """Raise Fatal if the store lacks buckets that were made, by the manifest or by the audit trail. Writes nothing.

    The trail alone knows it where there is no manifest: in a process of several, and before the first one is written.
    """
    missing = store.missing()
    # Read apart: a store may be checked late, by whoever uses it first, and perhaps while this thread writes.
    if missing and ((manifest and name in manifest.stores) or database.read_now(ACTOR, key_events.was_written, name)):
        raise Fatal(
            Message(
                "a part of the installation is missing | the {name} store | {buckets} is gone. {store} | mount the "
                "right disk or name the right server, or restore its copy; {otherwise}",
                name=name,
                buckets=", ".join(missing),
                store=store.describe(),
                otherwise=accept(name),
            )
        )


def check_unused(database: Database, stores: Mapping[str, Store], keys: Path, *, apart: bool = False) -> None:
    """Raise Fatal if nobody has used this database, and keys or stores are those of an earlier installation.

    Keys that ``footage-desk keys make`` makes may be there. ``apart``: a process of several, which is given its keys.
    Writes nothing.
    """
    if not database.run_now(ACTOR, key_events.is_unused):
        return
    used = [*(keys / LOAN_FOLDER).glob("*"), *([] if apart else (keys / PORTAL_KEY).parent.glob("[!.]*"))]
    if used:
        cause = Message("the keys of an installation are here, and its database is new")
        raise _missing(used[0], cause, NEW_DATABASE)
    for name, store in stores.items():
        check_empty(name, store)


def check_empty(name: str, store: Store) -> None:
    """Raise Fatal if the store of a new database has objects. Writes nothing."""
    for bucket in BUCKETS:
        with suppress(StoreMissing, StoreRefused):  # it is not made yet
            if (key := next(iter(store.list_keys(bucket)), None)) is not None:
                cause = Message(
                    "the {name} store has objects of an installation, and the database is new. {store}",
                    name=name,
                    store=store.describe(),
                )
                raise _missing(Path(bucket, key), cause, NEW_DATABASE)


def begin(settings: Settings, database: Database) -> None:
    """Write an empty manifest before the first start of an installation makes anything."""
    if database.run_now(ACTOR, key_events.is_unused):
        write_manifest(settings.data_dir, Manifest())


def key_missing(keys: Path, name: str, fingerprint: str) -> KeyMissing:
    return KeyMissing(
        Message(
            "the {name} key of this installation is missing | {folder} | the database knows {fingerprint}, and no "
            "other is made in its place | {way}",
            name=name,
            folder=str(keys.absolute()),
            fingerprint=fingerprint,
            way=_or_accept(KEYS, name),
        )
    )


def save_manifest(settings: Settings, database: Database, stores: tuple[str, ...] = ()) -> None:
    """Write the manifest of the data folder as the database is now; the engine's identity stays as it is."""
    before = read_manifest(settings.data_dir) or Manifest()

    def act(uow: UnitOfWork) -> Manifest:
        return replace(
            before,
            database=key_events.get_first_leaf(uow),
            keys=key_events.list_known(uow),
            stores=stores or before.stores,
        )

    write_manifest(settings.data_dir, database.run_now(ACTOR, act))


def save_engine(folder: Path, identity: str | None) -> None:
    """Write which engine file belongs to the data folder, if the folder has a manifest."""
    manifest = read_manifest(folder)
    if manifest is not None:
        write_manifest(folder, replace(manifest, engine=identity or None))


def engine_identity(file: Path) -> str | None:
    """Return what distinguishes an engine's file from another one, empty if no engine of this release has opened it.

    None for a damaged one, which the engine refuses itself. Writes nothing.
    """
    with unchanged_file(file) as uri, closing(sqlite3.connect(uri, uri=True, timeout=0)) as connection:
        try:
            row = connection.execute("SELECT value FROM counters WHERE name = ?", (IDENTITY,)).fetchone()
        except sqlite3.OperationalError:  # it has no such table
            return ""
        except sqlite3.DatabaseError:
            return None
    return "" if row is None else str(row[0])


def count_open_cases(uow: UnitOfWork) -> int:
    """Count the cases that wait in the engine."""
    query = select(func.count()).where(Application.process_instance_key.is_not(None), Application.closed_at.is_(None))
    return uow.session.scalar(query) or 0


def _check_engine(uow: UnitOfWork, settings: Settings) -> None:
    """Raise Fatal if cases wait in an engine's file that is missing, for a data folder without a manifest."""
    engine = settings.data_dir / "engine" / ENGINE_FILE
    if settings.embedded and _is_empty(engine) and (waiting := count_open_cases(uow)):
        what = Message("{count} open cases wait in the engine's file, which is missing or empty", count=waiting)
        raise _missing(engine, what, _or_accept(WHOLE, ENGINE))


def _check_unregistered(uow: UnitOfWork, keys: Path, present: PresentKeys) -> None:
    """Raise KeyMissing if a key was used and is missing, for a database from before keys were registered."""
    for table, name in ((Master, VAULT), (Master, SEAL), (AuditCheckpoint, LOG), (SecondFactor, PORTAL)):
        used = uow.session.scalar(select(table).limit(1)) is not None
        if used and name not in present.private and not key_events.is_loss_accepted(uow, name):
            raise KeyMissing(
                Message(
                    "the {name} key of this installation is missing | {folder} | the database has rows of {table} that "
                    "were made with it | {way}",
                    name=name,
                    folder=str(keys.absolute()),
                    table=table.__tablename__,
                    way=_or_accept(KEYS, name),
                )
            )


def _sqlite_file(settings: Settings) -> Path | None:
    url = make_url(settings.database_address)
    return Path(url.database) if url.drivername == "sqlite" and url.database else None


def _is_empty(file: Path) -> bool:
    """Whether there is no file, or nothing in it and nothing in its log."""
    log = file.with_name(file.name + "-wal")
    return not any(path.exists() and path.stat().st_size for path in (file, log))


def _missing(path: Path, cause: Text, way: Text) -> Fatal:
    return Fatal(
        Message(
            "a part of the installation is missing | {path} | {cause} | {way}", path=str(path), cause=cause, way=way
        )
    )

"""``footage-desk backup``: one moment of the books and the engine, an inventory of the objects, and keys apart."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from sqlalchemy import make_url

from services.backup import database_export, engine_data, inventory, key_archive
from services.backup.bundle import BundleWriter, new_bundle
from services.backup.source import ACTOR, Premises
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.runtime.errors import Fatal
from services.runtime.settings import Settings, variable

Say = Callable[[str], None]
CLOCK = "clock.json"
MANY = 20  # names that are told one by one


@dataclass(frozen=True)
class Wanted:
    """Where to, and what besides the books. ``engine_data`` is the folder of an engine that runs by itself."""

    target: Path
    keys: Path | None = None
    loan_keys: Path | None = None
    recipients: Sequence[str] = ()
    engine_data: Path | None = None
    without_engine: bool = False


def back_up(place: Premises, wanted: Wanted, say: Say) -> str:
    """Make the backup; the SHA-256 of its manifest, which its audit event has too. Raises Fatal and Retryable."""
    _check(place.settings, wanted)
    with _engine_at_rest(place.settings, wanted) as engine, new_bundle(wanted.target) as out:
        made_at = place.clock.now().isoformat()
        with database_export.snapshot(place.settings.database) as connection:
            revision = database_export.revision_of(connection)
            say("Writing the books …")
            rows = database_export.dump(connection, out)
            say(f"The books have {sum(rows.values())} rows in {len(rows)} tables.")
            say("Listing the objects of both stores …")
            count, absent = inventory.take(connection, place.stores, out)
        say(f"The stores hold {count} objects; they are listed, and stay where they are.")
        told([f"{name} is in the books and not in its store." for name in absent], say)
        if engine is not None:
            engine_data.dump(engine, out)
        say(_about_engine(place.settings, wanted, engine))
        _add_clock(place.settings, out)
        manifest = out.finish(
            {
                "madeAt": made_at,
                "madeBy": f"footage-desk {version('footage-desk')}",
                "organisation": place.settings.organisation,
                "database": make_url(place.settings.database).get_backend_name(),
                "schema": revision,
                "tables": rows,
                "objects": count,
                "engine": engine is not None,
            }
        )
    with place.database() as database:
        # At once: whatever becomes of the keys, a whole copy of the books lies there now.
        database.run_now(ACTOR, _record, manifest)
        _back_up_keys(place, wanted, made_at, say)
        if wanted.keys is not None or wanted.loan_keys is not None:
            database.run_now(ACTOR, _record_keys, manifest, wanted)
    say(f"The backup is {wanted.target}; its manifest has the SHA-256 {manifest}.")
    return manifest


def _check(settings: Settings, wanted: Wanted) -> None:
    if (wanted.keys or wanted.loan_keys) and not wanted.recipients:
        raise Fatal(
            "no backup was made | the keys | nobody is named to whom they would be encrypted | "
            "name an age1… recipient with --recipient"
        )
    if wanted.recipients:
        key_archive.check_recipients(wanted.recipients)
    _check_apart(wanted)
    if wanted.keys is not None and wanted.keys.exists():
        raise Fatal(
            f"no backup was made | {wanted.keys} | something is there, and a file of lasting keys is never overwritten "
            "| name another file"
        )
    if settings.database.startswith("sqlite") and not Path(make_url(settings.database).database or "").exists():
        raise Fatal(
            f"no backup was made | {make_url(settings.database).database} | there are no books | set "
            f"{variable('data_dir')} or {variable('database_url')} to those of the house"
        )


def _check_apart(wanted: Wanted) -> None:
    """The file of loan keys replaces what has its name: not what this very backup has just made."""
    places = [path.resolve() for path in (wanted.target, wanted.keys, wanted.loan_keys) if path is not None]
    if len(set(places)) < len(places):
        raise Fatal(
            f"no backup was made | {wanted.target} | the backup and its files of keys are to have the same name, and "
            "one would replace the other | name another file for each"
        )


@contextmanager
def _engine_at_rest(settings: Settings, wanted: Wanted) -> Iterator[Path | None]:
    """The engine's file, held still; None where it is not to be taken, or is not ours."""
    folder = wanted.engine_data or (settings.data_dir / "engine" if settings.embedded else None)
    if wanted.without_engine or folder is None:
        yield None
        return
    with engine_data.standing_still(folder) as path:
        yield path


def _about_engine(settings: Settings, wanted: Wanted, engine: Path | None) -> str:
    if engine is not None:
        return "The engine stood still; its state is in the backup, of the same moment as the books."
    if wanted.without_engine:
        return "The engine's state was left out: cases that are under way cannot go on from this backup alone."
    if settings.embedded:
        return "The engine has written nothing yet."
    return (
        f"The engine at {settings.gateway_address} keeps its own data, which is not in this backup: take its own "
        "backup while portals and workers stand still, so that both are of one moment."
    )


def _add_clock(settings: Settings, out: BundleWriter) -> None:
    path = settings.data_dir / CLOCK
    if path.exists():
        with out.member(CLOCK) as member:
            member.write(path.read_bytes())


def _back_up_keys(place: Premises, wanted: Wanted, made_at: str, say: Say) -> None:
    keys = place.settings.keys
    if wanted.keys is not None:
        files = key_archive.lasting(keys)
        key_archive.write(wanted.keys, key_archive.LASTING, files, wanted.recipients, made_at)
        say(f"{len(files)} key files are in {wanted.keys}, encrypted, without loan keys and what belongs offline.")
    else:
        say("No lasting keys were backed up: without them no master opens, except with the escrow key.")
    if wanted.loan_keys is not None:
        files = key_archive.living(keys)
        key_archive.write(wanted.loan_keys, key_archive.LIVING, files, wanted.recipients, made_at)
        say(
            f"{len(files)} loan keys that live now are in {wanted.loan_keys}, in place of those before. Keep no older "
            "one: who has it and its identity opens copies whose loans have ended since."
        )
    else:
        say("No loan keys were backed up: after a loss, copies that are lent now cannot be opened; masters can.")
    for path in key_archive.still_here(keys):
        say(f"{path} still lies on this machine and is in no backup: take it offline.")


def _record(uow: UnitOfWork, manifest: str) -> None:
    audit_trail.record(uow, "books-backed-up", "backup", manifest)


def _record_keys(uow: UnitOfWork, manifest: str, wanted: Wanted) -> None:
    audit_trail.record(
        uow,
        "keys-backed-up",
        "backup",
        manifest,
        keys=wanted.keys is not None,
        loan_keys=wanted.loan_keys is not None,
        recipients=list(wanted.recipients),
    )


def told(sentences: Sequence[str], say: Say) -> None:
    """Say the first of many, and how many more there are."""
    for sentence in sentences[:MANY]:
        say(sentence)
    if len(sentences) > MANY:
        say(f"… and {len(sentences) - MANY} more.")

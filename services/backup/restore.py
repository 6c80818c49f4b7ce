"""``footage-desk restore``: a backup into empty books, what the stores lack or changed, and the loan keys that live."""

import json
import re
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection, Engine, select
from sqlalchemy.exc import OperationalError

from services.backup import database_export, engine_data, inventory, key_archive
from services.backup.bundle import Bundle
from services.backup.create import CLOCK, Say, told
from services.backup.key_archive import Archived
from services.backup.source import ACTOR, Premises
from services.database import schema as database_schema
from services.database.tables.documents import NumberSeries
from services.database.unit_of_work import UnitOfWork, connect
from services.domain.audit import trail as audit_trail
from services.domain.audit.checkpoint_publisher import FOLDER as CHECKPOINTS
from services.runtime import data_folder
from services.runtime.errors import Fatal
from services.runtime.settings import Settings, variable

_NUMBERED = re.compile(r"(?P<prefix>[A-Z]+)-(?P<year>\d{4})-(?P<number>\d+)\.json")


@dataclass(frozen=True)
class Source:
    """Where from. ``identity`` opens both files of keys; ``read_all`` hashes every object in the stores."""

    backup: Path
    keys: Path | None = None
    loan_keys: Path | None = None
    identity: Path | None = None
    engine_data: Path | None = None
    read_all: bool = False


@dataclass(frozen=True)
class Restored:
    """How the stores stand against the backup, and which loan keys stay destroyed, with the reason for each copy."""

    compared: inventory.Compared
    left_out: dict[str, str]

    @property
    def well(self) -> bool:
        return not self.compared.faults


def check(backup: Path, say: Say) -> Bundle:
    """Read the whole backup and compare it with its manifest; raises Fatal. Nothing is written."""
    bundle = Bundle(backup)
    database_export.check_revision(bundle.manifest["schema"])
    say(f"{bundle.verify()} members of {backup} are as they were written; {_described(bundle)}")
    return bundle


def compare(place: Premises, bundle: Bundle, say: Say, *, read_all: bool) -> inventory.Compared:
    """How both stores stand against the backup's inventory, in sentences too. Nothing is written."""
    say("Comparing the stores with the inventory …")
    found = inventory.compare(inventory.read(bundle), place.stores, read_all=read_all)
    how = "every byte was read" if read_all else "by version, size, tag and locks; --read-all reads every byte"
    say(f"{found.same} objects are as they were ({how}).")
    told(found.faults, say)
    if found.newer:
        say(f"{len(found.newer)} objects were made after the backup, and its books do not know them:")
        told([f"{key} is newer." for key in found.newer], say)
    return found


def as_they_were(place: Premises, bundle: Bundle, say: Say) -> bool:
    """Whether every object of the inventory is, read to its last byte. Nothing is written."""
    return not compare(place, bundle, say, read_all=True).faults


def restore(place: Premises, source: Source, say: Say) -> Restored:
    """Bring everything back, or nothing but what the next try finds again. Raises Fatal and Retryable."""
    settings = place.settings
    bundle = check(source.backup, say)
    lasting, living = _open_keys(source)
    with _alone(settings):
        folder = source.engine_data or settings.data_dir / "engine"
        _check_place(settings, bundle, source, folder)
        engine = connect(settings.database)
        try:
            database_export.check_empty(engine)
            if lasting is not None:
                key_archive.check_fits(settings.keys, lasting)
                say(f"{key_archive.put_back(settings.keys, lasting)} key files were put back in {settings.keys}.")
            with _engine_staged(settings, bundle, source, folder, say):
                left_out = _load(engine, place, bundle, living, say)
        finally:
            engine.dispose()
        place = _with_clock(place, bundle)
        compared = compare(place, bundle, say, read_all=source.read_all)
        with place.database() as database:
            database.run_now(ACTOR, _count_on, place, say)
            database.run_now(ACTOR, _record, bundle, compared, left_out)
    say("The books are restored, and at the newest schema. footage-desk doctor checks the rest; then start the house.")
    return Restored(compared, left_out)


def _described(bundle: Bundle) -> str:
    told = bundle.manifest
    engine = "with" if told["engine"] else "without"
    return (
        f"it was made at {told['madeAt']} for {told['organisation']} by {told['madeBy']} from {told['database']}, "
        f"{sum(told['tables'].values())} rows, {engine} an engine's state; "
        f"its manifest has the SHA-256 {bundle.sha256}."
    )


def _open_keys(source: Source) -> tuple[Archived | None, Archived | None]:
    """The lasting and the living, where they are named."""

    def opened(path: Path | None, kind: str) -> Archived | None:
        if path is None:
            return None
        if source.identity is None:
            raise Fatal(
                "nothing was restored | the keys | no identity is named that opens them | name its file with --identity"
            )
        return key_archive.read(path, kind, source.identity)

    return opened(source.keys, key_archive.LASTING), opened(source.loan_keys, key_archive.LIVING)


def _alone(settings: Settings) -> AbstractContextManager[None]:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    return data_folder.only_process(settings.data_dir) if settings.database.startswith("sqlite") else nullcontext()


def _check_place(settings: Settings, bundle: Bundle, source: Source, folder: Path) -> None:
    engine_data.check_absent(folder)
    if bundle.manifest["engine"] and not settings.embedded and source.engine_data is None:
        raise Fatal(
            f"nothing was restored | the engine's state in {bundle.place} | {variable('zeebe_address')} is set, so it "
            "is not known where that engine keeps its own | name its folder with --engine-data, or unset the variable"
        )
    if _ahead(bundle) and not settings.demo:
        raise Fatal(
            f"nothing was restored | {bundle.place} | a demo has turned the clock of these books, and the machine's "
            f"would run behind them | set {variable('demo')}=true"
        )


def _engine_staged(
    settings: Settings, bundle: Bundle, source: Source, folder: Path, say: Say
) -> AbstractContextManager[None]:
    if bundle.manifest["engine"]:
        say("The engine's state goes back with the books.")
        return engine_data.staged(bundle, folder)
    if settings.embedded:
        say("This backup has no engine's state: cases that were under way stand still until somebody files them anew.")
    else:
        say(
            f"The engine at {settings.gateway_address} has its own backup: restore the one of "
            f"{bundle.manifest['madeAt']}, or cases run that these books do not know."
        )
    return nullcontext()


def _load(engine: Engine, place: Premises, bundle: Bundle, living: Archived | None, say: Say) -> dict[str, str]:
    """The rows in one transaction, and before it commits the loan keys, so that a second try finds what the first did.

    Why loan keys stay destroyed, by copy.
    """
    try:
        database_schema.migrate(engine, bundle.manifest["schema"])
        with engine.begin() as connection:
            database_export.load(connection, bundle)
            left_out = _loan_keys(connection, place, living, say)
        database_schema.migrate(engine)
    except OperationalError as error:
        raise database_export.away(engine, error) from error
    return left_out


def _loan_keys(connection: Connection, place: Premises, living: Archived | None, say: Say) -> dict[str, str]:
    if living is None:
        say("No loan keys were restored: copies that were lent cannot be opened, and can be issued anew from masters.")
        return {}
    copies = database_schema.metadata().tables["copies"]
    query = select(copies.c.id, copies.c.sealed, copies.c.key_destroyed_at, copies.c.discarded_at)
    rows = {row.id: row for row in connection.execute(query)}

    def ended_because(copy_id: str) -> str | None:
        row = rows.get(copy_id)
        if row is None:
            return "the restored books do not know this copy"
        if row.key_destroyed_at is not None or row.discarded_at is not None:
            return "the restored books say that it was destroyed"
        if not inventory.under_hold(place.stores["store"], row.sealed):
            return "no hold lies on the copy's object any more, so its loan has ended since"
        return None

    left_out = key_archive.put_back_loans(place.settings.keys, living, ended_because)
    back = len(living.files) - len(left_out)
    say(f"{back} loan keys are back. {len(left_out)} stay destroyed.")
    for copy_id, reason in left_out.items():
        say(f"The loan key of copy {copy_id} stays destroyed: {reason}.")
    return left_out


def _with_clock(place: Premises, bundle: Bundle) -> Premises:
    if CLOCK not in bundle.manifest["members"] or not place.settings.demo:
        return place
    with bundle.open(CLOCK) as file:
        (place.settings.data_dir / CLOCK).write_bytes(file.read())
    return replace(place, clock=data_folder.clock_of(place.settings.data_dir, demo=True))


def _ahead(bundle: Bundle) -> bool:
    if CLOCK not in bundle.manifest["members"]:
        return False
    with bundle.open(CLOCK) as file:
        return bool(json.load(file)["offsetMilli"])


def _count_on(uow: UnitOfWork, place: Premises, say: Say) -> None:
    """Numbers that documents in the vault bear already are not given again: a filed document is never overwritten."""
    for key in place.stores["store"].list_keys("documents"):
        if (found := _NUMBERED.fullmatch(key)) is None:
            continue
        series = uow.session.get(NumberSeries, (found["prefix"], int(found["year"])))
        if series is None:
            series = NumberSeries(prefix=found["prefix"], year=int(found["year"]), last=0)
            uow.session.add(series)
        if series.last < int(found["number"]):
            series.last = int(found["number"])
            say(f"{key.removesuffix('.json')} was given after the backup; the next number comes after it.")


def _record(uow: UnitOfWork, bundle: Bundle, compared: inventory.Compared, left_out: dict[str, str]) -> None:
    audit_trail.record(
        uow,
        "books-restored",
        "backup",
        bundle.sha256,
        made_at=bundle.manifest["madeAt"],
        objects_as_they_were=compared.same,
        objects_missing_or_changed=len(compared.faults),
        objects_newer=len(compared.newer),
        checkpoints_lost=[name for name in compared.newer if name.startswith(CHECKPOINTS)],
        loan_keys_left_destroyed=sorted(left_out),
    )

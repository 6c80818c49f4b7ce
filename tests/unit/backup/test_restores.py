"""A restore: into empty books only, the same rows in either database, and destroyed keys stay destroyed."""

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from safe_house import SafeHouse, rewrite
from sqlalchemy import Table, select, text
from whole_footage import MADE_FOR

from services.backup import database_export
from services.backup.bundle import Bundle, new_bundle
from services.backup.source import ACTOR
from services.database import schema as database_schema
from services.database.tables.documents import NumberSeries
from services.database.tables.people import Department
from services.database.unit_of_work import connect
from services.runtime.clock import TurnedClock
from services.runtime.errors import Fatal
from services.vault.age import generate_identity

RETAINED = MADE_FOR + timedelta(days=365)


def rows(url: str) -> dict[str, list[Any]]:
    """Everything in the books but what the backup and the restore have entered themselves, and the tree over it."""
    engine = connect(url)

    def of(table: Table) -> list[Any]:
        query = select(table).order_by(*table.primary_key.columns)
        if table.name == "audit_events":
            query = query.where(table.c.subject_kind != "backup")
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]

    try:
        return {name: of(table) for name, table in database_schema.metadata().tables.items() if name != "audit_nodes"}
    finally:
        engine.dispose()


@pytest.mark.postgres
def test_rows_are_the_same_after_a_way_through_either_database(
    house: SafeHouse, postgres_database: Callable[[], str]
) -> None:
    before = rows(house.settings().database)
    url = postgres_database()
    house.restore(house.back_up("first"), "postgres", settings={"database_url": url})
    assert rows(url) == before
    # A number that PostgreSQL gives is one that no row bears.
    assert [event.action for event in house.events("books-restored", "postgres", database_url=url)]

    in_postgres = house.premises("postgres", database_url=url)
    with database_export.snapshot(url) as connection, new_bundle(house.root / "safe" / "second") as out:
        counted = database_export.dump(connection, out)
        out.finish({**Bundle(house.root / "safe" / "first").manifest, "tables": counted})
    with in_postgres.register() as register:
        engine = register.engine
        with engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM audit_events")).scalar() == counted["audit_events"]
    assert before["departments"]
    assert before["people"]


def test_books_that_are_not_empty_are_refused_and_stay_as_they_are(house: SafeHouse) -> None:
    backup, before = house.back_up(), rows(house.settings().database)

    with pytest.raises(Fatal, match="they are not empty"):
        house.restore(backup, "var")
    assert rows(house.settings().database) == before


def test_a_state_that_an_engine_has_written_is_refused(house: SafeHouse) -> None:
    backup = house.back_up()
    (house.root / "new" / "engine").mkdir(parents=True)
    (house.root / "new" / "engine" / "engine.sqlite3").touch()

    with pytest.raises(Fatal, match="an engine has written there"):
        house.restore(backup)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": "9999"}, "this version does not know it"),
        ({"format": 9}, "it has format 9"),
        ({"members": {}}, "the manifest does not name it"),
    ],
)
def test_what_this_version_cannot_read_is_refused(changes: dict[str, Any], sentence: str, house: SafeHouse) -> None:
    backup = house.back_up()
    rewrite(backup, **changes)

    with pytest.raises(Fatal, match=sentence):
        house.restore(backup)


def test_a_manifest_that_lacks_something_is_told(house: SafeHouse) -> None:
    backup = house.back_up()
    manifest = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    (backup / "manifest.json").write_text(json.dumps({"format": manifest["format"]}), encoding="utf-8")

    with pytest.raises(Fatal, match="it lacks engine, madeAt, members, schema, tables"):
        house.restore(backup)


def test_what_is_no_backup_is_refused(house: SafeHouse) -> None:
    with pytest.raises(Fatal, match="so it is no backup"):
        house.restore(house.root / "store")


def test_an_older_schema_is_loaded_as_it_was_and_migrated(house: SafeHouse) -> None:
    oldest = "0001"
    columns = [{"name": name, "kind": "text", "own": name == "superior_id"} for name in ("id", "superior_id")]
    columns += [{"name": name, "kind": "text", "own": False} for name in ("name_zh", "name_en", "kind")]
    lines = [
        {"table": "departments", "columns": columns},
        ["b", "a", "乙", "B", "business"],
        ["a", None, "甲", "A", "business"],
    ]
    manifest = Bundle(house.back_up("new-one")).manifest
    with new_bundle(house.root / "safe" / "old") as out:
        for name, told in (("books/departments.jsonl", lines), ("objects.jsonl", [])):
            with out.member(name) as file:
                file.write("".join(json.dumps(line) + "\n" for line in told).encode())
        out.finish({**manifest, "schema": oldest, "tables": {"departments": 2}})

    house.restore(house.root / "safe" / "old")

    with house.premises("new").register() as register:

        def read(unit: Any) -> tuple[str, list[tuple[str, str | None]]]:
            found = unit.session.scalars(select(Department).order_by(Department.id))
            return database_schema.check(unit), [(one.id, one.superior_id) for one in found]

        newest, departments = register.run_now(ACTOR, read)
    assert newest != oldest
    assert departments == [("a", None), ("b", "a")]


def test_a_restore_that_broke_off_can_be_done_again(house: SafeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    backup = house.back_up(keys="keys.age")
    table = database_export._load_table

    def broken(connection: Any, bundle: Bundle, name: str) -> int:
        if name == "people":
            raise OSError("the disk is full")
        return table(connection, bundle, name)

    with monkeypatch.context() as patch:
        patch.setattr(database_export, "_load_table", broken)
        with pytest.raises(OSError, match="full"):
            house.restore(backup, keys=house.root / "safe" / "keys.age")
    house.restore(backup, keys=house.root / "safe" / "keys.age")

    assert rows(house.settings("new").database) == rows(house.settings().database)


def test_loan_keys_come_back_only_where_the_loan_still_runs(house: SafeHouse) -> None:
    copies = {name: _copy(house, name) for name in ("lent", "ended", "returned", "swept")}
    for name in copies:
        house.loan_keys.create(name)
    house.loan_keys.create("unknown")
    backup = house.back_up(loan_keys="loans.age")
    recipient = house.loan_keys.create("lent")
    # After the backup one loan ended (its hold is lifted last), and one copy was removed with its key.
    house.stores["store"].set_legal_hold("copies", "copies/ended/1", copies["ended"], False)
    house.stores["store"].set_legal_hold("copies", "copies/swept/1", copies["swept"], False)
    house.stores["store"].delete("copies", "copies/swept/1", copies["swept"])
    (house.root / "new" / "keys" / "loans").mkdir(parents=True, mode=0o700)
    (house.root / "new" / "keys").chmod(0o700)
    (house.root / "new" / "keys" / "loans" / "returned.destroyed").touch(0o600)

    restored = house.restore(backup, loan_keys=house.root / "safe" / "loans.age")

    assert set(restored.left_out) == {"ended", "returned", "swept", "unknown"}
    loans = house.root / "new" / "keys" / "loans"
    assert [path.name for path in loans.glob("*.key")] == ["lent.key"]
    assert {path.stem for path in loans.glob("*.destroyed")} == set(restored.left_out)
    shutil.rmtree(house.root / "var" / "keys" / "loans")
    shutil.copytree(loans, house.root / "var" / "keys" / "loans")
    assert house.loan_keys.create("lent") == recipient


def test_keys_need_the_identity_that_they_were_made_for(house: SafeHouse) -> None:
    backup = house.back_up(keys="keys.age", loan_keys="loans.age")
    keys = house.root / "safe" / "keys.age"
    with pytest.raises(Fatal, match="loan-keys are wanted"):
        house.restore(backup, loan_keys=keys)
    house.identity.write_text(generate_identity()[0])
    with pytest.raises(Fatal, match="was not encrypted to"):
        house.restore(backup, keys=keys)
    house.identity.chmod(0o644)
    with pytest.raises(Fatal, match="chmod 600"):
        house.restore(backup, keys=keys)
    assert not (house.root / "new" / "keys").exists()


def test_another_key_in_the_place_of_one_is_never_replaced(house: SafeHouse) -> None:
    backup = house.back_up(keys="keys.age")
    vault = house.root / "new" / "keys" / "vault"
    vault.mkdir(parents=True, mode=0o700)
    (vault / "vault-recipient.txt").write_text("age1another")

    with pytest.raises(Fatal, match="another key lies there"):
        house.restore(backup, keys=house.root / "safe" / "keys.age")
    house.restore(backup)  # nothing was restored by then


def test_what_is_missing_changed_or_newer_in_the_stores_is_said(house: SafeHouse) -> None:
    store = house.stores["store"]
    gone = house.put("masters", "masters/gone/1")
    house.put("masters", "masters/same/1")
    house.put("masters", "masters/rotten/1")
    again = house.put("masters", "masters/again/1")
    backup = house.back_up()
    store.delete("masters", gone.key, gone.version_id)
    store.delete("masters", again.key, again.version_id)
    house.put("masters", again.key)
    house.put("masters", "masters/newer/1")
    data = house.root / "store" / "test-masters" / "objects" / "masters%2Frotten%2F1" / "data"
    data.write_bytes(b"sealeD")

    restored = house.restore(backup, read_all=True)

    assert not restored.well
    faults = dict(fault.split(" ", 1) for fault in restored.compared.faults)
    assert faults["masters/gone/1"] == "is missing."
    assert faults["masters/again/1"].startswith("is there as version")
    assert faults["masters/rotten/1"] == "has changed: its SHA-256 is another one."
    assert (restored.compared.same, list(restored.compared.newer)) == (1, ["masters/newer/1"])
    [event] = house.events("books-restored", "new")
    detail = json.loads(event.entry)["detail"]
    assert (detail["objects_missing_or_changed"], detail["objects_newer"]) == (3, 1)


def test_numbers_of_documents_that_the_vault_has_are_not_given_again(house: SafeHouse) -> None:
    backup = house.back_up()
    house.put("documents", "SQ-2031-000007.json", b"{}")
    house.put("documents", "DQ-2031-000002.json", b"{}")

    house.restore(backup)

    with house.premises("new").register() as register:
        series = register.run_now(
            ACTOR,
            lambda unit: {one.prefix: one.last for one in unit.session.scalars(select(NumberSeries))},
        )
    assert series == {"SQ": 7, "DQ": 2}


def test_books_under_a_turned_clock_are_a_demos_for_ever(house: SafeHouse) -> None:
    TurnedClock(house.root / "var" / "clock.json").turn(timedelta(days=9))
    backup = house.back_up()

    with pytest.raises(Fatal, match="FOOTAGE_DESK_DEMO=true"):
        house.restore(backup)
    house.restore(backup, settings={"demo": True})
    assert TurnedClock(house.root / "new" / "clock.json").offset == timedelta(days=9)


def _copy(house: SafeHouse, name: str) -> str:
    """A copy under a hold, with its row; what is before it in the books is left out."""
    stored = house.put("copies", f"copies/{name}/1", legal_hold=True)
    sealed = {"bucket": "copies", "key": stored.key, "versionId": stored.version_id, "size": 6, "sha256Cipher": None}
    if name == "lent":
        house.enter("applications", id="a")
    for table in ("items", "upload_attempts", "masters"):
        unique = {"masters": {"item_id": name, "attempt_id": name}, "upload_attempts": {"key": name}}.get(table, {})
        house.enter(table, id=name, **unique, **({"discarded_at": "2031-01-01"} if table == "masters" else {}))
    house.enter("copies", id=name, item_id=name, master_id=name, attempt_id=name, sealed=json.dumps(sealed))
    return stored.version_id

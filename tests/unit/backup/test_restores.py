"""A restore: into empty books only, the same rows in either database, and destroyed keys stay destroyed."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pooler import Pooler
from small_installation import SmallInstallation, rewrite
from sqlalchemy import Table, select, text
from whole_footage import MADE_FOR

from services.backup import database_export, engine_data, inventory
from services.backup import restore as restoring
from services.backup.bundle import Bundle, new_bundle
from services.backup.create import BackupRequest, back_up
from services.backup.installation import ACTOR
from services.database import schema as database_schema
from services.database.engine import connect
from services.database.tables.documents import NumberSeries
from services.database.tables.notices import Notice
from services.database.tables.people import Department, Person
from services.database.unit_of_work import Actor, UnitOfWork
from services.demo.organisation import demo_id
from services.domain.access import queries as access_queries
from services.domain.accounts import absences, posts, sessions, staff
from services.domain.accounts.posts import PostRequest
from services.domain.change_requests import service as change_requests
from services.runtime import data_folder
from services.runtime.clock import TurnedClock
from services.runtime.errors import Fatal, Refused
from services.vault.age import generate_identity

PEOPLE = database_export.member_of("people")
RETAINED = MADE_FOR + timedelta(days=365)


def rows(url: str) -> dict[str, list[Any]]:
    """Everything in the books but what the backup and the restore have entered themselves, and the tree over it.

    A restore tells those who watch over accounts of itself; nothing that it ends on purpose is in these books.
    """
    engine = connect(url)

    def of(table: Table) -> list[Any]:
        query = select(table).order_by(*table.primary_key.columns)
        if table.name == "audit_events":
            query = query.where(table.c.subject_kind != "backup")
        if table.name == "notices":
            query = query.where(table.c.code != "database-restored")
        with engine.connect() as connection:
            return [tuple(row) for row in connection.execute(query)]

    try:
        return {name: of(table) for name, table in database_schema.metadata().tables.items() if name != "audit_nodes"}
    finally:
        engine.dispose()


def exchange(folder: Path, name: str) -> None:
    """Change a member as who can write there may: what it says stays well-formed."""
    path = folder / name
    lines = path.read_bytes().splitlines(keepends=True)
    if name == PEOPLE:
        head, *people = map(json.loads, lines)
        at = [column["name"] for column in head["columns"]].index("password_hash")
        forged = [[*row[:at], "the forger's", *row[at + 1 :]] for row in people]
        lines = [json.dumps(line).encode() + b"\n" for line in (head, *forged)]
    else:
        lines.append(lines[-1] if name == inventory.MEMBER else b" ")
    path.write_bytes(b"".join(lines))


@pytest.mark.parametrize("name", [PEOPLE, engine_data.MEMBER, inventory.MEMBER, "clock.json"])
def test_what_was_compared_is_what_is_restored(
    name: str, installation: SmallInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the comparison with --sha256 and the loading somebody exchanges a member of a backup in clear."""
    installation.put("documents", "one")
    TurnedClock(installation.root / "var" / "clock.json").turn(timedelta(days=9))
    (installation.root / "var" / "engine").mkdir()
    with closing(sqlite3.connect(installation.root / "var" / engine_data.MEMBER)) as engine, engine:
        engine.execute("CREATE TABLE counters (id INTEGER)")
    folder = installation.unpacked(installation.back_up())
    assert name in Bundle(folder).manifest["members"]
    check = restoring.check

    def checked(*args: Any, **named: Any) -> Bundle:
        bundle = check(*args, **named)
        exchange(folder, name)
        return bundle

    monkeypatch.setattr(restoring, "check", checked)
    with pytest.raises(Fatal, match=rf"{name} \| it has changed"):
        installation.restore(folder, settings={"demo": True})

    new = installation.root / "new"
    assert not list((new / "engine").glob("*"))
    assert not (new / "clock.json").exists()
    database = connect(installation.settings("new").database_address)
    database_export.check_empty(database)
    database.dispose()


@pytest.mark.postgres
def test_rows_are_the_same_after_a_way_through_either_database(
    installation: SmallInstallation, postgres_database: Callable[[], str]
) -> None:
    before = rows(installation.settings().database_address)
    url = postgres_database()
    installation.restore(installation.back_up("first"), "postgres", settings={"database_url": url})
    assert rows(url) == before
    # A number that PostgreSQL gives is one that no row bears.
    assert [event.action for event in installation.events("database-restored", "postgres", database_url=url)]

    in_postgres = installation.installation("postgres", database_url=url)
    with (
        database_export.snapshot(url) as connection,
        new_bundle(installation.root / "safe" / "second", (installation.recipient,)) as out,
    ):
        counted = database_export.dump(connection, out)
        out.finish({**installation.bundle(installation.root / "safe" / "first").manifest, "tables": counted})
    with in_postgres.database() as database:
        engine = database.engine
        with engine.connect() as connection:
            assert connection.execute(text("SELECT count(*) FROM audit_events")).scalar() == counted["audit_events"]
    assert before["departments"]
    assert before["people"]


@pytest.mark.postgres
@pytest.mark.tool("pgbouncer")
def test_a_backup_and_a_restore_go_through_a_pooler(
    installation: SmallInstallation, postgres_database: Callable[[], str], pooler: Pooler
) -> None:
    before = rows(installation.settings().database_address)
    settings = {"database_url": pooler.url(url := postgres_database()), "database": {"pooler": True}}
    installation.restore(installation.back_up("first"), "pooled", settings=settings)
    assert rows(url) == before

    request = BackupRequest(installation.root / "safe" / "second", recipients=(installation.recipient,))
    back_up(installation.installation("pooled", **settings), request, installation.said.append)
    installation.restore(request.target, "back")
    restored = rows(installation.settings("back").database_address)
    assert {table: restored[table] for table in ("departments", "people")} == {
        table: before[table] for table in ("departments", "people")
    }


def test_books_that_are_not_empty_are_refused_and_stay_as_they_are(installation: SmallInstallation) -> None:
    backup, before = installation.back_up(), rows(installation.settings().database_address)

    with pytest.raises(Fatal, match="it is not empty"):
        installation.restore(backup, "var")
    assert rows(installation.settings().database_address) == before


def test_a_state_that_an_engine_has_written_is_refused(installation: SmallInstallation) -> None:
    backup = installation.back_up()
    (installation.root / "new" / "engine").mkdir(parents=True)
    (installation.root / "new" / "engine" / "engine.sqlite3").touch()

    with pytest.raises(Fatal, match="an engine has data there"):
        installation.restore(backup)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"schema": "9999"}, "this version does not know it"),
        ({"schema": "0007"}, "it is from before the first release"),
        ({"format": 9}, "it has format 9"),
        ({"members": {}}, "the manifest does not name it"),
    ],
)
def test_what_this_version_cannot_read_is_refused(
    changes: dict[str, Any], sentence: str, installation: SmallInstallation
) -> None:
    backup = installation.unpacked(installation.back_up())
    rewrite(backup, **changes)

    with pytest.raises(Fatal, match=sentence):
        installation.restore(backup)


def test_a_manifest_that_lacks_something_is_told(installation: SmallInstallation) -> None:
    backup = installation.unpacked(installation.back_up())
    manifest = json.loads((backup / "manifest.json").read_text(encoding="utf-8"))
    (backup / "manifest.json").write_text(json.dumps({"format": manifest["format"]}), encoding="utf-8")

    with pytest.raises(Fatal, match="it lacks engine, madeAt, members, schema, tables"):
        installation.restore(backup)


def test_what_is_no_backup_is_refused(installation: SmallInstallation) -> None:
    with pytest.raises(Fatal, match="so it is not a complete backup"):
        installation.restore(installation.root / "store")


def test_an_older_schema_is_loaded_as_it_was_and_migrated(
    installation: SmallInstallation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = [{"name": name, "kind": "text", "selfReference": name == "superior_id"} for name in ("id", "superior_id")]
    columns += [{"name": name, "kind": "text", "selfReference": False} for name in ("name_zh", "name_en", "kind")]
    lines = [
        {"table": "departments", "columns": columns},
        ["b", "a", "乙", "B", "business"],
        ["a", None, "甲", "A", "business"],
    ]
    manifest = installation.bundle(installation.back_up("new-one")).manifest
    with new_bundle(installation.root / "safe" / "old", (installation.recipient,)) as out:
        for name, told in (("database/departments.jsonl", lines), ("objects.jsonl", [])):
            with out.member(name) as file:
                file.write("".join(json.dumps(line) + "\n" for line in told).encode())
        out.finish({**manifest, "tables": {"departments": 2}})
    older = manifest["schema"]
    later = shutil.copytree(database_schema.migrations(), tmp_path / "later")
    change = "UPDATE departments SET name_en = 'later ' || name_en"
    (later / "versions" / "9000_a_later_one.py").write_text(
        f"from alembic import op\nrevision, down_revision = '9000', {older!r}\ndef upgrade(): op.execute({change!r})\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(database_schema, "migrations", lambda: later)

    installation.restore(installation.root / "safe" / "old")

    with installation.installation("new").database() as database:

        def read(uow: Any) -> tuple[str, list[tuple[str, str | None, str]]]:
            found = uow.session.scalars(select(Department).order_by(Department.id))
            return database_schema.check(uow), [(one.id, one.superior_id, one.name_en) for one in found]

        newest, departments = database.run_now(ACTOR, read)
    assert newest == "9000"
    assert departments == [("a", None, "later A"), ("b", "a", "later B")]


def test_a_restore_that_broke_off_can_be_done_again(
    installation: SmallInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = installation.back_up(keys="keys.age")
    table = database_export._load_table

    def broken(connection: Any, bundle: Bundle, name: str) -> int:
        if name == "people":
            raise OSError("the disk is full")
        return table(connection, bundle, name)

    with monkeypatch.context() as patch:
        patch.setattr(database_export, "_load_table", broken)
        with pytest.raises(OSError, match="full"):
            installation.restore(backup, keys=installation.root / "safe" / "keys.age")
    installation.restore(backup, keys=installation.root / "safe" / "keys.age")

    assert rows(installation.settings("new").database_address) == rows(installation.settings().database_address)


def test_loan_keys_come_back_only_where_the_loan_still_runs(installation: SmallInstallation) -> None:
    copies = {name: _copy(installation, name) for name in ("lent", "ended", "returned", "swept")}
    for name in copies:
        installation.loan_keys.create(name)
    installation.loan_keys.create("unknown")
    backup = installation.back_up(loan_keys="loans.age")
    recipient = installation.loan_keys.create("lent")
    # After the backup one loan ended (its hold is lifted last), and one copy was removed with its key.
    installation.stores["primary"].set_legal_hold("copies", "copies/ended/1", copies["ended"], False)
    installation.stores["primary"].set_legal_hold("copies", "copies/swept/1", copies["swept"], False)
    installation.stores["primary"].delete("copies", "copies/swept/1", copies["swept"])
    (installation.root / "new" / "keys" / "loans").mkdir(parents=True, mode=0o700)
    (installation.root / "new" / "keys").chmod(0o700)
    (installation.root / "new" / "keys" / "loans" / "returned.destroyed").touch(0o600)

    restored = installation.restore(backup, loan_keys=installation.root / "safe" / "loans.age")

    assert set(restored.left_out) == {"ended", "returned", "swept", "unknown"}
    loans = installation.root / "new" / "keys" / "loans"
    assert [path.name for path in loans.glob("*.key")] == ["lent.key"]
    assert {path.stem for path in loans.glob("*.destroyed")} == set(restored.left_out)
    shutil.rmtree(installation.root / "var" / "keys" / "loans")
    shutil.copytree(loans, installation.root / "var" / "keys" / "loans")
    assert installation.loan_keys.create("lent") == recipient


def test_the_key_of_an_emergency_view_comes_back_as_long_as_its_object_is_there(
    installation: SmallInstallation,
) -> None:
    for table in ("applications", "matters"):
        installation.enter(table, id="a")
    for name in ("running", "over"):
        stored = installation.put("copies", f"copies/{name}/1")
        sealed = {"bucket": "copies", "key": stored.key, "versionId": stored.version_id, "size": 6}
        for table in ("items", "upload_attempts"):
            installation.enter(table, id=name, **({"key": name} if table == "upload_attempts" else {}))
        given = {"item_id": name, "attempt_id": name, "sealed": json.dumps({**sealed, "sha256Cipher": None})}
        installation.enter("emergency_copies", id=name, **given)
        installation.loan_keys.create(name)
    backup = installation.back_up(loan_keys="loans.age")
    installation.stores["primary"].delete("copies", stored.key, stored.version_id)

    restored = installation.restore(backup, loan_keys=installation.root / "safe" / "loans.age")

    assert list(restored.left_out) == ["over"]
    assert (installation.root / "new" / "keys" / "loans" / "running.key").exists()


def test_a_folder_of_another_account_does_not_fail_a_restore_of_parts(
    installation: SmallInstallation, monkeypatch: pytest.MonkeyPatch
) -> None:
    backup = installation.back_up()

    def of_another(folder: Path) -> None:
        raise Fatal(f"{folder} is another account's")

    monkeypatch.setattr(data_folder, "narrow_modes", of_another)
    installation.restore(backup, settings={"zeebe_address": "engine:26500"})
    with pytest.raises(Fatal, match="another account"):
        installation.restore(backup, "together")


def test_keys_need_the_identity_that_they_were_made_for(installation: SmallInstallation) -> None:
    backup = installation.back_up(keys="keys.age", loan_keys="loans.age")
    keys = installation.root / "safe" / "keys.age"
    with pytest.raises(Fatal, match="loan-keys are wanted"):
        installation.restore(backup, loan_keys=keys)
    installation.identity.write_text(generate_identity()[0])
    with pytest.raises(Fatal, match="was not encrypted to"):
        installation.restore(backup, keys=keys)
    installation.identity.chmod(0o644)
    with pytest.raises(Fatal, match="chmod 600"):
        installation.restore(backup, keys=keys)
    assert not (installation.root / "new" / "keys").exists()


def test_another_key_in_the_place_of_one_is_never_replaced(installation: SmallInstallation) -> None:
    backup = installation.back_up(keys="keys.age")
    vault = installation.root / "new" / "keys" / "vault"
    vault.mkdir(parents=True, mode=0o700)
    (vault / "vault-recipient.txt").write_text("age1another")

    with pytest.raises(Fatal, match="another key is there"):
        installation.restore(backup, keys=installation.root / "safe" / "keys.age")
    installation.restore(backup)  # nothing was restored by then


def test_what_is_missing_changed_or_newer_in_the_stores_is_said(installation: SmallInstallation) -> None:
    store = installation.stores["primary"]
    gone = installation.put("masters", "masters/gone/1")
    installation.put("masters", "masters/same/1")
    installation.put("masters", "masters/rotten/1")
    again = installation.put("masters", "masters/again/1")
    backup = installation.back_up()
    store.delete("masters", gone.key, gone.version_id)
    store.delete("masters", again.key, again.version_id)
    installation.put("masters", again.key)
    installation.put("masters", "masters/newer/1")
    data = installation.root / "store" / "test-masters" / "objects" / "masters%2Frotten%2F1" / "data"
    data.write_bytes(b"sealeD")

    restored = installation.restore(backup, read_all=True)

    assert not restored.complete
    faults = dict(fault.split(" ", 1) for fault in restored.comparison.faults)
    assert faults["masters/gone/1"] == "is missing."
    assert faults["masters/again/1"].startswith("is there as version")
    assert faults["masters/rotten/1"] == "has changed: it has another SHA-256."
    assert (restored.comparison.same, list(restored.comparison.newer)) == (1, ["masters/newer/1"])
    [event] = installation.events("database-restored", "new")
    detail = json.loads(event.entry)["detail"]
    assert (detail["objects_missing_or_changed"], detail["objects_newer"]) == (3, 1)


def test_numbers_of_documents_that_the_vault_has_are_not_given_again(installation: SmallInstallation) -> None:
    backup = installation.back_up()
    installation.put("documents", "SQ-2031-000007.json", b"{}")
    installation.put("documents", "SQ-2031-000009/1.json", b"{}")  # a form that was corrected has no other
    installation.put("documents", "DQ-2031-000002.json", b"{}")

    installation.restore(backup)

    with installation.installation("new").database() as database:
        series = database.run_now(
            ACTOR,
            lambda uow: {one.prefix: one.last for one in uow.session.scalars(select(NumberSeries))},
        )
    assert series == {"SQ": 9, "DQ": 2}


def test_books_under_a_turned_clock_are_a_demos_for_ever(installation: SmallInstallation) -> None:
    TurnedClock(installation.root / "var" / "clock.json").turn(timedelta(days=9))
    backup = installation.back_up()

    with pytest.raises(Fatal, match="FOOTAGE_DESK_DEMO=true"):
        installation.restore(backup)
    installation.restore(backup, settings={"demo": True})
    assert TurnedClock(installation.root / "new" / "clock.json").offset == timedelta(days=9)


def act(installation: SmallInstallation, data: str, login: str, act: Callable[..., Any], *args: Any) -> Any:
    with installation.installation(data).database() as database:
        return database.run_now(Actor("person", demo_id(login)), act, *args)


@pytest.mark.requirement("R2", refuses=True)
def test_a_request_that_was_objected_to_does_not_come_back(installation: SmallInstallation) -> None:
    post = PostRequest("head", demo_id("production"))
    with pytest.raises(Refused, match="second person"):
        act(installation, "var", "luoxin", posts.assign, demo_id("lina"), post)
    [asked] = installation.events("change-requested")
    backup = installation.back_up()
    act(installation, "var", "zhaoqiang", change_requests.object_to, asked.subject_id)

    installation.restore(backup)

    installation.clock.turn(timedelta(hours=25))
    with pytest.raises(Refused) as refused:
        act(installation, "new", "luoxin", change_requests.begin, asked.subject_id)
    assert refused.value.code == "request-over"
    [event] = installation.events("change-withdrawn", "new")
    assert (event.subject_id, json.loads(event.entry)["detail"]["because"]) == (asked.subject_id, "restored")
    assert restored_detail(installation)["requests_withdrawn"] == [asked.subject_id]


@pytest.mark.requirement("R16", refuses=True)
def test_an_absence_that_the_head_had_ended_lets_nobody_sign_before_a_new_notice(
    installation: SmallInstallation,
) -> None:
    head = demo_id("zhangwei")

    def enter(uow: UnitOfWork) -> str:
        return absences.add(uow, head, since=uow.now, until=uow.now + timedelta(days=5)).id

    entered = act(installation, "var", "wangfang", enter)
    installation.clock.turn(absences.NOTICE)
    assert act(installation, "var", "wangfang", access_queries.is_absent, head)
    backup = installation.back_up()
    act(installation, "var", "zhangwei", lambda uow: absences.end(uow, entered).id)

    installation.restore(backup)

    assert not act(installation, "new", "wangfang", access_queries.is_absent, head)
    [view] = act(installation, "new", "zhangwei", absences.list_absences, head)
    assert (view.state, view.effective_from) == ("notice", installation.clock.now() + absences.NOTICE)
    assert told(installation, "absence-restored") == {head}
    assert restored_detail(installation)["absences_with_new_notice"] == [entered]
    act(installation, "new", "zhangwei", lambda uow: absences.end(uow, entered).id)
    installation.clock.turn(absences.NOTICE)
    assert not act(installation, "new", "wangfang", access_queries.is_absent, head)


@pytest.mark.requirement("R16")
def test_an_absence_that_needs_no_notice_goes_on_after_a_restore_and_its_person_is_told(
    installation: SmallInstallation,
) -> None:
    head = demo_id("zhangwei")

    def enter(uow: UnitOfWork) -> str:
        return absences.add(uow, head, since=uow.now, until=uow.now + timedelta(days=5)).id

    act(installation, "var", "zhangwei", enter)

    installation.restore(installation.back_up())

    assert act(installation, "new", "wangfang", access_queries.is_absent, head)
    assert told(installation, "absence-restored") == {head}


@pytest.mark.requirement("R2", refuses=True)
def test_sessions_of_before_have_ended_and_who_watches_over_accounts_is_told(installation: SmallInstallation) -> None:
    def log_in(uow: UnitOfWork) -> str:
        person = uow.session.get_one(Person, demo_id("lina"))
        return sessions.create(uow, person, "browser", "192.0.2.1", None).token

    token = act(installation, "var", "lina", log_in)
    backup = installation.back_up()
    act(installation, "var", "luoxin", lambda uow: staff.deactivate(uow, demo_id("lina")).id)

    installation.restore(backup)

    with pytest.raises(Refused) as refused:
        act(installation, "new", "luoxin", sessions.require_not_ended, token)
    assert refused.value.code == "logged-out"
    assert restored_detail(installation)["sessions_ended"] == 1
    # nobody knows any more that the account was deactivated: these look
    watching = {"zhaoqiang", "heping", "sunli", "hanxue", "luoxin"}
    assert told(installation, "database-restored") == {demo_id(login) for login in watching}


def told(installation: SmallInstallation, code: str) -> set[str]:
    with installation.installation("new").database() as database:
        return set(
            database.run_now(
                ACTOR, lambda uow: uow.session.scalars(select(Notice.person_id).filter_by(code=code)).all()
            )
        )


def restored_detail(installation: SmallInstallation) -> dict[str, Any]:
    [event] = installation.events("database-restored", "new")
    detail: dict[str, Any] = json.loads(event.entry)["detail"]
    return detail


def _copy(installation: SmallInstallation, name: str) -> str:
    """A copy under a hold, with its row; what is before it in the books is left out."""
    stored = installation.put("copies", f"copies/{name}/1", legal_hold=True)
    sealed = {"bucket": "copies", "key": stored.key, "versionId": stored.version_id, "size": 6, "sha256Cipher": None}
    if name == "lent":
        installation.enter("applications", id="a")
    for table in ("items", "upload_attempts", "masters"):
        unique = {"masters": {"item_id": name, "attempt_id": name}, "upload_attempts": {"key": name}}.get(table, {})
        installation.enter(table, id=name, **unique, **({"discarded_at": "2031-01-01"} if table == "masters" else {}))
    installation.enter("copies", id=name, item_id=name, master_id=name, attempt_id=name, sealed=json.dumps(sealed))
    return stored.version_id

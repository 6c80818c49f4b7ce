"""Behind PgBouncer in transaction mode: the register works, nothing depends on a session, and what is wrong is said."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from at_once import at_once
from pooler import CONNECTIONS, Pooler, started_pooler
from portal_client import Portal
from review_desk import ReviewDesk
from service_process import environment, refused
from sqlalchemy import make_url, select, text, update

from services.app import doctor as app_doctor
from services.app.container import open_container
from services.backup.database_export import snapshot
from services.database import poolers
from services.database import schema as database_schema
from services.database.engine import connect
from services.database.leases import Lease
from services.database.tables.audit import AuditEvent
from services.database.tables.people import Department
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.applications import opening as application_opening
from services.domain.audit import trail as audit_trail
from services.domain.audit.verification import verify_trail
from services.domain.cases import register
from services.domain.cases.register import Search
from services.domain.process.relay import Relay
from services.domain.wiring import open_database
from services.runtime.clock import SystemClock
from services.runtime.errors import Retryable
from services.runtime.rules import Rules
from services.runtime.settings import Settings
from services.runtime.settings.database import DatabaseSettings

pytestmark = [pytest.mark.postgres, pytest.mark.tool("pgbouncer")]

ACTOR = Actor("system", "test")
CLIENTS = 3 * CONNECTIONS
PATIENCE = 30.0
POOLED = DatabaseSettings(pooler=True, pool_size=CLIENTS, wait_seconds=PATIENCE)
TEN = timedelta(seconds=10)


@pytest.fixture
def pooled(migrated_postgres: str, pooler: Pooler) -> str:
    """The address, by way of the pooler, of a fresh database with the newest schema."""
    return pooler.url(migrated_postgres)


def opened(url: str, settings: DatabaseSettings = POOLED) -> Database:
    return open_database(url, SystemClock(), Rules(max_use_days=30), connections=settings)


@pytest.fixture
def database(pooled: str) -> Iterator[Database]:
    database = opened(pooled)
    yield database
    database.close()


@pytest.fixture
def desk(pooled: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(pooled, connections=POOLED)
    yield desk
    desk.close()


def backend(uow: UnitOfWork) -> int:
    return int(uow.session.scalar(text("SELECT pg_backend_pid()")) or 0)


def enter(uow: UnitOfWork, key: str) -> int:
    uow.session.add(Department(id=key, name_zh="0", name_en="Production", kind="business"))
    for _ in range(2):  # which are written together
        audit_trail.record(uow, "department-added", "department", key)
    return backend(uow)


def test_many_connections_take_few_of_the_servers_in_turn(pooled: str, database: Database) -> None:
    """Rows, row locks and the audit trail's lock are those of one transaction, whichever connection has it."""
    database.run_now(ACTOR, enter, "counted")
    together = Barrier(CLIENTS)

    def work(client: int) -> set[int]:
        together.wait(PATIENCE)
        used = set()
        for number in range(8):
            used.add(database.run_now(ACTOR, enter, f"{client}-{number}"))
            used.add(database.run_now(ACTOR, count_on))
            used.add(database.read_now(ACTOR, backend))
        return used

    def count_on(uow: UnitOfWork) -> int:
        row = uow.session.scalars(select(Department).filter_by(id="counted").with_for_update()).one()
        row.name_zh = str(int(row.name_zh) + 1)
        return backend(uow)

    with ThreadPoolExecutor(CLIENTS) as threads:
        used = list(threads.map(work, range(CLIENTS)))

    assert len(set().union(*used)) <= CONNECTIONS
    assert any(len(of_client) > 1 for of_client in used)  # nobody's session
    counted = select(Department.name_zh).filter_by(id="counted")
    assert database.read_now(ACTOR, lambda uow: uow.session.scalar(counted)) == str(8 * CLIENTS)
    with snapshot(pooled, POOLED) as connection:
        assert verify_trail(connection).faults == []
        assert connection.scalar(text("SELECT count(*) FROM audit_events")) == 2 * (8 * CLIENTS + 1)


def test_an_act_leaves_nothing_on_the_connection_that_the_next_one_gets(database: Database) -> None:
    def act(uow: UnitOfWork, key: str) -> None:
        enter(uow, key)
        with suppress(ZeroDivisionError), uow.savepoint():
            raise ZeroDivisionError

    for number in range(10):
        database.run_now(ACTOR, act, str(number))
        database.read_now(ACTOR, lambda uow: uow.session.scalars(select(Department)).all())

    def left(uow: UnitOfWork) -> list[Any]:
        return [
            *uow.session.scalars(
                text(
                    "SELECT name FROM pg_settings WHERE setting <> reset_val AND context IN ('user', 'superuser') "
                    "AND name <> 'application_name'"  # which the pooler sets for each client
                )
            ),
            *uow.session.scalars(text("SELECT name FROM pg_prepared_statements")),
            *uow.session.scalars(text("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")),
            *uow.session.scalars(text("SELECT channel FROM pg_listening_channels() AS channel")),
            *uow.session.scalars(text("SELECT relname FROM pg_class WHERE relpersistence = 't'")),
        ]

    # all of the server's connections, each within a transaction at the same time
    together = Barrier(CONNECTIONS)

    def look(uow: UnitOfWork) -> tuple[int, list[Any]]:
        pid = backend(uow)  # the first statement begins the transaction, which holds its connection
        together.wait(PATIENCE)
        return pid, left(uow)

    found = at_once(*[lambda: database.run_now(ACTOR, look)] * CONNECTIONS)
    assert len({pid for pid, _ in found}) == CONNECTIONS
    assert [rest for _, rest in found] == [[]] * CONNECTIONS


def test_what_only_reads_sees_one_moment_and_cannot_write(database: Database) -> None:
    def read(uow: UnitOfWork) -> tuple[int, int]:
        first = uow.session.query(Department).count()
        database.run_now(ACTOR, enter, "meanwhile")
        return first, uow.session.query(Department).count()

    assert database.read_now(ACTOR, read) == (0, 0)
    assert database.read_now(ACTOR, lambda uow: uow.session.query(Department).count()) == 1
    with pytest.raises(Retryable):
        database.read_now(ACTOR, lambda uow: uow.session.execute(update(Department).values(name_zh="x")))
    database.run_now(ACTOR, enter, "after it")  # the connection that the pooler gives next is not read-only


async def test_one_process_of_two_holds_a_lease(database: Database) -> None:
    first, second = (Lease(database, "relay", TEN, holder=holder) for holder in "ab")
    assert [await first.hold(), await second.hold()] == [True, False]
    await first.release()
    again = Lease(database, "relay", TEN, holder="b")
    assert await again.hold()
    assert await database.readiness.check() is None


async def test_an_application_is_submitted_relayed_decided_and_found(desk: ReviewDesk) -> None:
    published: list[str] = []

    class Engine:
        async def publish_message(self, name: str, _key: str, *_: object, **__: object) -> None:
            published.append(name)

    application_id = desk.submitted()
    assert await Relay(desk.database, Engine()).publish_due() == 1
    assert published == ["application-submitted"]
    desk.run(application_opening.open_case, application_id, 4711)
    assert await Relay(desk.database, Engine()).publish_due() == 0
    desk.approved(application_id)

    for wanted in (Search(text="北门"), Search(sort="department"), Search(state="retrieval"), Search(camera_id="none")):
        query: Callable[[UnitOfWork], Any] = lambda uow, wanted=wanted: register.list_cases(uow, wanted, limit=5)  # noqa: E731
        desk.database.read_now(Actor("person", "security-head"), query)
    async with Portal(desk) as portal:
        head = await portal.signed_in("security-head")
        for address in ("/", "/inbox", "/register", f"/cases/{application_id}"):
            page = await head.get(address)
            assert page.status_code == 200, page.text
    assert desk.all(AuditEvent, action="register-read")


def test_the_limits_of_the_database_hold(pooled: str, postgres_server: Any, migrated_postgres: str) -> None:
    name = make_url(migrated_postgres).database
    postgres_server.execute(
        f"ALTER DATABASE {name} SET statement_timeout = '100ms'",
        f"ALTER DATABASE {name} SET idle_in_transaction_session_timeout = '100ms'",
    )
    database, waits = opened(pooled), opened(migrated_postgres)
    gone = text("SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = :pid")

    def idle(uow: UnitOfWork) -> None:
        pid = backend(uow)
        while not waits.read_now(ACTOR, lambda other: other.session.scalar(gone, {"pid": pid})):
            pass
        uow.session.execute(text("SELECT 1"))

    try:
        with pytest.raises(Retryable, match="it ended a statement that took too long"):
            database.run_now(ACTOR, lambda uow: uow.session.execute(text("SELECT pg_sleep(60)")))
        with pytest.raises(Retryable) as error:
            database.run_now(ACTOR, idle)
        assert error.value.away == "database"
        database.run_now(ACTOR, enter, "goes on")
    finally:
        database.close()
        waits.close()


def test_a_command_takes_as_long_as_it_needs_whatever_the_account_has(
    pooled: str, postgres_server: Any, migrated_postgres: str
) -> None:
    name = make_url(migrated_postgres).database
    postgres_server.execute(f"ALTER DATABASE {name} SET statement_timeout = '100s'")
    limit = text("SHOW statement_timeout")
    command, portal = opened(pooled, POOLED.without_limits), opened(pooled)
    try:
        assert command.run_now(ACTOR, lambda uow: uow.session.scalar(limit)) == "0"
        assert command.read_now(ACTOR, lambda uow: uow.session.scalar(limit)) == "0"
        assert portal.run_now(ACTOR, lambda uow: uow.session.scalar(limit)) == "100s"
        with snapshot(pooled, POOLED.without_limits) as connection:
            assert connection.scalar(limit) == "0"
    finally:
        command.close()
        portal.close()


def test_a_schema_is_migrated_through_it(postgres_database: Callable[[], str], pooler: Pooler) -> None:
    engine = connect(pooler.url(postgres_database()), POOLED.without_limits)
    try:
        database_schema.migrate(engine)
        with engine.connect() as connection:
            assert database_schema.check_in(connection)
    finally:
        engine.dispose()


def settings(url: str, root: Path, **more: object) -> Settings:
    return Settings.load(
        **{
            "data_dir": root / "var",
            "rules.max_use_days": 30,
            "recorders.roots": str(root),
            "database_url": url,
            **more,
        }
    )


async def said(loaded: Settings) -> str:
    """What the doctor says of a database that is not well."""
    [line] = [line for line in await app_doctor.examine(loaded, []) if line.part == "database"]
    assert not line.well, line.sentence
    return line.sentence


async def test_without_the_setting_doctor_and_start_say_that_a_pooler_is_there(pooled: str, tmp_path: Path) -> None:
    sentence = await said(settings(pooled, tmp_path))
    assert "a pooler of connections stands before it" in sentence
    assert "set FOOTAGE_DESK_DATABASE__POOLER=true" in sentence

    for command in ("portal", "migrate"):  # none of them waits for what no wait mends
        ended = refused(
            command, env=environment(data_dir=tmp_path / "var", database_url=pooled, zeebe_address="127.0.0.1:1")
        )
        assert ended.exit_code == 1, ended.stderr
        assert "set FOOTAGE_DESK_DATABASE__POOLER=true" in ended.stderr


async def test_a_pooler_that_drops_the_limits_is_named(
    postgres_server: Any, migrated_postgres: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with started_pooler(postgres_server.url, ignore_startup_parameters="options") as lenient:
        url = lenient.url(migrated_postgres)
        sentence = await said(settings(url, tmp_path))
        assert "a pooler does not pass on statement_timeout and idle_in_transaction_session_timeout" in sentence
        assert "set FOOTAGE_DESK_DATABASE__POOLER=true" in sentence
        assert "ALTER ROLE postgres SET statement_timeout = '60s'" in sentence


async def test_an_account_without_limits_is_named_behind_a_pooler(pooled: str, tmp_path: Path) -> None:
    sentence = await said(settings(pooled, tmp_path, **{"database.pooler": True}))
    assert sentence.startswith("nothing ends what hangs")
    assert "ALTER ROLE postgres SET statement_timeout = '60s'" in sentence
    unlimited = {"database.pooler": True, "database.statement_seconds": 0, "database.idle_seconds": 0}
    [line] = [
        line
        for line in await app_doctor.examine(settings(pooled, tmp_path, **unlimited), [])
        if line.part == "database"
    ]
    assert line.well, line.sentence


def test_an_account_without_limits_starts_all_the_same(pooled: str, tmp_path: Path) -> None:
    container = open_container(settings(pooled, tmp_path, **{"database.pooler": True}))
    try:
        assert container.database.run_now(ACTOR, poolers.why_unlimited, container.settings.database) is not None
    finally:
        container.database.close()


def test_what_was_prepared_elsewhere_asks_for_the_setting(postgres_server: Any, migrated_postgres: str) -> None:
    with started_pooler(postgres_server.url, ignore_startup_parameters="options") as lenient:
        database = opened(lenient.url(migrated_postgres), POOLED.model_copy(update={"pooler": False}))
        together = Barrier(CLIENTS)

        def work() -> None:
            together.wait(PATIENCE)
            for _ in range(50):
                database.run_now(ACTOR, lambda uow: uow.session.query(Department).count())

        try:
            errors = [error for error in at_once(*[work] * CLIENTS) if error is not None]
        finally:
            database.close()
    assert errors
    assert all("prepared statement" in str(error) and "DATABASE__POOLER=true" in str(error) for error in errors)
    assert {error.away for error in errors} == {None}


def test_statement_mode_is_refused_in_a_sentence(postgres_server: Any, migrated_postgres: str) -> None:
    with started_pooler(postgres_server.url, pool_mode="statement") as pooler:
        database = opened(pooler.url(migrated_postgres))
        try:
            with pytest.raises(Retryable, match="set its pool_mode to transaction") as error:
                database.run_now(ACTOR, backend)
            assert error.value.away is None
        finally:
            database.close()


def test_session_mode_wants_the_setting_too_and_works_with_it(postgres_server: Any, migrated_postgres: str) -> None:
    with started_pooler(postgres_server.url, pool_mode="session") as pooler:
        url = pooler.url(migrated_postgres)
        for settings_, works in ((POOLED.model_copy(update={"pooler": False}), False), (POOLED, True)):
            database = opened(url, settings_)
            try:
                if works:
                    database.run_now(ACTOR, enter, "a")
                else:
                    with pytest.raises(Retryable, match="DATABASE__POOLER=true"):
                        database.run_now(ACTOR, enter, "a")
            finally:
                database.close()


def test_a_database_that_it_does_not_know_is_no_outage(pooled: str) -> None:
    database = opened(pooled.rpartition("/")[0] + "/nobody_made_it")
    try:
        with pytest.raises(Retryable) as error:
            database.run_now(ACTOR, backend)
        assert error.value.away is None, error.value
    finally:
        database.close()

"""A database that hangs, goes away or fails over while people work: what they are told, and that all goes on."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest
from failing_postgres import FailingServer, failing_server
from pooler import CONNECTIONS, started_pooler
from running_portal import BOUND_SECONDS, RunningPortal, run_portal
from sqlalchemy import make_url, select, text

from services.database import schema as database_schema
from services.database.engine import connect
from services.database.tables.applications import Application
from services.database.tables.people import Department
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.process.relay import Relay
from services.domain.wiring import open_database
from services.runtime import metrics, periodic
from services.runtime.clock import SystemClock
from services.runtime.errors import Retryable
from services.runtime.rules import Rules
from services.runtime.settings.database import DatabaseSettings

pytestmark = [pytest.mark.slow, pytest.mark.postgres]

ACTOR = Actor("system", "test")
POOL = 3


@pytest.fixture(scope="module")
def server() -> Iterator[FailingServer]:
    with failing_server() as server:
        yield server


@pytest.fixture
def url(server: FailingServer, request: pytest.FixtureRequest) -> Iterator[str]:
    name = f"test_{abs(hash(request.node.nodeid))}"
    server.execute(f"CREATE DATABASE {name}")
    yield server.url.replace("/postgres?", f"/{name}?")
    server.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def answered(count: int, asked: "set[asyncio.Task[httpx.Response]]") -> list[httpx.Response]:
    """The first answers, which leave the calls that still wait in ``asked``."""
    answers: list[httpx.Response] = []
    async with asyncio.timeout(BOUND_SECONDS):
        while len(answers) < count:
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
            answers += [task.result() for task in done]
            asked -= done
    return answers


async def test_while_the_database_hangs_the_portal_lives_and_says_try_again(
    server: FailingServer, url: str, tmp_path: Path
) -> None:
    settings = {"database.pool_size": POOL, "database.wait_seconds": 0.2}
    async with run_portal(url, tmp_path, **settings) as portal:
        await portal.ready()
        with server.frozen():
            asked = {asyncio.create_task(portal.http.get(path)) for path in ("/api/me", "/") * (2 * POOL)}
            refused = await answered(4 * POOL - POOL, asked)
            assert {answer.status_code for answer in refused} == {503}
            assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
            told = [answer.json() for answer in refused if answer.url.path.startswith("/api/")]
            assert {problem["code"] for problem in told} == {"busy"}
            assert all("几秒后再试" in problem["zh"] and "few seconds" in problem["en"] for problem in told)
            pages = [answer.text for answer in refused if not answer.url.path.startswith("/api/")]
            assert pages
            assert all("几秒后再试" in page for page in pages)
            alive, unready = await portal.health("/livez"), await portal.health("/readyz")
            assert (alive.status_code, unready.status_code) == (200, 503)
            assert "database" in unready.json()["unready"]
            assert (await portal.http.get("/static/base.js")).status_code == 200
            assert 0 < len(asked) <= POOL, "a task of the portal may have had one of the connections"
        held = await asyncio.gather(*asked)
        assert {answer.status_code for answer in held} == {200}
        assert (await portal.http.get("/api/me")).status_code == 200
        await portal.ready()


@pytest.mark.parametrize("error", [ZeroDivisionError("a defect"), TimeoutError("of a library"), Retryable("away")])
async def test_a_background_task_that_ends_in_an_error_ends_nothing_else(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    began, again = asyncio.Event(), asyncio.Event()

    async def run(_: Relay) -> None:
        if not began.is_set():
            began.set()
            raise error
        again.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(Relay, "run", run)
    monkeypatch.setattr(periodic, "AGAIN_AFTER", 0.0)
    failures = metrics.PERIODIC_FAILURES.labels("relay")
    before = failures._value.get()
    async with run_portal(url, tmp_path) as portal, asyncio.timeout(BOUND_SECONDS):
        await again.wait()
        assert failures._value.get() == before + 1
        assert (await portal.http.get("/api/me")).status_code == 200
        assert (await portal.health("/livez")).status_code == 200


class Load:
    """Four people draft without a break; ``heard`` are the statuses, in order."""

    def __init__(self, portal: RunningPortal) -> None:
        self._portal = portal
        self._change = asyncio.Event()
        self.heard: list[int] = []
        self.kept: list[str] = []

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(4):
                group.create_task(self._draft())

    async def _draft(self) -> None:
        while True:
            answer = await self._portal.draft()
            if answer.status_code == 201:
                self.kept.append(answer.json()["id"])
            else:
                assert answer.status_code == 503, answer.text
                assert answer.headers["Retry-After"]
            self.heard.append(answer.status_code)
            self._change.set()

    async def more(self, status: int, count: int = 5) -> None:
        """Wait until so many more answers of this status were heard."""
        wanted = self.heard.count(status) + count
        async with asyncio.timeout(BOUND_SECONDS):
            while self.heard.count(status) < wanted:
                self._change.clear()
                await self._change.wait()


@pytest.mark.parametrize("fault", ["restart", "read-only"])
async def test_what_was_answered_is_there_and_the_rest_is_told_to_try_again(
    server: FailingServer, url: str, tmp_path: Path, fault: str
) -> None:
    faults = {
        "restart": (server.stop, server.start),
        "read-only": (partial(server.take_changes, False), partial(server.take_changes, True)),
    }
    async with run_portal(url, tmp_path) as portal:
        await goes_on_after(portal, *faults[fault])


@pytest.mark.tool("pgbouncer")
@pytest.mark.parametrize("fault", ["the pooler", "the server behind it"])
async def test_behind_a_pooler_all_goes_on_after_a_restart_of_either(
    server: FailingServer, url: str, tmp_path: Path, fault: str
) -> None:
    with started_pooler(server.url) as pooler:
        restarted = pooler if fault == "the pooler" else server
        # more connections than the pooler makes of its own, and all of them in use
        settings = {"database.pooler": True, "database.pool_size": 3 * CONNECTIONS}
        async with run_portal(pooler.url(url), tmp_path, **settings) as portal:
            await goes_on_after(portal, restarted.stop, restarted.start)


async def goes_on_after(portal: RunningPortal, begin: Callable[[], None], end: Callable[[], None]) -> None:
    """Draft without a break while a fault begins and ends; what was answered with success is there."""
    load = Load(portal)
    loading = asyncio.create_task(load.run())
    try:
        await _beside(loading, load.more(201))
        await asyncio.to_thread(begin)
        try:
            await _beside(loading, load.more(503))
            assert (await portal.health("/readyz")).status_code == 503
            assert (await portal.health("/livez")).status_code == 200
        finally:
            await asyncio.to_thread(end)
        await _beside(loading, load.more(201))
        await portal.ready()
    finally:
        loading.cancel()
        await asyncio.wait({loading})
    there = portal.container.database.read_now(ACTOR, lambda uow: set(uow.session.scalars(select(Application.id))))
    assert set(load.kept) <= there


async def _beside(loading: "asyncio.Task[None]", waiting: Awaitable[None]) -> None:
    """Wait for it, unless the load ends in an error."""
    task = asyncio.ensure_future(waiting)
    await asyncio.wait({loading, task}, return_when=asyncio.FIRST_COMPLETED)
    if loading.done():
        task.cancel()
        loading.result()
    await task


@pytest.fixture(scope="module")
def standby() -> Iterator[FailingServer]:
    """A second server; what is written to one is not on the other."""
    with failing_server() as server:
        yield server


async def test_of_two_hosts_the_one_that_takes_changes_is_used_and_after_a_failover_the_other(
    server: FailingServer, standby: FailingServer
) -> None:
    hosts = [server, standby]
    url = f"postgresql+psycopg://postgres@/postgres?host={server.socket}&host={standby.socket}"
    for host in hosts:
        engine = connect(host.url)
        database_schema.migrate(engine)
        engine.dispose()
    standby.take_changes(False)
    database = open_database(
        url, SystemClock(), Rules(max_use_days=30), connections=DatabaseSettings(pool_size=2, wait_seconds=1)
    )
    try:
        for own, other, key in ((server, standby, "one"), (standby, server, "two")):
            add(database, key)
            assert await database.readiness.check() is None
            assert key in departments(own)
            own.take_changes(False)
            with pytest.raises(Retryable, match=r"takes no changes|did not answer"):
                until_error(lambda: add(database, "never"))
            assert await database.readiness.check() is not None
            other.take_changes(True)
        add(database, "three")
        assert await database.readiness.check() is None
    finally:
        database.close()
        for host in hosts:
            host.take_changes(True)
    assert departments(server) == {"one", "three"}
    assert departments(standby) == {"two"}


def until_error(act: Callable[[], None]) -> None:
    """A server takes its settings anew a moment after it was told to."""
    while True:
        act()


def add(database: Database, key: str) -> None:
    """Add a department, or replace it."""

    def act(uow: UnitOfWork) -> None:
        uow.session.execute(text("DELETE FROM departments WHERE id = 'never'"))
        if key != "never":
            uow.session.add(Department(id=key, name_zh=key, name_en=key, kind="business"))
        else:
            uow.session.execute(text("UPDATE departments SET name_en = name_en"))

    database.run_now(ACTOR, act)


def departments(server: FailingServer) -> set[str]:
    engine = connect(str(make_url(server.url).render_as_string(hide_password=False)))
    try:
        with engine.connect() as connection:
            return set(connection.execute(text("SELECT id FROM departments")).scalars())
    finally:
        engine.dispose()

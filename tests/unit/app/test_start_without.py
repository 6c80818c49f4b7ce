"""What a process does at its start while a store or the database is away, and what it refuses all the same."""

import asyncio
import io
import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import httpx
import pytest

from services.app import container as container_module
from services.app import server
from services.app.container import Container, open_container, open_migrated_database
from services.cli import processes
from services.database.unit_of_work import Actor
from services.domain.audit import trail
from services.runtime.clock import Clock, SystemClock
from services.runtime.errors import Fatal, Retryable
from services.runtime.health import Health
from services.runtime.jobs.failures import Backoff
from services.runtime.settings import Settings
from services.runtime.settings.stores import FolderStore, S3Store
from services.vault.store.opening import open_store
from services.vault.store.protocol import BUCKETS, Store, StoreDown, StoreRefused

ACTOR = Actor("system", "test")
ANSWERS = 15  # seconds


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.fixture
def away(tmp_path: Path, free_port: int) -> Settings:
    """The settings of a process whose store does not answer."""
    store = {"endpoint": f"127.0.0.1:{free_port}", "access_key": "a", "secret_key": "b", "secure": False}
    return Settings.load(data_dir=tmp_path / "var", store=store, replica={"folder": tmp_path / "replica"})


async def test_the_portal_starts_and_people_sign_in_while_the_store_is_away(away: Settings) -> None:
    container = open_container(away, apart=True)
    app = container.portal()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        assert (await client.get("/login")).status_code == 200
        assert (await client.get("/inbox")).status_code == 303  # to the login, and to no store
    with pytest.raises(StoreDown):
        container.store.stat("documents", "a/1")
    container.database.close()


async def test_what_needs_the_store_says_so_with_a_time_to_come_again(away: Settings) -> None:
    container = open_container(away, apart=True)
    app = container.portal()

    @app.get("/api/needs-the-store")
    def needs() -> None:
        container.store.stat("documents", "a/1")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        answer = await client.get("/api/needs-the-store")
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "10")
    assert answer.json()["en"].startswith("The object storage does not answer")
    assert answer.json()["zh"].startswith("对象存储没有应答")
    container.database.close()


async def test_readiness_names_a_store_that_is_away_and_stays_ready(away: Settings) -> None:
    container = open_container(away, apart=True)
    _ = container.store
    health = Health()
    await server.watch_stores(container.opened_stores, health)
    assert list(health.away) == ["store primary"]
    assert "see that it runs and can be reached" in health.away["store primary"]
    assert await health.unready() == {}
    container.database.close()


async def test_readiness_names_a_store_whose_folder_is_gone(tmp_path: Path) -> None:
    container, health = open_container(Settings.load(data_dir=tmp_path), apart=True), Health()
    _ = container.store
    (tmp_path / "store").rename(tmp_path / "elsewhere")

    await server.watch_stores(container.opened_stores, health)

    assert "footage-desk-masters, footage-desk-copies" in health.away["store primary"]
    (tmp_path / "elsewhere").rename(tmp_path / "store")
    await server.watch_stores(container.opened_stores, health)
    assert health.away == {}
    container.database.close()


def test_the_first_start_of_one_process_waits_for_the_stores_that_it_makes(away: Settings) -> None:
    with pytest.raises(Retryable) as error:
        open_container(away)
    assert error.value.away == "store"


@pytest.mark.parametrize("apart", [True, False])
def test_a_store_that_refuses_ends_the_start_at_once(apart: bool, tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path)
    (tmp_path / "store" / "footage-desk-masters" / "objects").mkdir(parents=True)  # no rules hold there
    with pytest.raises((StoreRefused, Fatal), match="nothing says that object lock holds"):
        _ = open_container(settings, apart=apart).store


def test_a_store_that_comes_back_without_its_rules_is_refused_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load(data_dir=tmp_path)
    container = open_container(settings, apart=True)
    with monkeypatch.context() as patch:
        patch.setattr("services.vault.store.folder.FolderStore.missing", _is_down)
        store: Store = container.store
    (tmp_path / "store" / "footage-desk-masters" / "objects").mkdir(parents=True)
    with pytest.raises(StoreRefused, match="nothing says that object lock holds"):
        store.stat("masters", "a/1")
    assert not (tmp_path / "store" / "footage-desk-documents").exists()  # nothing was made beside it


def test_a_store_that_others_use_since_a_first_start_is_not_taken_for_another_installations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings.load(data_dir=tmp_path)
    late, stranger = (open_container(settings, apart=True) for _ in range(2))
    with monkeypatch.context() as patch:
        patch.setattr("services.vault.store.folder.FolderStore.missing", _is_down)
        stores = [late.store, stranger.store]
    at_work = open_container(settings, apart=True)
    at_work.store.put("documents", "DQ-1.json", io.BytesIO(b"{}"), metadata={})
    with pytest.raises(Fatal, match="has objects of an installation"):
        stores[1].stat("documents", "DQ-1.json")  # of which the register knows nothing
    at_work.database.run_now(ACTOR, trail.record, "document-filed", "document", "DQ-1")

    assert all(store.stat("documents", "DQ-1.json") for store in stores)
    for container in (late, stranger, at_work):
        container.database.close()


def _is_down(_store: Store) -> list[str]:
    raise StoreDown("the store does not answer")


class Attempts:
    """Opens a container at the third try."""

    def __init__(self, folder: Path, seen: Callable[[], None] = lambda: None, last: Exception | None = None) -> None:
        self.folder, self.seen, self.last = folder, seen, last
        self.made = 0

    def __call__(self) -> Container:
        self.made += 1
        if self.made < 3:
            self.seen()
            raise Retryable("the database did not answer | postgres:5432", away="database")
        if self.last is not None:
            raise self.last
        return open_container(Settings.load(data_dir=self.folder))


INSTANT = timedelta(microseconds=1)
AT_ONCE = Backoff(first=INSTANT, longest=INSTANT, jitter=0)
DOWN = Retryable("the database did not answer | postgres:5432", away="database")


async def test_a_start_waits_for_the_database_alive_and_not_ready(tmp_path: Path, free_port: int) -> None:
    settings = Settings.load(data_dir=tmp_path, health={"port": free_port})
    told: list[tuple[int, int, str]] = []

    def look() -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{free_port}", timeout=ANSWERS) as client:
            ready = client.get("/readyz")
            told.append((client.get("/livez").status_code, ready.status_code, ready.json()["unready"]["start"]))

    attempt = Attempts(tmp_path, look)
    container = await server.open_when_back(settings, attempt, DOWN, AT_ONCE)

    assert container is not None
    assert attempt.made == 3
    assert told == [(200, 503, "the database did not answer | postgres:5432")] * 2
    container.database.close()


async def test_a_wrong_password_ends_the_wait_with_its_sentence(tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path, health={"port": 0})
    wrong = Retryable("the database did not answer | password authentication failed")
    with pytest.raises(ExceptionGroup) as group:
        await server.open_when_back(settings, Attempts(tmp_path, last=wrong), DOWN, AT_ONCE)
    assert group.value.exceptions == (wrong,)


async def test_a_signal_ends_the_wait(tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path, health={"port": 0})
    once = Backoff(first=INSTANT, factor=1e12, longest=timedelta(hours=1), jitter=0)
    attempt = Attempts(tmp_path, lambda: os.kill(os.getpid(), signal.SIGTERM))
    async with asyncio.timeout(ANSWERS):
        assert await server.open_when_back(settings, attempt, DOWN, once) is None
    assert attempt.made == 1


def test_every_process_waits_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    attempt = Attempts(tmp_path)

    @contextmanager
    def locked(_settings: Settings, *, apart: bool) -> Iterator[Container]:
        assert apart
        yield attempt()

    monkeypatch.setattr(processes, "locked_container", locked)
    monkeypatch.setattr(server, "open_when_back", partial(server.open_when_back, backoff=AT_ONCE))
    with processes._opened(Settings.load(data_dir=tmp_path, health={"port": 0}), apart=True) as container:
        assert attempt.made == 3
        container.database.close()


def test_the_migration_makes_the_buckets_of_the_stores_that_it_is_given(
    away: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def at_hand(place: object, clock: Clock) -> Store:
        assert isinstance(place, S3Store)
        return open_store(FolderStore(tmp_path / "s3", place.prefix), clock)

    monkeypatch.setattr(container_module, "open_store", at_hand)
    database = open_migrated_database(away, SystemClock())
    assert container_module.make_buckets(away, database, SystemClock()) == ["primary"]
    assert len(list((tmp_path / "s3").iterdir())) == len(BUCKETS)
    assert not (tmp_path / "replica").exists()  # a folder is made by the first start
    database.close()

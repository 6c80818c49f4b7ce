"""What a process does at its start while a store is away, and what it refuses all the same."""

import io
import socket
from pathlib import Path

import httpx
import pytest

from services.app import container as container_module
from services.app.container import open_container, open_migrated_database
from services.database.unit_of_work import Actor
from services.domain.audit import trail
from services.runtime.clock import Clock, SystemClock
from services.runtime.errors import Fatal, Retryable
from services.runtime.settings import Settings
from services.runtime.settings.stores import FolderStore, S3Store
from services.vault.store.opening import open_store
from services.vault.store.protocol import BUCKETS, Store, StoreDown, StoreRefused

ACTOR = Actor("system", "test")


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


def test_a_store_that_takes_connections_and_never_answers_is_not_waited_for_long(
    away: Settings, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(container_module, "OPENING_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", free_port)):
        container = open_container(away, apart=True)
        for _ in range(2):  # at the start, and when it is first used
            with pytest.raises(StoreDown, match="timed out"):
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
    assert answer.json()["en"].startswith("The object storage is not responding")
    assert answer.json()["zh"].startswith("对象存储没有应答")
    container.database.close()


def test_the_first_start_of_one_process_waits_for_the_stores_that_it_makes(away: Settings) -> None:
    with pytest.raises(Retryable) as error:
        open_container(away)
    assert error.value.away == "store"


@pytest.mark.parametrize("apart", [True, False])
def test_a_store_that_refuses_ends_the_start_at_once(apart: bool, tmp_path: Path) -> None:
    settings = Settings.load(data_dir=tmp_path)
    (tmp_path / "store" / "footage-desk-masters" / "objects").mkdir(parents=True)  # no rules hold there
    with pytest.raises((StoreRefused, Fatal), match="object lock is not known to hold"):
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
    with pytest.raises(StoreRefused, match="object lock is not known to hold"):
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

"""The head of the audit trail is signed as time goes by, put under a lock, and in nobody's way when that fails."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from new_database import lay_out
from trail import list_anchors

from services.database import schema as database_schema
from services.database.unit_of_work import Actor, Database
from services.domain.audit import checkpoints
from services.domain.audit import trail as audit_trail
from services.domain.audit.checkpoint_publisher import CheckpointPublisher
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.rules import Rules
from services.runtime.settings.stores import FolderStore
from services.vault.keys.log_key import LogKey
from services.vault.store.opening import open_store
from services.vault.store.protocol import Store, StoreDown, StoreLocked

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
ACTOR = Actor("system", "test")
HOUR = timedelta(hours=1)


@dataclass
class Stamper:
    """Says what it was given."""

    seen: list[bytes] = field(default_factory=list)

    def stamp(self, data: bytes) -> bytes | None:
        self.seen.append(data)
        return b"stamp"


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = open_database(f"sqlite:///{tmp_path / 'books.db'}", FixedClock(NOON), Rules(max_use_days=30))
    lay_out(database)
    grow(database)
    yield database
    database.close()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = open_store(FolderStore(path=tmp_path / "store", prefix="test"), FixedClock(NOON))
    store.ensure()
    return store


def grow(database: Database) -> None:
    database.run_now(ACTOR, lambda uow: audit_trail.record(uow, "tried", "test", "one"))


def head_of(database: Database, store: Store, stamper: Stamper | None = None) -> CheckpointPublisher:
    key = LogKey(Ed25519PrivateKey.from_private_bytes(bytes(32)))
    return CheckpointPublisher(database, key, store, every=HOUR, anchor_every=HOUR, time_stamper=stamper)


def text_of(store: Store, key: str) -> str:
    return b"".join(store.get("documents", key)).decode()


@pytest.mark.requirement("R52", refuses=True)
async def test_it_is_signed_and_put_away_at_the_start_and_when_the_clock_is_turned(
    database: Database, store: Store
) -> None:
    stamper = Stamper()
    signed = asyncio.Queue[int]()
    loop = asyncio.get_running_loop()
    database.on("commit", lambda: loop.call_soon_threadsafe(signed.put_nowait, 1))
    head = head_of(database, store, stamper)
    running = asyncio.create_task(head.run())
    async with asyncio.timeout(10):
        while not await database.run(ACTOR, list_anchors):
            await signed.get()
        await database.run(ACTOR, lambda uow: audit_trail.record(uow, "tried", "test", "two"))
        database.clock = FixedClock(NOON + HOUR)
        head.wake()
        while len(await database.run(ACTOR, list_anchors)) < 2:
            await signed.get()
    running.cancel()

    one, two = await database.run(ACTOR, list_anchors)
    assert [one.key, two.key] == ["checkpoints/1", "checkpoints/2"]
    assert [data.decode() for data in stamper.seen] == [
        text_of(store, "checkpoints/1"),
        text_of(store, "checkpoints/2"),
    ]
    row = await database.run(ACTOR, checkpoints.get_newest)
    assert row is not None
    assert text_of(store, "checkpoints/2") == row.note
    assert two.token == b"stamp"
    facts = store.stat("documents", "checkpoints/1")
    assert facts is not None
    assert facts.retain_until == one.retain_until
    with pytest.raises(StoreLocked):
        store.delete("documents", "checkpoints/1", one.version_id)


async def test_what_a_run_that_died_has_put_away_is_taken(database: Database, store: Store) -> None:
    head = head_of(database, store)
    await head.sign()
    due = await database.run(ACTOR, checkpoints.get_due_anchor, HOUR)
    assert due is not None
    key, version, _ = head._put(due)
    await head.anchor()

    [anchor] = await database.run(ACTOR, list_anchors)
    assert (anchor.key, anchor.version_id) == (key, version)


async def test_another_history_in_the_store_is_not_overwritten(
    database: Database, store: Store, tmp_path: Path
) -> None:
    head = head_of(database, store)
    await head.sign()
    await head.anchor()
    before = text_of(store, "checkpoints/1")
    restored = open_database(f"sqlite:///{tmp_path / 'restored.db'}", FixedClock(NOON + HOUR), Rules(max_use_days=30))
    database_schema.migrate(restored.engine)
    grow(restored)
    again = head_of(restored, store)
    await again.sign()
    await again.anchor()

    [anchor] = await restored.run(ACTOR, list_anchors)
    restored.close()
    assert anchor.key.startswith("checkpoints/1-")
    assert text_of(store, "checkpoints/1") == before != text_of(store, anchor.key)


async def test_a_store_that_is_away_is_tried_again_and_the_head_is_signed_all_the_same(
    database: Database, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = head_of(database, store)

    def away(*_: object, **__: object) -> None:
        raise StoreDown("the store is away")

    with monkeypatch.context() as patch:
        patch.setattr(store, "put", away)
        assert await head.sign() is not None
        await head.anchor()
    assert await database.run(ACTOR, list_anchors) == []
    await head.anchor()
    assert len(await database.run(ACTOR, list_anchors)) == 1


async def test_a_history_that_is_not_signed_is_told_and_the_portal_goes_on(
    database: Database, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    head = head_of(database, store)
    grow(database)
    await head.sign()
    with database.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER audit_events_no_delete")
        connection.exec_driver_sql("DELETE FROM audit_events WHERE seq = 2")
    assert await head.sign() is None

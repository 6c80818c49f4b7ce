"""Readiness asks by a connection of its own: the pool may be used up, and other processes may write."""

import asyncio
import threading

import pytest
from sqlalchemy import event

from services.database.unit_of_work import Actor, Database, UnitOfWork

pytestmark = pytest.mark.both_databases
ACTOR = Actor("system", "test")


async def test_it_needs_no_place_in_the_pool(database: Database) -> None:
    taken = [database.engine.pool.connect() for _ in range(database.engine.pool.size())]  # type: ignore[attr-defined]
    try:
        assert await database.readiness.check() is None
    finally:
        for connection in taken:
            connection.close()


async def test_it_waits_for_no_writer(database: Database) -> None:
    began, end = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def write(uow: UnitOfWork) -> None:
        uow.session.connection()
        loop.call_soon_threadsafe(began.set)
        end.wait()

    writing = asyncio.create_task(database.run(ACTOR, write))
    await began.wait()
    try:
        assert await database.readiness.check() is None
    finally:
        end.set()
        await writing


async def test_a_check_that_hangs_keeps_one_thread_and_the_next_one_says_so(database: Database) -> None:
    assert await database.readiness.check() is None
    assert database.readiness._engine is not None
    asked, answer = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()

    def hang(*_: object) -> None:
        loop.call_soon_threadsafe(asked.set)
        answer.wait()

    event.listen(database.readiness._engine, "before_cursor_execute", hang)
    first = asyncio.create_task(database.readiness.check())
    await asked.wait()
    for _ in range(3):
        assert await database.readiness.check() == "the database has not answered the check before this one"
    answer.set()
    assert await first is None
    assert await database.readiness.check() is None


async def test_units_beyond_the_pool_are_sent_away_and_readers_wait_for_no_writer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On SQLite writers take turns, and those that wait for theirs hold no place of a reader."""
    held, end = asyncio.Queue[None](), threading.Event()
    loop = asyncio.get_running_loop()

    def wait(uow: UnitOfWork) -> None:
        uow.session.connection()
        loop.call_soon_threadsafe(held.put_nowait, None)
        end.wait()

    sqlite = database.engine.dialect.name == "sqlite"
    unit = database.run if sqlite else database.read
    waiting = [asyncio.create_task(unit(ACTOR, wait)) for _ in range(15)]
    for _ in range(1 if sqlite else 15):
        await held.get()
    try:
        if sqlite:
            assert await database.read(ACTOR, lambda uow: uow.reading)
        else:
            monkeypatch.setattr(database._reading_slots, "_wait_seconds", 0.001)
            with pytest.raises(Exception, match="every connection of this process was in use") as refused:
                await database.read(ACTOR, lambda uow: uow.reading)
            assert type(refused.value).__name__ == "Busy"
            assert database.hung_seconds() > 0
    finally:
        end.set()
        await asyncio.gather(*waiting)
    assert database.hung_seconds() == 0

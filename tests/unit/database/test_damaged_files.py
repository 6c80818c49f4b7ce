"""A database file that is damaged, or a disk that is full, gets a sentence that says what to do."""

from pathlib import Path

import pytest
from new_database import lay_out
from sqlalchemy import event, text

from services.database import schema as database_schema
from services.database.engine import connect
from services.database.tables.people import Department
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.wiring import open_database
from services.runtime.clock import SystemClock
from services.runtime.errors import Fatal, Retryable
from services.runtime.rules import Rules

ACTOR = Actor("system", "test")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "database.sqlite3"


def opened(path: Path) -> Database:
    return open_database(f"sqlite:///{path}", SystemClock(), Rules(max_use_days=30))


def add_departments(uow: UnitOfWork) -> None:
    uow.session.add_all(
        Department(id=f"d{number}", name_zh="部" * 500, name_en="d" * 500, kind="business") for number in range(500)
    )


def test_a_file_that_is_no_database_is_named_with_the_way_back(path: Path) -> None:
    path.write_bytes(b"not a database at all\n" * 500)

    with pytest.raises(Fatal) as refused:
        database_schema.migrate(connect(f"sqlite:///{path}"))

    assert str(path) in str(refused.value)
    assert "restore the newest backup with footage-desk restore" in str(refused.value)
    assert path.read_bytes().startswith(b"not a database")


def test_a_damaged_page_is_named_too(path: Path) -> None:
    database = opened(path)
    lay_out(database)
    database.run_now(ACTOR, add_departments)
    database.close()
    content = path.read_bytes()
    size = int.from_bytes(content[16:18])
    path.write_bytes(content[:size] + b"\xff" * (len(content) - size))

    with pytest.raises(Fatal, match=r"the file is damaged"):
        opened(path).run_now(ACTOR, lambda uow: uow.session.query(Department).all())


def test_a_full_disk_says_so_and_nothing_is_written(path: Path) -> None:
    database = opened(path)
    lay_out(database)

    @event.listens_for(database.engine, "connect")
    def limit(connection: object, _record: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]  # type: ignore[attr-defined]
        connection.execute(f"PRAGMA max_page_count={pages}")  # type: ignore[attr-defined]

    database.engine.dispose()

    with pytest.raises(Retryable, match=r"the disk is full .* nothing was written"):
        database.run_now(ACTOR, add_departments)
    assert (
        database.run_now(ACTOR, lambda uow: uow.session.execute(text("SELECT count(*) FROM departments")).scalar()) == 0
    )

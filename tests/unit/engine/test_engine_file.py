"""The engine's file: what cannot be used is refused, no statement reads a table whole."""

import re
import sqlite3
from collections import defaultdict
from contextlib import closing
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest
from bpmn_makers import ONE_JOB
from engine_harness import EngineHarness

from services.engine.errors import UnusableDataFile
from services.engine.inspection.client import InspectionError, query_engine
from services.engine.state.statements import Statement
from services.engine.state.store import FILE_NAME, FORMAT_VERSION, Store

STATES = ("incidents", "instances", "jobs", "messages", "process_definitions", "records", "signals", "timers")
SCAN = re.compile(r"SCAN (?!CONSTANT ROW|.*USING .*INDEX)")


@pytest.mark.parametrize(
    ("version", "refusal"),
    [
        (FORMAT_VERSION + 1, "written by a newer version; use that version"),
        (FORMAT_VERSION - 1, "written by an older version, .*; finish its cases with that version, or move the file"),
        (0, "written by an older version"),
    ],
)
def test_a_file_of_another_version_is_refused_and_left_as_it_is(tmp_path: Path, version: int, refusal: str) -> None:
    Store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as file:
        file.execute(f"PRAGMA user_version = {version}")
        file.execute("DROP TABLE timers")
        file.commit()
    written = (tmp_path / FILE_NAME).read_bytes()

    with pytest.raises(UnusableDataFile, match=refusal):
        Store(tmp_path)
    with pytest.raises(InspectionError, match=refusal):
        query_engine(tmp_path, "incidents")

    assert (tmp_path / FILE_NAME).read_bytes() == written


def test_a_new_file_gives_no_key_that_an_earlier_engine_or_a_zeebe_broker_gave(tmp_path: Path) -> None:
    keys: list[tuple[int, int]] = []
    for name in ("lost", "new"):
        store = Store(tmp_path / name)
        first = store.next_key()
        for _ in range(1000):
            last = store.next_key()
        keys.append((first, last))
        store.close()

    (_, last_of_lost), (first_of_new, last_of_new) = keys
    assert last_of_lost < first_of_new
    # partition 1 of Zeebe, and files of earlier versions, count from 2**51; partition 2 from 2**52
    assert 2**51 + 10**12 < first_of_new < last_of_new < 2**52


def test_a_file_goes_on_with_its_own_keys(tmp_path: Path) -> None:
    harness = EngineHarness(tmp_path)
    harness.deploy(ONE_JOB)
    before = harness.store.next_key()
    harness.store.rollback()
    harness.store.begin()
    assert harness.store.next_key() == before
    harness.store.commit()
    harness.store.close()

    again = Store(tmp_path)
    assert again.next_key() == before + 1
    again.close()


@pytest.mark.parametrize("kept", [0.5, 100, "overwritten"])
def test_a_file_that_was_cut_off_or_damaged_is_refused(tmp_path: Path, kept: float | str) -> None:
    harness = EngineHarness(tmp_path)
    harness.deploy(ONE_JOB)
    harness.store.close()
    path = tmp_path / FILE_NAME
    content = path.read_bytes()
    if isinstance(kept, str):
        content = b"\0" * 200 + content[200:]
    else:
        content = content[: int(kept if kept > 1 else len(content) * kept)]
    path.write_bytes(content)

    with pytest.raises(UnusableDataFile, match=r"damaged or cut off .*; restore it from a backup"):
        Store(tmp_path)

    assert path.read_bytes() == content


def test_a_file_whose_counters_are_damaged_is_refused_and_let_go(tmp_path: Path) -> None:
    Store(tmp_path).close()
    path = tmp_path / FILE_NAME
    with closing(sqlite3.connect(path)) as file:
        [(page,)] = file.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'counters'")
        [(size,)] = file.execute("PRAGMA page_size")
    content = path.read_bytes()
    path.write_bytes(content[: (page - 1) * size] + b"\x55" * size + content[page * size :])

    with pytest.raises(UnusableDataFile, match=r"damaged or cut off .*; restore it from a backup") as refusal:
        Store(tmp_path)

    assert isinstance(
        refusal.value.__cause__, sqlite3.Error
    )  # whose traceback holds the store: it is closed all the same
    with closing(sqlite3.connect(path, timeout=0)) as file:
        file.execute("BEGIN IMMEDIATE")


@pytest.mark.parametrize("name", STATES)
def test_no_statement_of_a_step_reads_a_table_from_end_to_end(name: str, tmp_path: Path) -> None:
    module = import_module(f"services.engine.state.{name}")
    Store(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as file:
        plans = [
            (statement.sql, row[3])
            for statement in statements(module)
            for row in file.execute(f"EXPLAIN QUERY PLAN {statement.sql}", defaultdict(int))
        ]

    assert plans
    assert [sql for sql, plan in plans if SCAN.match(plan)] == []


def statements(module: ModuleType) -> list[Statement]:
    """All but that of every open incident, which no step asks for, and that of the few oldest records."""
    return [v for name, v in vars(module).items() if isinstance(v, Statement) and name not in ("_ALL", "_LAST_OLD")]

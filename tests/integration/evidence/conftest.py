"""Packages of whole cases, made once for all tests here; and those of a forger with other keys."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import evidence_case
import pytest
import whole_footage
from demo_container import prepare_database
from evidence_case import Made
from whole_footage import MADE_FOR, Footage


@pytest.fixture(scope="session")
def case_footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return whole_footage.make(tmp_path_factory.mktemp("evidence-footage"))


@pytest.fixture(scope="session")
def case_books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_database(tmp_path_factory.mktemp("evidence-database") / "database.sqlite3", MADE_FOR)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, case_footage: Footage, case_books: Path) -> Made:
    return _made(tmp_path_factory.mktemp("evidence"), case_footage, case_books)


@pytest.fixture(scope="session")
def forged(tmp_path_factory: pytest.TempPathFactory, case_footage: Footage, case_books: Path) -> Made:
    """The same case in an installation that a forger has set up: the same names, the same footage, other keys."""
    return _made(tmp_path_factory.mktemp("evidence-forged"), case_footage, case_books)


def _made(folder: Path, footage: Footage, books: Path) -> Made:
    """In a thread of its own: an open browser has a loop in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, evidence_case.made_in(folder, footage, books)).result()

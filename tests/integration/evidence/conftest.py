"""Packages of whole cases, made once for all tests here; and those of a forger's house, which has keys of its own."""

import asyncio
from pathlib import Path

import evidence_case
import pytest
import whole_footage
from evidence_case import Made
from whole_footage import MADE_FOR, Footage
from whole_house import prepare_books


@pytest.fixture(scope="session")
def case_footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return whole_footage.make(tmp_path_factory.mktemp("evidence-footage"))


@pytest.fixture(scope="session")
def case_books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_books(tmp_path_factory.mktemp("evidence-books") / "register.db", MADE_FOR)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory, case_footage: Footage, case_books: Path) -> Made:
    folder = tmp_path_factory.mktemp("evidence-house")
    return asyncio.run(evidence_case.made_in(folder, case_footage, case_books))


@pytest.fixture(scope="session")
def forged(tmp_path_factory: pytest.TempPathFactory, case_footage: Footage, case_books: Path) -> Made:
    """The same case in a house that a forger has set up: the same names, the same footage, other keys."""
    folder = tmp_path_factory.mktemp("evidence-forged")
    return asyncio.run(evidence_case.made_in(folder, case_footage, case_books))

"""A small house for each test, on books that are made once."""

from pathlib import Path

import pytest
from safe_house import SafeHouse
from whole_footage import MADE_FOR
from whole_house import prepare_books


@pytest.fixture(scope="session")
def small_books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_books(tmp_path_factory.mktemp("books") / "register.db", MADE_FOR)


@pytest.fixture
def container(tmp_path: Path, small_books: Path) -> SafeHouse:
    return SafeHouse(tmp_path, small_books)

"""A small installation for each test, on books that are made once."""

from pathlib import Path

import pytest
from demo_container import prepare_database
from small_installation import SmallInstallation
from whole_footage import MADE_FOR


@pytest.fixture(scope="session")
def small_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return prepare_database(tmp_path_factory.mktemp("database") / "database.sqlite3", MADE_FOR)


@pytest.fixture
def installation(tmp_path: Path, small_database: Path) -> SmallInstallation:
    return SmallInstallation(tmp_path, small_database)

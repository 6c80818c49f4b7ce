"""A desk with books, vaults and a recorder for every test of a worker."""

from pathlib import Path

import pytest
from custody_desk import Desk, film


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film(tmp_path_factory.mktemp("footage") / "recorder")


@pytest.fixture
def desk(tmp_path: Path, footage: Path) -> Desk:
    return Desk(tmp_path, footage)

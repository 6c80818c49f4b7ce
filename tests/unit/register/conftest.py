"""Empty books of either database."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from new_books import lay_out

from services.database.unit_of_work import Register
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.rules import Rules


@pytest.fixture
def register(any_database_url: str) -> Iterator[Register]:
    """At noon of 4 March 2031."""
    clock = FixedClock(datetime(2031, 3, 4, 12, 0, tzinfo=UTC))
    register = open_database(any_database_url, clock, Rules(max_use_days=30))
    lay_out(register)
    yield register
    register.close()

"""The whole desk for process tests: on the embedded engine, or on the broker at ZEEBE_ADDRESS."""

import os
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import whole_footage
from case_people import OpenDesk, People
from demo_container import Places, prepare_database
from whole_broker import Broker
from whole_desk import open_desk
from whole_footage import MADE_FOR, Footage

ADDRESS, CLOCK, RECORDS = "ZEEBE_ADDRESS", "ZEEBE_CLOCK", "ZEEBE_RECORDS"
NO_BROKER = f"{ADDRESS} and {CLOCK} are not both set: set them to a broker's gateway and to the base of its clock."
SCENARIOS = "test_golden_on_broker.py"  # needs no clock, though it uses one


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tests that were asked for by the marker need a broker."""
    asked_for_broker = config.getoption("markexpr") == "zeebe"
    if asked_for_broker and _broker() is None:
        for item in items:
            if item.path.name != SCENARIOS:
                item.add_marker(pytest.mark.skip(reason=NO_BROKER))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Names the scenarios that a broker could not be compared in to the end."""
    ran = terminalreporter.getreports("passed")
    partly = [(one.nodeid, dict(one.user_properties).get("partly")) for one in ran if one.when == "call"]
    told = [f"{identity.rpartition('[')[2].rstrip(']')}: {why}" for identity, why in partly if why]
    if told:
        terminalreporter.section("compared in part")
        terminalreporter.write_line("\n".join(told))


def _broker() -> Broker | None:
    address, clock, records = (os.environ.get(name) for name in (ADDRESS, CLOCK, RECORDS))
    if not address or not clock:
        return None
    return Broker(address, clock.rstrip("/"), Path(records) if records else None)


@pytest.fixture(scope="session")
def made_footage(tmp_path_factory: pytest.TempPathFactory) -> Footage:
    return whole_footage.make(tmp_path_factory.mktemp("footage"))


@pytest.fixture(scope="session")
def prepared_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    # On a clock that runs, everybody has held their post since long ago, whatever it shows.
    moment = MADE_FOR if _broker() is None else datetime(2000, 1, 1, tzinfo=UTC)
    return prepare_database(tmp_path_factory.mktemp("database") / "database.sqlite3", moment)


@pytest.fixture
def places(tmp_path: Path, made_footage: Footage, prepared_database: Path) -> Places:
    return Places(tmp_path, made_footage, database=prepared_database)


@pytest.fixture
def a_year_on() -> None:
    """On a broker a year passes first: what earlier cases have left there waits under the periods of their time."""
    broker = _broker()
    if broker is not None:
        broker.turn(timedelta(days=366))


@pytest.fixture
def a_desk(request: pytest.FixtureRequest, places: Places) -> OpenDesk:
    """``async with a_desk(**settings) as desk``."""

    def open_it(**settings: Any) -> AbstractAsyncContextManager[People]:
        broker = _broker() if request.node.get_closest_marker("zeebe") else None
        return open_desk(People, places, broker=broker, moment=MADE_FOR, **settings)

    return open_it


@pytest.fixture
async def desk(a_desk: OpenDesk) -> AsyncIterator[People]:
    async with a_desk() as opened:
        yield opened

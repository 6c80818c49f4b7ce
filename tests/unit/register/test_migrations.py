"""Books of an earlier version come to this one with everything that is in them."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import inspect, text

from services.register import clocks, schema
from services.register.cameras import Recorder
from services.register.rules import Rules
from services.register.unit import Actor, Register
from services.runtime.clock import FixedClock

NOON = datetime(2031, 3, 4, 12, 0, tzinfo=UTC)
ASKED = NOON - timedelta(minutes=5)


@pytest.mark.requirement("R34")
def test_a_clock_that_was_known_before_stays_known_with_its_moment(any_database_url: str) -> None:
    register = Register(any_database_url, FixedClock(NOON), Rules(max_use_days=30))
    schema.migrate(register.engine, "0003")
    columns = "id, name, site, kind, configuration, zone, clock_offset_ms, clock_method, last_seen_at, active"
    insert = f"INSERT INTO recorders ({columns}) VALUES "  # noqa: S608  # our own words
    with register.engine.begin() as connection:
        for name, offset in (("known", "1500"), ("unknown", "NULL")):
            row = f"('{name}', '{name}', 'S', 'folder', '{{}}', 'UTC', {offset}, 'ntp', :seen, true)"
            connection.execute(text(insert + row), {"seen": ASKED.replace(tzinfo=None).isoformat(" ")})

    schema.migrate(register.engine)

    def known(name: str) -> clocks.Clock:
        return register.run_now(Actor("system", "test"), lambda unit: clocks.of(unit.session.get_one(Recorder, name)))

    assert known("known") == clocks.Clock(1500, "ntp", None, ASKED)
    assert known("unknown").measured_at is None
    assert {"protections", "reaches"} <= set(inspect(register.engine).get_table_names())
    register.close()

"""The register: applications drafted and submitted one after another; the peer commits one row as often."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table

from services.bench.figures import Peer, timed_now, told
from services.database import schema as database_schema
from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import Actor, Register, Unit
from services.demo.organisation import demo_id, seed_demo
from services.domain.applications import service as application_service
from services.domain.applications.forms import Form, ItemAsked
from services.domain.wiring import open_database
from services.runtime.clock import SystemClock
from services.runtime.rules import Rules

DAY = 86_400
CLERK = Actor("system", "bench")
DRAFTER = Actor("person", demo_id("lina"))
WHOLE_CASE = 107  # transactions of a case of one item from the form to the archive, with the relay's (counted)
_PEER = "commit one row of the same size as an event, as often as the applications commit"

_rows = Table("bench_peer", MetaData(), Column("id", Integer, primary_key=True), Column("entry", String))


@contextmanager
def opened(url: str, recordings: Path) -> Iterator[Register]:
    """Books with the demo organisation, at ``url``, which has to be empty."""
    register = open_database(url, SystemClock(), Rules(max_use_days=30))
    try:
        database_schema.migrate(register.engine)
        register.run_now(CLERK, seed_demo, recordings)
        yield register
    finally:
        register.close()


def apply(register: Register) -> Application:
    """Draft and submit one application, as two acts of its drafter."""
    drafted = register.run_now(DRAFTER, lambda unit: application_service.draft(unit, _form(unit)))
    register.run_now(DRAFTER, application_service.submit, drafted.id)
    return drafted


def measure(url: str, folder: Path, *, applications: int, runs: int) -> dict[str, Any]:
    """``applications`` in a row, ``runs`` times, each beside its peer."""
    seconds, peers = [], []
    with opened(url, folder / "recordings") as register:
        _rows.create(register.engine)
        entry = (
            register.run_now(CLERK, lambda unit: unit.session.query(AuditEvent.entry).limit(1).scalar()) or "x" * 400
        )
        for _ in range(runs):
            seconds.append(timed_now(lambda: _repeat(applications, lambda: apply(register))))
            peers.append(timed_now(lambda: _repeat(2 * applications, lambda: _commit(register, entry))))
        median = sorted(seconds)[len(seconds) // 2]
        return told(
            "register",
            seconds,
            Peer(_PEER, peers),
            database=register.engine.dialect.name,
            applications=applications,
            applications_per_second=applications / median,
            applications_submitted_per_day=int(applications / median * DAY),
            transactions_of_a_whole_case=WHOLE_CASE,
            whole_cases_per_day_by_transactions=int(2 * applications / median * DAY / WHOLE_CASE),
        )


def _form(unit: Unit) -> Form:
    start = (unit.now - timedelta(hours=3)).replace(microsecond=0)
    item = ItemAsked(demo_id("cam1"), start, start + timedelta(minutes=10), "Asia/Shanghai")
    return replace(_FORM, items=(item,))


_FORM = Form(
    reason="Goods were lost at gate 3.",
    purpose="To establish who went in and out.",
    purpose_category="security-incident",
    legal_basis="internal-management",
    way_of_use="view",
    place_of_use="Security office",
    requested_use_days=10,
    custodian_id=demo_id("liuyang"),
    items=(),
)


def _repeat(times: int, act: Any) -> None:
    for _ in range(times):
        act()


def _commit(register: Register, entry: str) -> None:
    with register.engine.begin() as connection:
        connection.execute(_rows.insert(), {"entry": entry})

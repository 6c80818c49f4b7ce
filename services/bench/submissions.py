"""Draft and submit applications one after another; the peer commits single rows."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Integer, MetaData, String, Table

from services.bench.figures import Peer, report, timed_sync
from services.database import schema as database_schema
from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo.organisation import demo_id, seed_demo
from services.domain.applications import service as application_service
from services.domain.applications.forms import Form, ItemAsked
from services.domain.wiring import open_database
from services.runtime.clock import SystemClock
from services.runtime.rules import Rules

DAY = 86_400
ACTOR = Actor("system", "bench")
DRAFTER = Actor("person", demo_id("lina"))
WHOLE_CASE = 135  # counted transactions of a case with one item, from the form to the archive, with the relay's
_PEER = "commit one row of the same size as an event, as often as the applications commit"

_rows = Table("bench_peer", MetaData(), Column("id", Integer, primary_key=True), Column("entry", String))


@contextmanager
def opened(url: str, recordings: Path) -> Iterator[Database]:
    """Open an empty database at ``url`` and seed it with the demo organisation."""
    database = open_database(url, SystemClock(), Rules(max_use_days=30))
    try:
        database_schema.migrate(database.engine)
        database.run_now(ACTOR, seed_demo, recordings)
        yield database
    finally:
        database.close()


def apply(database: Database) -> Application:
    """Draft and submit one application, in two transactions."""
    drafted = database.run_now(DRAFTER, lambda uow: application_service.create_draft(uow, _form(uow)))
    database.run_now(DRAFTER, application_service.submit, drafted.id)
    return drafted


def measure(url: str, folder: Path, *, applications: int, runs: int) -> dict[str, Any]:
    """Submit ``applications`` in a row, ``runs`` times, each beside its peer."""
    seconds, peers = [], []
    with opened(url, folder / "recordings") as database:
        _rows.create(database.engine)
        entry = database.run_now(ACTOR, lambda uow: uow.session.query(AuditEvent.entry).limit(1).scalar()) or "x" * 400
        for _ in range(runs):
            seconds.append(timed_sync(lambda: _repeat(applications, lambda: apply(database))))
            peers.append(timed_sync(lambda: _repeat(2 * applications, lambda: _commit(database, entry))))
        median = sorted(seconds)[len(seconds) // 2]
        return report(
            "database",
            seconds,
            Peer(_PEER, peers),
            database=database.engine.dialect.name,
            applications=applications,
            applications_per_second=applications / median,
            applications_submitted_per_day=int(applications / median * DAY),
            transactions_of_a_whole_case=WHOLE_CASE,
            whole_cases_per_day_by_transactions=int(2 * applications / median * DAY / WHOLE_CASE),
        )


def _form(uow: UnitOfWork) -> Form:
    start = (uow.now - timedelta(hours=3)).replace(microsecond=0)
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


def _commit(database: Database, entry: str) -> None:
    with database.engine.begin() as connection:
        connection.execute(_rows.insert(), {"entry": entry})

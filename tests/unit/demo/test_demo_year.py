"""The demo year: its trail is sound, its sample can be drawn again, and its numbers are those of plain SQL."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import rfc8785
from built_portal import portal_over
from demo_year import CASES, demo_year
from portal_client import MODELS
from sqlalchemy import select
from statements import statements

from services.backup.database_export import snapshot
from services.bench import portal
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo.year import command, summary
from services.domain.accounts import sessions
from services.domain.audit.verification import verify_trail
from services.domain.custody import locks
from services.domain.custody.violations import KINDS as VIOLATIONS
from services.domain.notifications.texts import all_texts
from services.domain.work_orders.kinds import KINDS as ORDERS
from services.runtime.settings import Settings
from services.web import cookies

ACTOR = Actor("system", "test")
MOST = 25  # statements of a page
# The same numbers as ``summary``, by joins and text instead of the tables' classes.
SQL = {
    "applications": "SELECT count(DISTINCT application_id) FROM revisions",
    "cases ended": "SELECT count(DISTINCT subject_id) FROM audit_events WHERE action = 'case-closed'",
    "cases refused": "SELECT count(DISTINCT application_id) FROM decisions"
    " WHERE outcome = 'rejected' AND matter_id IS NULL",
    "masters": "SELECT count(*) FROM items JOIN masters ON item_id = items.id WHERE outcome = 'complete'",
    "inspections finished": "SELECT count(*) FROM documents WHERE kind = 'inspection-report'",
    "findings": "SELECT count(*) FROM work_orders WHERE subject_kind = 'finding'",
    "work orders": "SELECT count(DISTINCT work_order_id) FROM work_order_attempts",
    "work orders under way": "SELECT count(*) FROM work_orders WHERE number NOT IN (SELECT number FROM documents)"
    " AND closed_as IS NULL",
    "violations": "SELECT count(*) FROM matters WHERE kind = 'violation'",
    "violations open": "SELECT count(*) FROM matters WHERE kind = 'violation' AND outcome IS NULL",
    "holds": "SELECT count(*) FROM documents WHERE kind = 'hold-notice'",
    "recalls": "SELECT count(DISTINCT matter_id) FROM suspensions WHERE cause = 'recalled'",
    "recalls that nobody has signed": "SELECT count(*) FROM matters WHERE kind = 'recall'"
    " AND id NOT IN (SELECT matter_id FROM decisions WHERE matter_id IS NOT NULL)",
    "provided to authorities": "SELECT count(*) FROM documents JOIN matters ON matters.id = documents.subject_id"
    " JOIN media ON media.number = json_extract(facts, '$.asked.medium')"
    " WHERE documents.kind = 'disclosure' AND media.state = 'provided'",
    "recordings to dispose of": "SELECT sum(json_extract(facts, '$.asked.items')) FROM matters WHERE kind = 'disposal'",
    "sites": "SELECT count(DISTINCT site_id) FROM site_keepers",
    "media": "SELECT count(*) FROM medium_events WHERE event = 'registered'",
    "reconciliations": "SELECT count(*) FROM documents WHERE kind = 'reconciliation'",
}
REPORT = {
    "closed": "SELECT count(*) FROM audit_events WHERE action = 'case-closed' AND at >= :since AND at < :until",
    "handedOver": "SELECT count(*) FROM custody_entries WHERE event = 'received' AND at >= :since AND at < :until",
    "returned": "SELECT count(*) FROM returns WHERE returned_at >= :since AND returned_at < :until",
}


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with demo_year(tmp_path_factory.mktemp("year")) as database:
        yield database


def sql(year: Database, statement: str, **named: Any) -> list[Any]:
    with year.engine.connect() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(statement, named)]


@pytest.mark.slow
@pytest.mark.requirement("R52")
def test_the_trail_of_the_year_is_sound_and_its_signatures_are_of_what_they_say(year: Database) -> None:
    with snapshot(year.engine.url.render_as_string()) as connection:
        trail = verify_trail(connection)
    assert trail.faults == []
    assert trail.size > 15 * CASES
    assert sql(year, "PRAGMA foreign_key_check") == []
    named = {row[0] for row in sql(year, "SELECT json_extract(entry, '$.detail.statement_sha256') FROM audit_events")}
    for statement, signature in sql(year, "SELECT statement_sha256, signature FROM decisions"):
        signed = json.loads(signature)
        assert hashlib.sha256(rfc8785.dumps(signed["statement"])).hexdigest() == signed["sha256"] == statement
        assert statement in named


@pytest.mark.requirement("R63")
def test_one_inspection_is_filed_and_its_sample_can_be_drawn_again(year: Database) -> None:
    again = year.run_now(ACTOR, command.reproduce)
    assert not again.differences
    assert again.sampled >= 5
    [(content,)] = sql(year, "SELECT content FROM documents WHERE kind = 'inspection-report'")
    report = json.loads(content)
    assert {one["outcome"] for one in report["signatures"]} == {"signed"}
    assert len(report["signatures"]) == 3
    period = {"since": _moment(report["period"]["start"]), "until": _moment(report["period"]["end"])}
    for name, statement in REPORT.items():
        assert sql(year, statement, **period) == [(report["numbers"][name],)], name
    assert sql(year, "SELECT count(*), count(drawn_at) FROM group_inspections WHERE closed_at IS NULL") == [(1, 0)]


def test_what_the_year_leaves_is_what_plain_sql_counts(year: Database) -> None:
    counts = year.run_now(ACTOR, summary.count)
    assert {name: sql(year, statement)[0][0] for name, statement in SQL.items()} == {name: counts[name] for name in SQL}
    assert (counts["work orders"], counts["violations"], counts["holds"]) == (40, 12, 3)
    assert (counts["recalls"], counts["recalls that nobody has signed"], counts["provided to authorities"]) == (3, 1, 1)
    kinds = ORDERS.keys() - {"download-account"}  # no loan of the year ends with downloads that nobody has attested
    assert (counts["kinds of work orders"], counts["kinds of violations"]) == (len(kinds), len(VIOLATIONS))
    assert counts["cases ended"] == CASES
    states = {row[0] for row in sql(year, "SELECT DISTINCT closed_as FROM work_orders")}
    assert states == {None, "done", "cancelled"}
    assert sql(year, "SELECT count(*) FROM work_orders WHERE escalations > 1 AND closed_at IS NULL") == [(1,)]
    assert sql(year, "SELECT count(*) FROM work_orders WHERE attempt > 1 AND closed_at IS NULL") == [(1,)]


def test_what_is_under_way_waits_for_the_process_and_nothing_else_does(year: Database) -> None:
    waiting = sql(
        year,
        "SELECT name, count(*) FROM outbox WHERE settled_at IS NULL GROUP BY name",
    )
    counts = year.run_now(ACTOR, summary.count)
    assert dict(waiting) == {
        "inspection-due": 1,
        "matter-asked": 1,
        "violation-opened": counts["violations open"],
        "work-order-opened": counts["work orders under way"],
        "work-order-done": 2,
    }


def test_each_notice_of_the_year_has_words(year: Database) -> None:
    codes = year.read_now(ACTOR, lambda uow: set(uow.session.scalars(select(Notice.code).distinct())))
    assert {"violation-closed", "matter-refused"} <= codes
    assert codes <= all_texts().keys()


def test_masters_that_nobody_needs_are_disposed_of_as_real_ones(year: Database) -> None:
    """Of a recalled offer: the stores are told until when it was locked, and delete it."""
    listed = year.read_now(ACTOR, locks.list_to_dispose, 0, 50)
    [(unneeded,)] = sql(year, "SELECT count(*) FROM masters WHERE unneeded_at IS NOT NULL")
    assert len(listed) == unneeded == 1


async def test_the_lists_of_the_year_have_few_statements(year: Database) -> None:
    """Each page of ``bench portal`` that keepers and supervisors read."""
    settings = Settings.load()
    app = portal_over({"database": year, "settings": settings, "models": MODELS})
    many = {}
    for person_id, lists in portal.LISTS.items():
        token = year.run_now(ACTOR, _signed_in, person_id)
        headers = {"cookie": f"{cookies.SESSION}={token}", "user-agent": portal.BROWSER}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://footage.example", headers=headers) as client:
            for name, address in lists.items():
                with statements(year.engine) as sent:
                    answer = await client.get(address)
                assert answer.status_code == 200, (address, answer.headers.get("location"))
                many[name] = len(sent)
    assert {name: number for name, number in many.items() if number > MOST} == {}


def _signed_in(uow: UnitOfWork, person_id: str) -> str:
    person = uow.session.get_one(Person, person_id)
    return sessions.create(uow, person, portal.BROWSER, "127.0.0.1", None).token


def _moment(text: str) -> str:
    """The moment as SQLite stores it."""
    return text.replace("T", " ").replace("+00:00", ".000000")

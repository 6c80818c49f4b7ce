"""With a year of cases no page reads all of them: what is big is searched by an index (SQLite tells its plans)."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from filled_year import filled_year
from sqlalchemy import event, select

from services.app.container import use_models
from services.database.base import Base
from services.database.due_rows import Span
from services.database.listing import Listing
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo.organisation import demo_id
from services.demo.year.fill import Size, fill
from services.domain.access import visibility
from services.domain.applications import directory, security_check
from services.domain.cases import (
    inbox,
    metrics,
    overview,
    own_applications,
    queries,
    register,
    stage_times,
    storage_office,
)
from services.domain.cases.register import Search
from services.domain.custody import detections, discards, locks
from services.domain.custody import queries as custody_queries
from services.domain.holds import queries as holds
from services.domain.matters import queries as matter_queries
from services.domain.notifications import deliveries, dispatch
from services.domain.notifications import service as notification_service
from services.domain.packages import queries as packages
from services.domain.process import outbox
from services.domain.process.model_library import ModelLibrary
from services.domain.reviews import ending
from services.domain.supervision import breaches, month_totals
from services.domain.wiring import open_database
from services.runtime.clock import SystemClock
from services.runtime.rules import Rules

ACTOR = Actor("system", "test")
POSTS = frozenset({"security-reviewer"})
BIG = (
    *("applications", "items", "revisions", "reviews", "decisions", "documents", "masters", "copies", "hand_overs"),
    *("custody_entries", "process_steps", "notices", "outbox", "audit_events", "grants", "stage_visits", "returns"),
    *("matters", "violations", "suspensions", "hearings", "sanctions", "holds", "attachments", "outsiders"),
    *("disclosures", "disclosure_downloads", "evidence_packages", "findings"),
)
FULL = re.compile(rf"SCAN ({'|'.join(BIG)})(_\d+)?\b(?! USING)")

EVERYBODY = ("wulei", "zhaoqiang", "hanxue", "zhangwei", "hutao", "gaofeng", "machao", "lina")
SEES_ALL = ("wulei", "zhaoqiang", "hanxue")
CAMERA = "bench-camera-1"
ALL_WITH_LEGAL = (*EVERYBODY, "yangfan", "keeper")
FIFTY = Listing(limit=50)
NEWEST = Listing(sort="created", descending=True, limit=20)
KEEPER = "keeper"  # whoever holds a copy


def of_both(uow: UnitOfWork) -> Search:
    """A camera on one day, sorted as the register is."""
    return Search(camera_id=CAMERA, footage_since=uow.now - timedelta(days=1), footage_until=uow.now)


def _matters_of(uow: UnitOfWork, loan: HandOver) -> list[Any]:
    """Read every matter of the case by itself, as the case's page lists them."""
    return [matter_queries.get(uow, line.id) for line in matter_queries.list_of_case(uow, loan.application_id)]


def _violation(uow: UnitOfWork) -> str:
    found = select(Matter.id).where(Matter.kind == "violation").order_by(Matter.id).limit(1)
    return uow.session.scalars(found).one()


# by page: who asks, and what is read. Of all cases those alone count who see the overview with them
PAGES: dict[str, tuple[tuple[str, ...], Callable[[UnitOfWork, Any], Any]]] = {
    "overview": (SEES_ALL, lambda uow, _: overview.get_overview(uow, POSTS)),
    "overview of others": (EVERYBODY, lambda uow, _: overview.get_overview(uow, frozenset())),
    "inbox": (EVERYBODY, lambda uow, _: (inbox.read_waiting(uow), inbox.read_barred(uow))),
    "inbox by words": (EVERYBODY, lambda uow, _: inbox.read_waiting(uow, Listing(text="门", limit=50))),
    "states": (SEES_ALL, lambda uow, _: register.count_by_state(uow)),
    "next overwritten": (EVERYBODY, lambda uow, _: register.read_next_overwritten(uow, Listing(limit=50))),
    "copies on loan": (EVERYBODY, lambda uow, _: register.read_copies_out(uow, Listing(limit=50))),
    "register": (EVERYBODY, lambda uow, _: register.list_cases(uow, Search(), limit=51)),
    "register page": (EVERYBODY, lambda uow, _: register.read_page(uow, Search(), limit=50)),
    "register by department": (SEES_ALL, lambda uow, _: register.read_page(uow, Search(sort="department"), limit=50)),
    "register by due date": (SEES_ALL, lambda uow, _: register.read_page(uow, Search(sort="due"), limit=50)),
    "register of a camera": (EVERYBODY, lambda uow, _: register.read_page(uow, Search(camera_id=CAMERA), limit=50)),
    "register of a time": (EVERYBODY, lambda uow, _: register.read_page(uow, Search(footage_since=uow.now), limit=50)),
    "register of both": (EVERYBODY, lambda uow, _: register.read_page(uow, of_both(uow), limit=50)),
    "register of an incident": (EVERYBODY, lambda uow, _: register.read_page(uow, Search(incident="x"), limit=50)),
    "register of a document": (EVERYBODY, lambda uow, _: register.read_page(uow, Search(document="x"), limit=50)),
    "applications": (SEES_ALL, lambda uow, _: visibility.page_of_visible(uow, limit=50)),
    "own applications page": (EVERYBODY, lambda uow, _: own_applications.read_own(uow, Listing(limit=20))),
    "people": (EVERYBODY, lambda uow, _: directory.find_people(uow, "5")),
    "own applications": (EVERYBODY, lambda uow, _: visibility.page_of_visible(uow, limit=50, mine=True)),
    "register of a state": (EVERYBODY, lambda uow, _: register.list_cases(uow, Search(state="in-use"), limit=51)),
    "register by number": (EVERYBODY, lambda uow, _: register.list_cases(uow, Search(text="-000007"), limit=51)),
    "case": ((*SEES_ALL, "hutao", KEEPER), lambda uow, loan: queries.get_case(uow, loan.application_id)),
    "loan": ((KEEPER,), lambda uow, loan: custody_queries.get_mine(uow, loan.id)),
    "own loans": ((KEEPER, "hanxue"), lambda uow, _: custody_queries.read_mine(uow, FIFTY)),
    "custody log": ((*SEES_ALL, KEEPER), lambda uow, loan: custody_queries.get_log(uow, loan.id)),
    "unread": (EVERYBODY, lambda uow, _: notification_service.count_unread(uow)),
    "notices by words": (EVERYBODY, lambda uow, _: notification_service.list_own(uow, Listing(text="门", limit=20))),
    "matters": (ALL_WITH_LEGAL, lambda uow, _: matter_queries.read(uow, Listing(limit=50))),
    "matters by number": (ALL_WITH_LEGAL, lambda uow, _: matter_queries.read(uow, Listing(limit=50, sort="number"))),
    "matters by words": (ALL_WITH_LEGAL, lambda uow, _: matter_queries.read(uow, Listing(text="门", limit=50))),
    "own matters": (ALL_WITH_LEGAL, lambda uow, _: matter_queries.read(uow, Listing(limit=50), mine=True)),
    "open matters": (ALL_WITH_LEGAL, lambda uow, _: matter_queries.read(uow, Listing(limit=50), state="open")),
    "violations": (ALL_WITH_LEGAL, lambda uow, _: matter_queries.read(uow, Listing(limit=50), kind="violation")),
    "matter": ((*SEES_ALL, KEEPER), _matters_of),
    "violation": (SEES_ALL, lambda uow, _: matter_queries.get(uow, _violation(uow))),
    "holds": (SEES_ALL, lambda uow, _: (holds.list_open(uow, FIFTY), holds.list_open(uow, FIFTY, lifted=True))),
    "packages": (("wulei", "zhaoqiang", "yangfan"), lambda uow, _: packages.list_seen(uow, FIFTY)),
    "metrics": ((KEEPER,), lambda uow, _: metrics.update_gauges(uow)),
    "cameras": (EVERYBODY, lambda uow, _: directory.find_cameras(uow, "5")),
    "form": (EVERYBODY, lambda uow, _: directory.cameras(uow, ["bench-camera-1"])),
}


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with filled_year(tmp_path_factory.mktemp("plans"), Size(cases=60, open=28, people=45, cameras=40)) as database:
        yield database


@pytest.fixture(scope="module")
def loan(filled: Database) -> HandOver:
    held = select(HandOver).where(HandOver.accepted_at.is_not(None), HandOver.returned_at.is_(None))
    return filled.run_now(ACTOR, lambda uow: uow.session.scalars(held.order_by(HandOver.id).limit(1)).one())


@pytest.mark.parametrize(("page", "who"), [(page, who) for page, (readers, _) in PAGES.items() for who in readers])
def test_no_page_reads_all_rows_of_a_big_table(filled: Database, loan: HandOver, page: str, who: str) -> None:
    actor = Actor("person", loan.custodian_id if who == KEEPER else demo_id(who))
    scans = [
        (plan, statement)
        for statement, plans in _plans(filled, actor, lambda uow: PAGES[page][1](uow, loan))
        for plan in plans
        if FULL.search(plan)
    ]
    assert scans == []


@pytest.mark.parametrize("who", EVERYBODY)
def test_who_is_asked_about_a_matter_is_found_without_all_reviews_of_matters(filled: Database, who: str) -> None:
    """A year leaves tens of thousands of them, and nearly all are closed."""

    def read(uow: UnitOfWork) -> None:
        inbox.read_waiting(uow)
        inbox.list_due(uow, [Span(None, uow.now)], 300)

    found = _plans(filled, Actor("person", demo_id(who)), read)
    of_reviews = [plan for statement, plans in found if "FROM reviews" in statement for plan in plans]

    assert of_reviews
    assert [plan for plan in of_reviews if "ix_reviews_matter_id (matter_id>" in plan] == []


@pytest.mark.parametrize("text", ["", "SQ-"])
@pytest.mark.parametrize("falling", [False, True])
@pytest.mark.parametrize("sort", ["submitted", "number", "department", "due"])
def test_a_list_of_all_cases_is_read_in_the_order_of_an_index(
    filled: Database, sort: register.Sort, falling: bool, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So is what mentions a word that many cases have: it ends where the page is full."""
    monkeypatch.setattr(register, "FEW_MENTIONS", 5)
    actor, wanted = Actor("person", demo_id("wulei")), Search(text=text, sort=sort, descending=falling)
    place = ""
    for _ in range(3):  # the first page, one behind it, and one before that
        found = _plans(filled, actor, partial(register.read_page, wanted=wanted, limit=7, place=place))
        lists = [plans for statement, plans in found if "LIMIT" in statement and "FROM applications" in statement]
        assert lists
        assert not [plan for plans in lists for plan in plans if "TEMP B-TREE" in plan or plan == "SCAN applications"]
        page = filled.run_now(actor, register.read_page, wanted, limit=7, place=place)
        place = page.previous or page.next


@pytest.mark.parametrize(
    ("index", "search"),
    [
        ("ix_masters_in_use", lambda uow: locks.list_lapsing(uow, 50)),
        ("ix_masters_to_lock", lambda uow: locks.list_due(uow, "", 50)),
        ("ix_documents_to_file", lambda uow: locks.list_to_file(uow, "", 10)),
        ("ix_masters_to_dispose", lambda uow: locks.list_to_dispose(uow, 0, 50)),
        ("ix_masters_to_lock", locks.count_waiting),
    ],
)
def test_what_is_left_to_do_with_locks_is_found_by_an_index_of_its_own(
    filled: Database, index: str, search: Callable[[UnitOfWork], Any]
) -> None:
    [(_, plans), *_rest] = _plans(filled, ACTOR, search)
    assert index in plans[0]


def _serial_borrowing(uow: UnitOfWork) -> Any:
    application = Application(id="a", department_id="bench-department-1")
    return list(security_check._serial_borrowing(uow, application))


@pytest.mark.parametrize(
    ("search", "columns"),
    [
        (
            lambda uow: deliveries._is_announced(
                uow, Notice(code="x", created_at=uow.now, application_id="x", subject_id="x"), "robot:x"
            ),
            "channel=? AND given_up_at=? AND delivered_at=? AND next_at=?",
        ),
        (
            lambda uow: dispatch.claim_next(uow, "app:x"),
            "channel=? AND given_up_at=? AND delivered_at>?",
        ),
    ],
)
def test_deliveries_of_a_channel_are_found_by_all_columns_of_their_index(
    filled: Database, search: Callable[[UnitOfWork], Any], columns: str
) -> None:
    """A channel has all that was ever sent by it."""
    [(_, plans)] = _plans(filled, ACTOR, search)
    assert any(f"ix_deliveries_waiting ({columns})" in plan for plan in plans), plans
    assert not [plan for plan in plans if plan.endswith("(channel=?)") and "ix_deliveries_waiting" in plan]


LOOPS: dict[str, Callable[[UnitOfWork], Any]] = {
    "what the department had before": _serial_borrowing,
    "reviews whose branch may have ended": lambda uow: ending._list_open(uow, ""),
    "keys of copies that were replaced": lambda uow: discards.list_keys_of_replaced(uow, 50),
    "what closed cases have kept": lambda uow: discards.list_due(uow, "", 50),
    "proposals of copies that are gone": detections.forget,
    "messages that are due": outbox.list_due,
    "messages that are due, without some cases": lambda uow: outbox.list_due(uow, besides=["x"], limit=50),
    "messages that are due, of some cases": lambda uow: outbox.list_due(uow, of=["x"]),
    "visits to total": month_totals.add_up_stages,
    "stages of cases that have ended": lambda uow: stage_times.add_up(uow, ModelLibrary({})),
    "what broke a requirement": breaches.count_cases,
    "work of the storage office": storage_office.list_work,
}
# indexes of what is open or left to do, whose rows are few
PARTIAL = [
    str(index.name)
    for table in Base.metadata.tables.values()
    for index in table.indexes
    if index.dialect_options["sqlite"]["where"] is not None
]
WHOLE = re.compile(rf"SCAN ({'|'.join(BIG)})(_\d+)?\b(?! USING (COVERING )?INDEX ({'|'.join(PARTIAL)})\b)")


@pytest.mark.parametrize("loop", LOOPS)
def test_no_loop_reads_all_rows_of_a_big_table(filled: Database, loop: str) -> None:
    """Nor along an index that has all of them, as a walk in the order of the primary key does."""
    found = _plans(filled, Actor("person", demo_id("hanxue")), LOOPS[loop])
    assert found
    scans = [(plan, told) for told, plans in found for plan in plans if WHOLE.search(plan)]
    assert [scan for scan in scans if "SCAN violations" not in scan[0]] == []


@dataclass(frozen=True)
class Planned:
    """A database of PostgreSQL whose planner takes the tables ``big``, which have rows, for those of a year."""

    database: Database
    big: frozenset[str]


@pytest.fixture(scope="module")
def planned(postgres_server: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planned]:
    use_models(None)
    database = open_database(postgres_server.make(migrated=True), SystemClock(), Rules(max_use_days=30))
    fill(database, tmp_path_factory.mktemp("recordings"), Size(cases=60, open=28, people=45, cameras=40))
    with database.engine.begin() as connection:
        connection.exec_driver_sql("ANALYZE")
        # each of the few pages that a table has stands for a hundred thousand rows, of which these few are a sample
        told = connection.exec_driver_sql(
            "UPDATE pg_class SET reltuples = 100000, relpages = 1 WHERE relname = ANY (%(big)s) AND reltuples > 0 "
            "RETURNING relname",
            {"big": list(BIG)},
        )
        big = frozenset(told.scalars())
    yield Planned(database, big)
    database.close()


@pytest.mark.postgres
@pytest.mark.parametrize("page", PAGES)
def test_no_page_reads_all_rows_of_a_big_table_on_postgresql(planned: Planned, page: str) -> None:
    database = planned.database
    held = select(HandOver).where(HandOver.accepted_at.is_not(None), HandOver.returned_at.is_(None))
    loan = database.run_now(ACTOR, lambda uow: uow.session.scalars(held.order_by(HandOver.id).limit(1)).one())
    for who in PAGES[page][0]:
        actor = Actor("person", loan.custodian_id if who == KEEPER else demo_id(who))
        for statement, plan in _plans_of(database, actor, lambda uow: PAGES[page][1](uow, loan)):
            assert list(_read_whole(plan, planned.big)) == [], (who, statement)


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("index", "page"),
    [
        ("ix_notices_of_person", lambda uow: notification_service.list_own(uow, NEWEST)),
        ("ix_applications_listed", lambda uow: register.read_page(uow, Search(until=uow.now), limit=7)),
    ],
)
def test_a_page_of_a_long_list_is_read_in_the_order_of_an_index_on_postgresql(
    planned: Planned, index: str, page: Callable[[UnitOfWork], Any]
) -> None:
    found = _plans_of(planned.database, Actor("person", demo_id("wulei")), page)
    [nodes] = [nodes for _, plan in found for nodes in [list(_nodes(plan))] if _uses(nodes, index)]
    assert "Sort" not in {node["Node Type"] for node in nodes}  # an incremental one only puts equals into order


def _uses(nodes: list[dict[str, Any]], index: str) -> bool:
    return any(node.get("Index Name") == index and "Index Cond" in node for node in nodes)


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)


def _read_whole(node: dict[str, Any], big: frozenset[str], limited: bool = False) -> Iterator[str]:
    """What a plan reads from one end to the other, and not until a page is full."""
    limited = limited or node["Node Type"] == "Limit"
    by_index = node["Node Type"] == "Bitmap Heap Scan" or "Index Cond" in node or node.get("Index Name") in PARTIAL
    if node.get("Relation Name") in big and not by_index and not limited:
        yield f"{node['Node Type']} of {node['Relation Name']}"
    for child in node.get("Plans", ()):
        yield from _read_whole(child, big, limited)


def _plans_of(
    database: Database, actor: Actor, page: Callable[[UnitOfWork], Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each statement of the page, with PostgreSQL's plan for it."""
    told = _statements(database, actor, page)
    with database.engine.connect() as connection:
        for statement, parameters in told:
            explained = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
            yield statement, explained[0]["Plan"]


def _statements(database: Database, actor: Actor, page: Callable[[UnitOfWork], Any]) -> list[tuple[str, Any]]:
    """Each statement of the page that reads or searches, with its parameters."""
    told: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        if statement.startswith(("SELECT", "WITH", "UPDATE")):
            told.append((statement, parameters))

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        database.run_now(actor, page)
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return told


def _plans(database: Database, actor: Actor, page: Callable[[UnitOfWork], Any]) -> list[tuple[str, list[str]]]:
    """Each statement of the page, with SQLite's plan for it."""
    told = _statements(database, actor, page)
    with database.engine.connect() as connection:
        return [
            (statement, [row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)])
            for statement, parameters in told
        ]

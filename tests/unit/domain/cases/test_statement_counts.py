"""A page costs the same few statements whether the register has twenty rows or two thousand."""

import html
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from httpx import AsyncClient
from portal_client import Portal
from review_desk import NOON, ReviewDesk
from sqlalchemy import event, func, insert, select

from services.database.base import Base
from services.database.tables.applications import Application, Item, Revision
from services.database.tables.cameras import Camera
from services.database.tables.consents import Consent, Consultation
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.evidence_packages import EvidencePackage
from services.database.tables.holds import Hold
from services.database.tables.people import Absence, Department, Person, Post
from services.database.tables.reviews import Confirmation, Decision, Finding, Proposal, Review
from services.database.tables.uploads import Upload
from services.database.unit_of_work import Actor, UnitOfWork
from services.domain.applications import forms
from services.domain.audit import trail as audit_trail
from services.domain.cases import due_dates

MOST = 26
SIZES = (20, 2_000)
TRANSACTION = ("BEGIN", "PRAGMA query_only", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE")
SIGNED = {"statement_sha256": "0" * 64, "signature": {}}
DAY = timedelta(days=1)
# by what is open: the stage of the review, or where the case is without one
MIXTURE = (
    *("preliminary", "security", "security-signature", "management", "storage-release", "return-inspection"),
    *("draft", "correction", "retrieval", "offered", "in-use", "closed"),
)
LEGAL = "office-head"  # leads the legal department as well, and approves packages that Security asks for
FILTERED = "camera=camera&footage_since=2031-03-01&incident=SJ-1&document=x&camera_search=gate"
LOOKS = "camera=camera&at=2031-03-04T10:00&purpose=none"
PAGES = {
    "inbox": ("/inbox", "/api/reviews", "/api/reviews/conflicts"),
    "overview": ("/", "/api/applications?mine=true", "/api/register/states", "/api/register/next-overwritten"),
    "due dates": ("/due-dates", "/due-dates?view=week&whose=seen"),
    "own": ("/applications", "/api/applications/own", "/api/applications/own?department=true&search=gate"),
    "register": (
        "/register?form=csv",
        "/register",
        "/api/register?limit=1000",
        "/api/register/copies-out",
        f"/register?{FILTERED}",
    ),
    "storage": ("/storage", "/storage/recorders", "/api/storage"),
    "case": ("/cases/crowded", "/api/cases/crowded", "/api/cases/crowded/timeline", "/cases/crowded/requirements"),
    "supervision": (
        *("/supervision", "/supervision/requirements/R5", "/supervision/audit?looks=true", "/supervision/audit/5"),
        *("/supervision/audit?person=member-7&action=application-saved", "/supervision/statistics"),
        f"/supervision/footage-viewers?{LOOKS}",
    ),
    "registers": (
        *("/packages", "/api/packages", "/holds", "/api/holds?limit=50", "/matters", "/api/matters", "/work-orders"),
        *("/notices", "/posts", "/api/posts"),
    ),
    "form": ("/apply",),
}
# the form reads what it is filled in from: cameras, files, people, rules, each by statements of its own
MORE = {"form": 40}
# every post that the mixture gives something to do, and the case that is closest to them
READERS = {
    "inbox": ("head", "manager", "reviewer", "operator", "inspector", "security-head", "board-head"),
    "overview": ("drafter", "head", "keeper", "reviewer", "manager", "supervisor"),
    "due dates": ("drafter", "head", "keeper", "reviewer", "operator", "supervisor"),
    "own": ("drafter", "head"),
    "register": ("drafter", "head", "reviewer", "supervisor", "operator"),
    "storage": ("operator",),
    "case": ("drafter", "head", "reviewer", "manager", "supervisor"),
    "supervision": ("supervisor", "security-head"),
    "registers": ("security-head", LEGAL),
    "form": ("deputy",),
}


@pytest.fixture(scope="module", params=SIZES)
def desk(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path_factory.mktemp('counts') / 'database.sqlite3'}")
    desk.run(_fill, request.param)
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def portal(desk: ReviewDesk) -> Portal:
    return Portal(desk)


@pytest.mark.parametrize(("page", "login"), [(page, login) for page, logins in READERS.items() for login in logins])
async def test_a_page_takes_few_statements_however_many_rows_there_are(
    desk: ReviewDesk, portal: Portal, page: str, login: str
) -> None:
    async with portal:
        client = await portal.signed_in(login)
        for address in PAGES[page]:
            with counted(desk) as statements:
                answer = await client.get(address)
            assert answer.status_code == 200, (address, answer.text)
            assert 1 < len(statements) <= MORE.get(page, MOST), "\n".join((address, *statements))


@pytest.mark.parametrize("login", [*READERS["due dates"], "security-head", LEGAL])
async def test_due_dates_take_few_statements_where_each_source_has_more_than_is_shown(
    desk: ReviewDesk, portal: Portal, login: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(due_dates, "MOST", 1)
    async with portal:
        client = await portal.signed_in(login)
        with counted(desk) as statements:
            answer = await client.get("/due-dates?whose=seen")
        assert answer.status_code == 200, answer.text
        assert len(statements) <= MOST, "\n".join(statements)


TILE = re.compile(r'<li class="tile[^"]*"><a href="([^"]+)"><b>([0-9]+[+]?)</b>')
OF_STATE = re.compile(r'<a href="(/register\?state=[a-z-]+)">.*?<td class="number">([0-9]+)</td>')


@pytest.mark.slow
@pytest.mark.parametrize("login", ["drafter", "head", "keeper", "reviewer", "manager", "operator", "supervisor"])
async def test_each_tile_leads_to_as_many_rows_as_it_counts(desk: ReviewDesk, portal: Portal, login: str) -> None:
    async with portal:
        client = await portal.signed_in(login)
        overview = (await client.get("/")).text
        counted_at = [*TILE.findall(overview), *OF_STATE.findall(overview)]
        assert {"/applications?state=unfinished", "/hand-overs?state=open"} <= {address for address, _ in counted_at}
        if login == "reviewer":
            assert len(counted_at) > 10
            assert {"/inbox?decisions=true", "/register/copies-out?overdue=true"} <= dict(counted_at).keys()
        for address, number in counted_at:
            more, least = number.endswith("+"), int(number.rstrip("+"))
            rows = await _count_rows(client, html.unescape(address), least + 1)
            assert rows > least if more else rows == least, address


async def _count_rows(client: AsyncClient, address: str, enough: int) -> int:
    """Count the rows of a list, page after page, until there are enough to know."""
    found = 0
    while address and found < enough:
        page = (await client.get(address)).text
        found += sum(body.count("<tr") for body in re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL))
        after = re.search(r'rel="next" href="([^"]+)"', page)
        address = html.unescape(after[1]) if after else ""
    return found


@pytest.mark.parametrize(("address", "table"), [("/packages", EvidencePackage), ("/holds", Hold)])
async def test_what_is_older_is_on_the_next_page(
    desk: ReviewDesk, portal: Portal, address: str, table: type[Base]
) -> None:
    there = desk.run(lambda uow: uow.session.scalar(select(func.count()).select_from(table)))
    async with portal:
        client = await portal.signed_in(LEGAL)
        assert await _count_rows(client, address, 120) == min(there, 150)


OF_FOOTAGE = "camera=camera&footage_since=2031-03-01&footage_until=2031-03-31"

# who reads which page, and how many rows of the tables at most, however many of them there are
ROWS = {
    "own applications": ("drafter", "/applications", 400),
    "own applications by state": ("drafter", "/applications?sort=state&state=open", 400),
    "own applications, API": ("drafter", "/api/applications/own?sort=overwrite", 600),
    "inbox": ("operator", "/inbox", 600),
    "inbox, API": ("manager", "/api/reviews?limit=20", 600),
    "overview": ("operator", "/", 900),
    "copies on loan": ("reviewer", "/register/copies-out", 400),
    "next overwritten": ("reviewer", "/register/next-overwritten", 400),
    "register of a state": ("reviewer", "/register?state=in-use", 500),
    "register of a camera and a time": ("reviewer", f"/register?{OF_FOOTAGE}", 500),
    "notices": ("head", "/notices", 200),
    "form": ("drafter", "/apply", 150),
    "agreements": ("admin", "/admin/agreements", 300),
    "administration": ("admin", "/admin", 300),
    "directory": ("drafter", "/api/directory?limit=50", 150),
    "policy coverage": ("supervisor", "/supervision", 100),
    "audit trail": ("supervisor", "/supervision/audit", 200),
    "statistics": ("supervisor", "/supervision/statistics", 100),
}


@pytest.mark.parametrize("page", ROWS)
async def test_a_page_reads_few_rows_however_many_there_are(desk: ReviewDesk, portal: Portal, page: str) -> None:
    login, address, most = ROWS[page]
    read: list[object] = []

    def note(row: object, _context: object) -> None:
        read.append(row)

    async with portal:
        client = await portal.signed_in(login)
        event.listen(Base, "load", note, propagate=True)
        try:
            answer = await client.get(address)
        finally:
            event.remove(Base, "load", note)
    assert answer.status_code == 200, answer.text
    assert len(read) <= most


@contextmanager
def counted(desk: ReviewDesk) -> Iterator[list[str]]:
    """All statements that reach the database meanwhile, but for those that begin and end transactions.

    One that is executed with many rows is told for each row, and is counted once.
    """
    statements: list[str] = []

    def note(statement: str) -> None:
        told = " ".join(statement.split())[:300]
        again = (
            statements and told.startswith("INSERT") and told.split("VALUES")[0] == statements[-1].split("VALUES")[0]
        )
        if not again and not told.startswith(TRANSACTION):
            statements.append(told)

    def watch(connection: Any, *_: object) -> None:
        connection.set_trace_callback(note)

    def leave(connection: Any, *_: object) -> None:
        connection.set_trace_callback(None)

    event.listen(desk.database.engine, "checkout", watch)
    event.listen(desk.database.engine, "checkin", leave)
    try:
        yield statements
    finally:
        event.remove(desk.database.engine, "checkout", watch)
        event.remove(desk.database.engine, "checkin", leave)


def _fill(uow: UnitOfWork, size: int) -> None:
    """So many cases in a mixture of stages and states, members, notices, and one case with very much in it."""
    rows: dict[type[Base], list[dict[str, Any]]] = {table: [] for table in TABLES}
    for number in range(size):
        _case(rows, f"case-{number}", MIXTURE[number % len(MIXTURE)], number)
    for number in range(size):
        person = f"member-{number}"
        of = {"login": person, "name": person, "department_id": "works", "password_hash": "", "locale": "zh"}
        rows[Person].append({"id": person, "active": True, "failed_logins": 0, "must_change_password": False, **of})
        rows[Post].append(
            {"id": person, "person_id": person, "department_id": "works", "kind": "member", "since": NOON}
        )
        rows[Absence].append({"id": person, "person_id": person, "since": NOON, "until": NOON + DAY})
    _crowded(rows, size)
    _registers(rows, size)
    for number in range(size):
        uow.actor = Actor("person", f"member-{number}")
        audit_trail.record(uow, "application-saved", "application", "crowded", application_id="crowded")
    for table, found in rows.items():
        for fields in {tuple(row) for row in found}:
            uow.session.execute(insert(table), [row for row in found if tuple(row) == fields])


TABLES: tuple[type[Base], ...] = (
    *(
        Department,
        Person,
        Post,
        Absence,
        Application,
        Item,
        Revision,
        Review,
        Decision,
        Proposal,
        Confirmation,
        Finding,
    ),
    *(Consultation, Consent, HandOver, CustodyEntry, Document, EvidencePackage, Hold, Camera, Upload),
)


def _case(rows: dict[type[Base], list[dict[str, Any]]], case: str, stands: str, number: int) -> None:
    draft, closed = stands == "draft", stands == "closed"
    rows[Application].append(
        {
            **{"id": case, "number": None if draft else f"SQ-2031-1{number:05}", "policy_version": "1"},
            **{"drafter_id": "drafter", "department_id": "works", "custodian_id": "keeper", "created_at": NOON},
            **{"submitted_at": None if draft else NOON, "round": 0, "reason": "r", "purpose": "p"},
            **{"purpose_category": next(iter(forms.PURPOSE_CATEGORIES)), "legal_basis": "internal-management"},
            **{"way_of_use": "view", "place_of_use": "p", "requested_use_days": 9, "important_information": False},
            **{"sensitive_event": False, "high_impact": False, "second_person": number % 2 == 0},
            **{"subject_ids": ["manager2"] if number % 3 == 0 else [], "recipient_ids": ["head", "drafter"]},
            **{"correction_until": NOON + DAY if stands == "correction" else None},
            **{"closed_at": NOON if closed else None, "closed_as": "archived" if closed else None},
        }
    )
    for position in (1, 2):
        _item(rows, case, position)
    if draft:
        _consultation(rows, case)
        return
    form = {
        "title": "t",
        "department": {"id": "works", "zh": "工务", "en": "works"},
        "drafter": {"name": "d"},
        "items": [],
    }
    revision = {"application_id": case, "round": 0, "submitted_by": "drafter", "submitted_at": NOON, "form": form}
    rows[Revision].append({"id": case, "sha256": "0" * 64, **revision})
    if stands not in ("correction", "retrieval", "offered", "in-use", "closed"):
        # a third of them waits for somebody who has decided before, or for a second person
        review = _review(rows, case, stands, number)
        if number % 3 == 0:
            _decision(rows, case, "security", "reviewer" if stands != "security" else "head")
        if stands == "storage-release" and number % 2 == 0:
            proposal = {"review_id": review, "person_id": "operator2", "proposed_at": NOON, "statement": {}}
            rows[Proposal].append({"id": review, **proposal, **SIGNED})
    if stands in ("retrieval", "offered", "in-use", "closed", "storage-release", "return-inspection"):
        _document(rows, case, f"SQ-2031-1{number:05}", "application-form")
    if stands in ("offered", "in-use", "closed", "return-inspection"):
        _hand_over(rows, case, stands)


def _crowded(rows: dict[type[Base], list[dict[str, Any]]], size: int) -> None:
    """A case whose every list is long."""
    _case(rows, "crowded", "security", 99_999)
    _review(rows, "crowded", "management", 1)
    for number in range(size // 10):
        _item(rows, "crowded", number + 3)
        _decision(rows, "crowded", "preliminary", "head")
        _document(rows, "crowded", f"PZ-{number}", "custody-certificate")
        rows[Finding].append(
            {
                **{"id": f"finding-{number}", "application_id": "crowded", "round": 0, "check": "security-review"},
                **{"code": "camera-sensitive", "severity": "warns", "zh": "敏", "en": "s", "found_at": NOON},
            }
        )
    _consultation(rows, "crowded")
    _hand_over(rows, "crowded", "in-use")
    for number in range(size):
        rows[CustodyEntry].append(
            {
                **{
                    "id": f"entry-{number}",
                    "hand_over_id": "crowded",
                    "seq": number + 1,
                    "at": NOON,
                    "event": "viewed",
                },
                **{"person_id": "keeper", "detail": {}, "previous_sha256": "0" * 64, "sha256": "0" * 64},
            }
        )


def _registers(rows: dict[type[Base], list[dict[str, Any]]], size: int) -> None:
    """Packages that wait for Legal, holds, and files that a person has uploaded."""
    legal = {"id": "legal", "name_zh": "法务", "name_en": "legal", "kind": "legal", "superior_id": "board"}
    rows[Department].append(legal)
    rows[Post].append({"id": LEGAL, "person_id": LEGAL, "department_id": "legal", "kind": "head", "since": NOON})
    for number in range(size):
        if MIXTURE[number % len(MIXTURE)] == "draft":
            continue
        of = {"id": f"package-{number}", "application_id": f"case-{number}", "log_keys": []}
        asked = {"footage": "clear", "recipient_kind": "inside", "recipient": "r", "reason": "r"}
        rows[EvidencePackage].append({**of, **asked, "asked_by": "reviewer", "asked_at": NOON})
        held = {"id": f"hold-{number}", "application_id": f"case-{number}", "cause": "manual", "reason": "r"}
        placed = {"placed_by": "reviewer", "placed_at": NOON, "owner_id": "reviewer", "review_at": NOON + DAY}
        rows[Hold].append({**held, **placed})
    for number in range(size // 20):
        file = f"file-{number}"
        names = dict.fromkeys(("name_zh", "name_en", "place_zh", "place_en"), file)
        of = {"id": file, "recorder_id": "recorder", "channel": file, "camera_class": "ordinary", "retention_days": 1}
        rows[Camera].append({**of, **names, "active": True})
        told = dict.fromkeys(("source", "title", "occasion", "place", "recorded_by", "description"), "t")
        at = {"announced_at": NOON, "changed_at": NOON, "received_at": NOON, "file_start": NOON}
        rows[Upload].append(
            {"id": file, "person_id": "deputy", "zone": "UTC", "key": file, "duration_ms": 1000, **told, **at}
        )


def _item(rows: dict[type[Base], list[dict[str, Any]]], case: str, position: int) -> None:
    span = {"asked_start": NOON - DAY, "asked_end": NOON, "zone": "UTC"}
    rows[Item].append(
        {"id": f"{case}-{position}", "application_id": case, "position": position, "camera_id": "camera", **span}
    )


def _review(rows: dict[type[Base], list[dict[str, Any]]], case: str, stage: str, number: int) -> str:
    key = len(rows[Review]) + 1
    rows[Review].append(
        {
            **{"id": f"{case}-{key}", "application_id": case, "stage": stage, "round": 0, "job_key": key},
            **{"process_instance_key": key, "opened_at": NOON, "due_at": NOON + DAY},
            **{"claimed_by": "reviewer2" if number % 4 == 0 else None, "closed_at": None, "closed_because": None},
            **{"escalated_at": NOON if number % 2 == 0 else None},
        }
    )
    return f"{case}-{key}"


def _decision(rows: dict[type[Base], list[dict[str, Any]]], case: str, stage: str, by: str) -> None:
    review = _review(rows, case, stage, 1)
    rows[Review][-1] |= {"closed_at": NOON, "closed_because": "decided"}
    rows[Decision].append(
        {
            **{"id": review, "review_id": review, "application_id": case, "stage": stage, "round": 0},
            **{"outcome": "approved", "decided_by": by, "decided_at": NOON, "answers": {}, "variables": {}},
            **{"form_sha256": "0" * 64, "stands_in_for": "head", **SIGNED},
        }
    )
    confirmation = {"review_id": review, "person_id": "office-head", "confirmed_at": NOON}
    rows[Confirmation].append({"id": review, **confirmation, **SIGNED})


def _consultation(rows: dict[type[Base], list[dict[str, Any]]], case: str) -> None:
    form = {
        "title": "t",
        "department": {"id": "works", "zh": "工务", "en": "works"},
        "drafter": {"name": "d"},
        "items": [],
    }
    asked = {"asked_by": "drafter", "asked_at": NOON, "due_at": NOON + DAY}
    rows[Consultation].append(
        {"id": case, "application_id": case, "round": 0, "form": form, "sha256": "0" * 64, **asked}
    )
    for department in ("board", "security", "storage"):
        of = {"consultation_id": case, "application_id": case, "department_id": department}
        rows[Consent].append({"id": f"{case}-{department}", **of})


def _document(rows: dict[type[Base], list[dict[str, Any]]], case: str, number: str, kind: str) -> None:
    written = {"content": "{}", "sha256": "0" * 64, "made_at": NOON, "demo": False}
    rows[Document].append({"number": number, "kind": kind, "application_id": case, **written})


def _hand_over(rows: dict[type[Base], list[dict[str, Any]]], case: str, stands: str) -> None:
    rows[HandOver].append(
        {
            **{"id": case, "application_id": case, "custodian_id": "keeper", "offered_at": NOON, "use_days": 9},
            **{"take_up_until": NOON + DAY, "accepted_at": None if stands == "offered" else NOON},
            **{"due_at": None if stands == "offered" else NOON + DAY},
            **{"returned_at": NOON if stands in ("closed", "return-inspection") else None},
        }
    )

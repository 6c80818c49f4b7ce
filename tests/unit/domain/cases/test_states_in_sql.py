"""The condition in SQL that a case is in a state says what the state is derived to be, of every kind of case."""

import tarfile
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from demo_container import prepare_database
from filled_year import filled_year
from installation_fixture import FOLDERS, KEPT, Facts
from review_desk import NOON, ReviewDesk
from small_installation import SmallInstallation
from sqlalchemy import insert, select
from whole_footage import MADE_FOR

from services.database import schema as database_schema
from services.database.base import Base
from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.reviews import Review
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo.year.fill import Size
from services.domain.cases import register, states
from services.domain.cases.register import Search
from services.domain.cases.states import STATES
from services.domain.wiring import open_database
from services.runtime.clock import FixedClock
from services.runtime.rules import Rules

SYSTEM = Actor("system", "test")
LATER, AGO = NOON + timedelta(days=1), NOON - timedelta(days=1)
# offered_at is always there; accepted, due, returned
LOANS: tuple[tuple[datetime | None, ...] | None, ...] = (
    *(None, (None, None, None), (AGO, None, None), (AGO, LATER, None), (AGO, AGO, None), (AGO, NOON, None)),
    *((AGO, LATER, NOON), (None, None, NOON)),
)


def agreed(uow: UnitOfWork) -> Counter[str]:
    """Count the cases by state; in each state the condition and the place have to say the same as the derivation."""
    applications = uow.session.scalars(select(Application)).all()
    derived = {id_: state.code for id_, state in states.states_of(uow, applications).items()}
    places = {row[0]: row[1] for row in uow.session.execute(select(Application.id, states.place(uow.now)))}
    assert places == {id_: STATES.index(code) for id_, code in derived.items()}
    for state in STATES:
        found = set(uow.session.scalars(select(Application.id).where(states.is_in(state, uow.now))))
        assert found == {id_ for id_, code in derived.items() if code == state}, state
    assert uow.session.scalars(select(Application.id).where(states.is_in("no state", uow.now))).all() == []
    return Counter(derived.values())


def _write(uow: UnitOfWork) -> None:
    """A case for each combination of what a state rests on."""
    rows: dict[type[Base], list[dict[str, Any]]] = {Application: [], HandOver: [], Review: [], Document: []}
    moments = product((None, AGO), (None, LATER), (None, AGO), (None, AGO))
    for key, ((submitted, correction, withdrawn, closed), loan, stage, filed) in enumerate(
        product(moments, LOANS, (None, "security", "storage-release"), (False, True))
    ):
        of_case = {"application_id": f"case-{key}"}
        rows[Application].append(
            {
                **{"id": f"case-{key}", "policy_version": "1", "drafter_id": "drafter", "department_id": "works"},
                **{"created_at": AGO, "submitted_at": submitted, "correction_until": correction, "reason": "r"},
                **{"withdrawn_at": withdrawn, "closed_at": closed, "purpose": "p", "legal_basis": "l"},
                **{"purpose_category": "other", "way_of_use": "view", "place_of_use": "p", "requested_use_days": 5},
            }
        )
        if loan is not None:
            held = dict(zip(("accepted_at", "due_at", "returned_at"), loan, strict=True))
            offered = {"custodian_id": "keeper", "offered_at": AGO, "take_up_until": LATER, "use_days": 5}
            rows[HandOver].append({"id": f"loan-{key}", **of_case, **offered, **held})
        if stage is not None:
            review = {"stage": stage, "round": 0, "opened_at": AGO, "due_at": LATER, "process_instance_key": key}
            rows[Review].append({"id": f"review-{key}", "job_key": key, **of_case, **review})
        if filed:
            document = {"kind": "application-form", "content": "{}", "sha256": "0" * 64, "made_at": AGO, "demo": False}
            rows[Document].append({"number": f"F-{key}", **of_case, **document})
    for table, values in rows.items():
        uow.session.execute(insert(table), values)


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    desk.run(_write)
    yield desk
    desk.close()


@pytest.mark.both_databases
@pytest.mark.requirement("R20", verb="recorded")
def test_every_combination_of_facts_has_the_state_that_its_condition_says(desk: ReviewDesk) -> None:
    counted = desk.run(agreed)
    assert set(counted) == set(STATES)
    assert sum(counted.values()) == 16 * len(LOANS) * 6

    sizes = {
        state: len(desk.run(register.list_cases, Search(state=state), limit=2000, by="reviewer"))
        for state in STATES
        if state != "draft"  # their drafters' own
    }
    counts = desk.run(register.count_by_state, by="reviewer")
    never_submitted = 8 * len(LOANS) * 6 * 3 // 4  # of these the closed and withdrawn ones
    assert sizes == {**{state: counted[state] for state in sizes}, "closed": counted["closed"] - never_submitted}
    assert {state: counts[state] for state in sizes if state != "closed"} == {
        state: size for state, size in sizes.items() if state != "closed"
    }


@pytest.mark.both_databases
@pytest.mark.requirement("R20", verb="recorded")
def test_the_register_sorts_by_the_way_that_a_case_goes(desk: ReviewDesk) -> None:
    order = [STATES.index(line.state) for line in desk.run(_by_state, descending=False, by="reviewer")]
    back = [STATES.index(line.state) for line in desk.run(_by_state, descending=True, by="reviewer")]
    assert order == sorted(order)
    assert back == sorted(back, reverse=True)


def _by_state(uow: UnitOfWork, *, descending: bool) -> list[register.CaseLine]:
    return register.list_cases(uow, Search(sort="state", descending=descending), limit=2000)


def test_the_first_release_s_cases_agree(tmp_path: Path) -> None:
    with tarfile.open(KEPT / FOLDERS) as archive:
        archive.extractall(tmp_path, filter="tar")
    [path] = (tmp_path / "var").glob("*.sqlite3")
    counted = _agreed_in(path, Facts.read().moment)
    assert set(counted) >= {"draft", "correction", "approval", "retrieval", "awaiting-receipt", "in-use", "closed"}


def test_a_small_installation_agrees(tmp_path: Path) -> None:
    small = SmallInstallation(tmp_path, prepare_database(tmp_path / "prepared.sqlite3", MADE_FOR))
    for key in ("draft", "lent"):
        small.enter("applications", id=key, submitted_at=None if key == "draft" else "2031-01-01 00:00:00.000000")
    small.enter("hand_overs", application_id="lent")
    assert _agreed_in(tmp_path / "var" / "database.sqlite3", MADE_FOR) == {"draft": 1, "awaiting-receipt": 1}


def test_a_filled_year_agrees(tmp_path: Path) -> None:
    with filled_year(tmp_path, Size(cases=60, open=28, people=45, cameras=40)) as database:
        assert database.read_now(SYSTEM, agreed).total() >= 60


def _agreed_in(path: Path, moment: datetime) -> Counter[str]:
    database: Database = open_database(f"sqlite:///{path}", FixedClock(moment), Rules(max_use_days=30))
    try:
        database_schema.migrate(database.engine)
        return database.read_now(SYSTEM, agreed)
    finally:
        database.close()

"""A database that is filled for measuring holds to all that the product checks of its own."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator

import pytest
import rfc8785
from case_invariants import in_database
from filled_year import filled_year
from portal_client import MODELS
from sqlalchemy import delete, func, select, update

from services.backup.database_export import snapshot
from services.database import schema as database_schema
from services.database.base import Base
from services.database.tables.applications import Application, Revision
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document, NumberSeries
from services.database.tables.reviews import Review
from services.database.tables.stage_visits import StageVisit
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo.year.fill import OPEN, Size
from services.domain.audit.verification import verify_trail
from services.domain.cases import queries, stage_times, states
from services.domain.cases import rows as case_rows
from services.domain.custody.log import broken_at
from services.domain.reviews import tasks as review_tasks

SIZE = Size(cases=60, open=2 * len(OPEN), people=45, cameras=40)
ACTOR = Actor("system", "test")


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with filled_year(tmp_path_factory.mktemp("year"), SIZE) as database:
        yield database


def test_sqlite_and_the_product_find_nothing_wrong(filled: Database) -> None:
    with filled.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_key_check").all() == []
        assert connection.exec_driver_sql("PRAGMA integrity_check").all() == [("ok",)]
    filled.run_now(ACTOR, database_schema.check)
    filled.run_now(ACTOR, review_tasks.check_stages)
    with snapshot(filled.engine.url.render_as_string()) as connection:
        result = verify_trail(connection)
    assert result.faults == []
    assert result.size > 10 * SIZE.cases


def test_every_kind_of_row_of_a_case_is_there(filled: Database) -> None:
    def count(table: type[Base]) -> int:
        return filled.run_now(ACTOR, lambda uow: uow.session.scalar(select(func.count()).select_from(table)) or 0)

    assert count(Application) == SIZE.cases
    assert count(Revision) == SIZE.cases - 2  # but for drafts
    assert (
        filled.run_now(
            ACTOR, lambda uow: uow.session.scalar(select(func.count()).where(Application.closed_at.is_(None)))
        )
        == SIZE.open
    )


def test_what_has_ended_left_nothing_open(filled: Database) -> None:
    closed = filled.run_now(
        ACTOR,
        lambda uow: uow.session.execute(
            select(Application.id, Application.closed_as).where(Application.closed_at.is_not(None))
        ).all(),
    )
    assert {row.closed_as for row in closed} == {"footage-re-archived", "rejected", "withdrawn", "expired"}
    for row in closed:
        found = filled.run_now(ACTOR, lambda uow, row=row: list(in_database(uow, row.id, row.closed_as)))
        # a violation goes on after the return
        assert [sentence for sentence in found if "violation-security" not in sentence] == []


def test_each_open_case_is_where_it_was_put(filled: Database) -> None:
    applications = filled.run_now(
        ACTOR, lambda uow: uow.session.scalars(select(Application).where(Application.closed_at.is_(None))).all()
    )
    found = filled.run_now(ACTOR, states.states_of, applications).values()
    stages = set(
        filled.run_now(
            ACTOR, lambda uow: uow.session.scalars(select(Review.stage).where(Review.closed_at.is_(None))).all()
        )
    )
    of_cases = {stage for stage in OPEN if stage not in ("draft", "correction", "retrieval", "in-use", "overdue")}
    assert stages == of_cases | {"extension"}
    assert Counter(state.code for state in found) == {
        **{"approval": 8, "draft": 2, "correction": 2, "retrieval": 4, "awaiting-receipt": 2},
        **{"in-use": 6, "overdue": 2, "return-inspection": 2},
    }


def test_the_stages_of_what_has_ended_are_those_of_its_timeline(filled: Database) -> None:
    def visits(uow: UnitOfWork) -> list[tuple[object, ...]]:
        query = select(StageVisit).order_by(StageVisit.application_id, StageVisit.place)
        return [
            (row.application_id, row.place, row.stage, row.since, row.seconds) for row in uow.session.scalars(query)
        ]

    before = filled.run_now(ACTOR, visits)
    filled.run_now(ACTOR, lambda uow: uow.session.execute(delete(StageVisit)))
    filled.run_now(ACTOR, lambda uow: uow.session.execute(update(Application).values(visits_added_at=None)))
    assert not filled.run_now(ACTOR, stage_times.add_up, MODELS)
    assert filled.run_now(ACTOR, visits) == before
    assert len(before) > 8 * (SIZE.cases - SIZE.open) // 2


def test_hashes_chains_and_numbers_hold(filled: Database) -> None:
    def check(uow: UnitOfWork) -> None:
        session = uow.session
        for revision in session.scalars(select(Revision)):
            assert hashlib.sha256(rfc8785.dumps(revision.form)).hexdigest() == revision.sha256
        for document in session.scalars(select(Document)):
            assert rfc8785.dumps(json.loads(document.content)).decode() == document.content
            assert hashlib.sha256(document.content.encode()).hexdigest() == document.sha256
        for loan in session.scalars(select(HandOver)):
            entries = select(CustodyEntry).where(CustodyEntry.hand_over_id == loan.id).order_by(CustodyEntry.seq)
            assert broken_at(session.scalars(entries).all()) is None
        last = {(row.prefix, row.year): row.last for row in session.scalars(select(NumberSeries))}
        for number in session.scalars(select(Application.number).where(Application.number.is_not(None))):
            prefix, year, serial = number.split("-")
            assert int(serial) <= last[prefix, int(year)]

    filled.run_now(ACTOR, check)


def test_every_case_page_can_be_read(filled: Database) -> None:
    for case in filled.run_now(ACTOR, lambda uow: uow.session.scalars(select(Application)).all()):
        view = filled.run_now(
            ACTOR,
            lambda uow, case=case: queries.case_of_rows(
                case_rows.CaseRows(uow, uow.session.get_one(Application, case.id))
            ),
        )
        assert view.custody_broken_at is None
        assert (view.state == "draft") == (view.number is None)

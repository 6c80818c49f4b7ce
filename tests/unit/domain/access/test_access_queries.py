"""What a unit of work has loaded of organisation and cases: once, no longer than it holds, and no plain member."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from review_desk import NOON, STAFF, ReviewDesk
from sqlalchemy import event, update

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.people import Absence, Post
from services.database.tables.reviews import Decision
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries

DAY = timedelta(days=1)
SIGNED: dict[str, Any] = {"statement_sha256": "0" * 64, "signature": {}}


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def test_organisation_and_cases_are_loaded_once_in_a_unit(desk: ReviewDesk) -> None:
    cases = [desk.submitted() for _ in range(5)]
    statements: list[str] = []

    def act(uow: UnitOfWork) -> None:
        applications = [uow.session.get_one(Application, one) for one in cases]
        event.listen(desk.database.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
        for _ in range(3):
            access_queries.load_directory(uow)
            access_queries.load_all_facts(uow, applications)
            access_queries.load_facts(uow, cases[0])

    desk.run(act)
    assert len(statements) == 2 + 2 + 1  # directory, facts, and the rules that name the agreement's version


def test_a_plain_member_is_no_part_of_the_directory(desk: ReviewDesk) -> None:
    people = desk.run(access_queries.load_directory).people
    assert set(people) == {person for person, (_, posts) in STAFF.items() if posts != ("member",)}


def give_post(uow: UnitOfWork) -> None:
    uow.session.add(Post(person_id="keeper", department_id="works", kind="head", since=NOON - DAY))


def end_post(uow: UnitOfWork) -> None:
    uow.session.query(Post).filter_by(person_id="head").one().until = NOON


def end_posts_at_once(uow: UnitOfWork) -> None:
    uow.session.execute(update(Post).where(Post.person_id == "head").values(until=NOON))


def go_away(uow: UnitOfWork) -> None:
    uow.session.add(Absence(person_id="head", since=NOON - DAY, until=NOON + DAY))


def end_agreement(uow: UnitOfWork) -> None:
    uow.session.query(Agreement).filter_by(person_id="head").one().ended_at = NOON


@pytest.mark.parametrize("write", [give_post, end_post, end_posts_at_once, go_away, end_agreement])
def test_a_unit_sees_what_it_has_written_of_the_organisation(
    desk: ReviewDesk, write: Callable[[UnitOfWork], None]
) -> None:
    def act(uow: UnitOfWork) -> None:
        before = access_queries.load_directory(uow)
        assert access_queries.load_directory(uow) is before
        write(uow)
        assert access_queries.load_directory(uow) != before

    desk.run(act)


def test_a_unit_sees_what_it_has_written_of_a_case(desk: ReviewDesk) -> None:
    case = desk.submitted()
    review = desk.opened(case, "preliminary")

    def act(uow: UnitOfWork) -> None:
        assert not access_queries.load_facts(uow, case).done["preliminary"]
        uow.session.add(
            Decision(
                **{"review_id": review, "application_id": case, "stage": "preliminary", "round": 0},
                **{"outcome": "approved", "decided_by": "head", "decided_at": NOON, "answers": {}, "variables": {}},
                **{"form_sha256": "0" * 64, **SIGNED},
            )
        )
        assert access_queries.load_facts(uow, case).done["preliminary"] == {"head"}
        uow.session.get_one(Application, case).custodian_id = "operator"
        assert access_queries.load_facts(uow, case).custodians == {"operator"}

    desk.run(act)


def test_what_a_savepoint_undoes_was_not_loaded(desk: ReviewDesk) -> None:
    def act(uow: UnitOfWork) -> None:
        with uow.savepoint() as savepoint:
            give_post(uow)
            assert access_queries.load_directory(uow).holds("keeper", "head")
            savepoint.rollback()
        assert not access_queries.load_directory(uow).holds("keeper", "head")

    desk.run(act)


def test_the_next_unit_loads_anew(desk: ReviewDesk) -> None:
    before = desk.run(access_queries.load_directory)
    assert desk.run(access_queries.load_directory) is not before
    desk.post("keeper", "head", "works")
    assert desk.run(access_queries.load_directory).holders("works", "head") == ["head", "keeper"]

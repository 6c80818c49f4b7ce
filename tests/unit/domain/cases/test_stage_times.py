"""The time in each stage is the same before and after the cases that have ended are added up (R62)."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from filled_year import filled_year
from portal_client import MODELS
from sqlalchemy import select, update
from statements import statements

from services.database.tables.applications import Application
from services.database.tables.stage_visits import StageVisit
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo.organisation import demo_id
from services.demo.year.fill import Size
from services.domain.cases import stage_times
from services.domain.cases.schemas.lists import StageLine
from services.domain.cases.stage_times import add_up, list_stage_times

ACTOR = Actor("system", "test")
READERS = ("wulei", "hanxue", "zhangwei", "hutao", "machao", "lina")


@pytest.fixture
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with filled_year(tmp_path_factory.mktemp("stages"), Size(cases=60, open=28, people=45, cameras=4)) as database:
        yield database


def times(database: Database, login: str, department: str | None = None) -> list[StageLine]:
    def read(uow: UnitOfWork) -> list[StageLine]:
        since = uow.now - timedelta(days=300)
        return list_stage_times(uow, MODELS, since, uow.now, department_id=department)

    return database.read_now(Actor("person", demo_id(login)), read)


def derive_again(uow: UnitOfWork) -> None:
    uow.session.execute(StageVisit.__table__.delete())
    uow.session.execute(update(Application).values(visits_added_at=None))


@pytest.mark.requirement("R62", verb="recorded")
@pytest.mark.parametrize("login", READERS)
@pytest.mark.parametrize("department", [None, "bench-department-1"])
def test_what_is_added_up_is_what_was_derived(filled: Database, login: str, department: str | None) -> None:
    added = times(filled, login, department)
    filled.run_now(ACTOR, derive_again)
    assert times(filled, login, department) == added
    assert added or login != "wulei"  # others see some of these cases, or none


def test_only_what_ended_a_while_ago_is_added_up_and_each_case_once(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled.run_now(ACTOR, derive_again)
    monkeypatch.setattr(stage_times, "AT_ONCE", 20)
    assert [filled.run_now(ACTOR, add_up, MODELS) for _ in range(3)] == [True, False, False]
    left = filled.run_now(
        ACTOR,
        lambda uow: uow.session.scalars(
            select(Application.closed_at).where(Application.visits_added_at.is_(None))
        ).all(),
    )
    assert left == [None] * 28


def test_cases_that_have_ended_are_not_read_again(filled: Database) -> None:
    with statements(filled.engine) as told:
        times(filled, "wulei")
    assert len([statement for statement in told if statement.startswith("SELECT")]) <= 12
    assert all("visits_added_at IS NULL" in statement for statement in told if "FROM process_steps" in statement)

"""A model whose elements all have other ids shows each case where it is, and counts the same times (R2, R62)."""

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from filled_year import filled_year

from services.database.tables.applications import Application
from services.database.tables.process_steps import ProcessStep
from services.database.tables.reviews import Review
from services.database.tables.stage_visits import StageVisit
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.demo.organisation import demo_id
from services.demo.year.fill import Size
from services.domain.cases import rows as case_rows
from services.domain.cases import stage_times, timeline
from services.domain.process.model_library import ModelLibrary
from services.runtime.models import Model, parse
from services.runtime.places import BPMN

ACTOR = Actor("person", demo_id("wulei"))
ID = re.compile(r"\b(Call|Task|Phase|Gateway|Event|Flow|Catch|Message)_(\w+)")


def renamed(text: str) -> str:
    return ID.sub(r"\1_own_\2", text)


def models(change: Any = str) -> ModelLibrary:
    found: dict[str, Model] = {}
    for path in sorted(BPMN.glob("*.bpmn")):
        found |= parse(change(path.read_text(encoding="utf-8")).encode())
    return ModelLibrary(found)


SHIPPED, REDRAWN = models(), models(renamed)


@pytest.fixture
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    with filled_year(tmp_path_factory.mktemp("renamed"), Size(cases=60, open=28, people=45, cameras=4)) as database:
        yield database


def _shown(uow: UnitOfWork, found: ModelLibrary) -> dict[str, Any]:
    """The timeline of each case and of each of its reviews, without ids of elements and what the clock adds."""
    shown: dict[str, Any] = {}
    for application in uow.session.query(Application).filter(Application.submitted_at.is_not(None)):
        rows = case_rows.of_case(uow, application.id)
        lines = [timeline.of_rows(rows, found)]
        reviews = uow.session.query(Review).filter_by(application_id=application.id, matter_id=None)
        lines += [timeline.review_of_rows(rows, review.id, found) for review in reviews]
        shown[application.id] = [
            (
                line.in_transit,
                sorted(repr(marker.model_copy(update={"element_id": "", "seconds": None})) for marker in line.markers),
            )
            for line in lines
        ]
    return shown


def _rename_steps(uow: UnitOfWork) -> None:
    for step in uow.session.query(ProcessStep):
        step.element_id = renamed(step.element_id)


def _times(uow: UnitOfWork, found: ModelLibrary) -> list[Any]:
    return stage_times.list_stage_times(uow, found, uow.now - timedelta(days=300), uow.now)


def _derive_again(uow: UnitOfWork) -> None:
    uow.session.execute(StageVisit.__table__.delete())
    uow.session.query(Application).update({"visits_added_at": None})


@pytest.mark.requirement("R2", "R62", verb="recorded")
def test_where_a_case_stands_does_not_depend_on_the_ids_of_elements(filled: Database) -> None:
    filled.run_now(ACTOR, _derive_again)
    before, times = filled.read_now(ACTOR, _shown, SHIPPED), filled.read_now(ACTOR, _times, SHIPPED)
    filled.run_now(ACTOR, _rename_steps)

    assert filled.read_now(ACTOR, _shown, REDRAWN) == before
    assert filled.read_now(ACTOR, _times, REDRAWN) == times
    assert {line.stage for line in times} >= {"preservation", "correction", "retrieval", "issuing", "in-use"}
    assert len(before) > 50

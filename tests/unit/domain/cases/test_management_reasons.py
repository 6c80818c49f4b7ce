"""The page of a case says why management decides it, by what the database holds; or that the model alone asks."""

from typing import Any

import pytest
from prepared_desk import prepared_desk
from review_desk import ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.cameras import Camera
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import management_reasons
from services.domain.cases.rows import CaseRows


def reasons(desk: ReviewDesk, case: str, by: str = "supervisor") -> list[str]:
    def read(uow: UnitOfWork) -> list[str]:
        return [text.en for text in management_reasons.of_case(CaseRows(uow, uow.session.get_one(Application, case)))]

    found: list[str] = desk.run(read, by=by)
    return found


def change(desk: ReviewDesk, table: type, key: str, **values: Any) -> None:
    def act(uow: UnitOfWork) -> None:
        row = uow.session.get_one(table, key)
        for name, value in values.items():
            setattr(row, name, value)

    desk.run(act)


@pytest.mark.requirement("R5", "R26")
def test_each_reason_is_told_and_what_the_model_adds_too(any_database_url: str) -> None:
    desk, case = prepared_desk(any_database_url, ReviewDesk.submitted)
    assert reasons(desk, case) == [], "nobody asked management"

    change(desk, Application, case, decided_by="management")
    assert reasons(desk, case) == ["the process model asks management, although no rule requires it"]

    change(desk, Camera, "camera", camera_class="sensitive")
    assert reasons(desk, case) == ["footage of a sensitive area is requested: item 1"]

    change(desk, Application, case, important_information=True, high_impact=True)
    assert reasons(desk, case)[0] == "the application is marked: Important information, High impact"

    change(desk, Application, case, subject_ids=["reviewer"], decided_by="management-other")
    assert reasons(desk, case)[2:] == [
        "people from Security are involved",
        "people from management are involved, so other managers decide",
    ]
    assert len(reasons(desk, case, by="drafter")) == 2, "whose own matter it is, the applicant's side does not read"
    desk.close()

"""Attempts on inspections by their own leader, and by people of the cases that are inspected."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from review_desk import ReviewDesk
from supervision_desk import Supervised

from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.inspections import GroupInspection
from services.database.unit_of_work import UnitOfWork
from services.domain.documents import service as document_service
from services.domain.supervision import due, periods, queries, service
from services.domain.supervision.case_reviews import Given
from services.runtime.errors import NotFound, Refused
from services.runtime.rules import Rules


def supervised(path: Path, period: str) -> Iterator[Supervised]:
    made = Supervised(ReviewDesk(f"sqlite:///{path / 'books.db'}", Rules(max_use_days=30, inspection_period=period)))  # type: ignore[arg-type]
    made.prepare()
    yield made
    made.desk.close()


@pytest.fixture
def quarterly(tmp_path: Path) -> Iterator[Supervised]:
    yield from supervised(tmp_path, "quarter")


@pytest.fixture
def monthly(tmp_path: Path) -> Iterator[Supervised]:
    yield from supervised(tmp_path, "month")


@pytest.mark.requirement("R63")
def test_the_leader_chooses_no_other_length_and_a_month_keeps_no_quarter_from_being_inspected(
    quarterly: Supervised,
) -> None:
    """Who could choose between month and quarter could compute both samples, and take the one without some case."""
    desk = quarterly.desk
    quarterly.appointed()
    with pytest.raises(Refused) as caught:
        quarterly.opened()
    assert (caught.value.code, caught.value.field) == ("period-length", "period")
    assert desk.all(GroupInspection) == []

    # a month that was inspected while the rule said so: the rest of its quarter is inspected month by month
    def at_that_time(uow: UnitOfWork) -> None:
        service._open(uow, periods.parse("2030-11", uow.rules.zone), by_system=True)

    desk.run(_listed_then)
    desk.run(at_that_time)
    assert [desk.run(due.begin) is not None for _ in range(3)] == [True, True, False]
    assert {row.period for row in desk.all(GroupInspection)} == {"2030-10", "2030-11", "2030-12"}


def _listed_then(uow: UnitOfWork) -> None:
    uow.session.get_one(Application, "case-1").listed_at = datetime(2030, 10, 1, tzinfo=UTC)


@pytest.mark.requirement("R62", "R63")
def test_whom_a_case_of_the_sample_concerns_does_not_read_of_it_in_the_report(monthly: Supervised) -> None:
    desk = monthly.desk
    monthly.appointed()
    inspection_id = monthly.reported(
        lambda row: {"use_6": Given("no", "用于获准用途之外")} if row.position == 1 else {}
    )
    first = monthly.cases(inspection_id)[0]

    def concern(uow: UnitOfWork) -> None:
        uow.session.get_one(Application, first.application_id).subject_ids = ["security-head", "of-legal"]

    desk.run(concern)

    def numbers(by: str) -> tuple[set[str], set[str]]:
        view = desk.run(queries.read_inspection, inspection_id, by=by)
        assert view.report is not None
        return {one["number"] for one in view.report["sample"]["cases"]}, {one.number for one in view.cases}

    assert all(first.number not in read for read in numbers("security-head"))
    assert all(first.number in read for read in numbers("manager"))
    monthly.sign(inspection_id, "supervisor")
    assert first.number in numbers("of-legal")[0], "who signs the report reads all of it"
    for person in ("of-security", "of-legal", "of-storage"):
        monthly.sign(inspection_id, person)
    number = desk.the(Document, kind="inspection-report").number
    with pytest.raises(NotFound):
        desk.run(document_service.read_document, number, "page", by="security-head")
    for reader in ("manager", "of-legal", "supervisor"):
        desk.run(document_service.read_document, number, "page", by=reader)


@pytest.mark.requirement("R62", refuses=True)
def test_no_number_of_an_inspection_tells_of_a_case_to_whom_it_concerns(monthly: Supervised) -> None:
    desk = monthly.desk
    monthly.appointed()
    inspection_id = monthly.reported(
        lambda row: {"use_6": Given("no", "用于获准用途之外")} if row.position == 1 else {}
    )
    first, second, *_ = cases = monthly.cases(inspection_id)

    def concern(uow: UnitOfWork) -> None:
        uow.session.get_one(Application, first.application_id).subject_ids = ["security-head"]
        inspection = uow.session.get_one(GroupInspection, inspection_id)
        orders = [{"number": "SW-2031-000001", "subject": f"JC-2031-000001/1 · {first.number}"}, {"number": "other"}]
        inspection.report = {**(inspection.report or {}), "workOrders": orders}
        named = {"content": json.dumps({"workOrders": orders}), "sha256": "0" * 64, "made_at": uow.now, "demo": False}
        uow.session.add(Document(number="JC-2031-009999", kind="inspection-report", **named))

    desk.run(concern)
    for by, all_of_them in (("security-head", 0), ("manager", 1)):
        number = len(cases) - 1 + all_of_them
        view = desk.run(queries.read_inspection, inspection_id, by=by)
        [line] = desk.run(queries.page_of_inspections, limit=10, by=by).lines
        assert (line.sampled, line.inspected, line.findings) == (number, number, all_of_them), by
        assert view.line == line
        assert [one.position for one in view.cases] == list(range(1, number + 1)), by
        sheet = desk.run(queries.read_case, second.id, by=by)
        assert (sheet.position, sheet.sampled, sheet.inspected) == (1 + all_of_them, number, number), by
        behind = desk.run(queries.read_inspection, inspection_id, after=1, by=by).cases
        assert [(one.position, one.id) for one in behind] == [(one.position, one.id) for one in view.cases[1:]], by
        assert view.report is not None
        assert len(view.report["workOrders"]) == 1 + all_of_them, by
        assert (str(first.number) in view.model_dump_json()) == bool(all_of_them), by
    with pytest.raises(NotFound):
        desk.run(document_service.read_document, "JC-2031-009999", "page", by="security-head")
    desk.run(document_service.read_document, "JC-2031-009999", "page", by="manager")

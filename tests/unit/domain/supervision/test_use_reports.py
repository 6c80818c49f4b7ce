"""The report on safety and use: its figures are those of the rows, it is made once, and read by who may (R1)."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from unittest.mock import patch
from zoneinfo import ZoneInfo

import pytest
import reported_rows
from amount import examples
from lent_case import lend
from prepared_desk import prepared_desk
from review_desk import ReviewDesk
from statements import statements

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.maintenance import MaintenanceRun, Reconciliation
from services.database.tables.notices import Notice
from services.database.tables.stage_visits import StageVisit
from services.database.tables.violations import Violation
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.cases.document_layouts import render_page
from services.domain.documents import service as document_service
from services.domain.supervision import (
    month_keeping,
    month_totals,
    statistics,
    use_figures,
    use_report_queries,
    use_reports,
)
from services.runtime.errors import NotFound, Refused

ZONE = ZoneInfo("Asia/Shanghai")
LATER = datetime(2031, 4, 2, tzinfo=UTC)


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk, _ = prepared_desk(any_database_url, lend)
    desk.clock.turn(LATER - desk.clock.now())
    yield desk
    desk.close()


def _in_quarter(moment: datetime | None) -> bool:
    return moment is not None and moment.astimezone(ZONE).isoformat()[:7] in ("2031-01", "2031-02", "2031-03")


def _before_april(moment: datetime | None) -> bool:
    return moment is not None and moment.astimezone(ZONE).isoformat() < "2031-04"


@pytest.mark.both_databases
@pytest.mark.requirement("R1", verb="recorded")
def test_the_report_counts_what_its_rows_say_in_few_statements(desk: ReviewDesk) -> None:
    desk.run(reported_rows.fill, examples(sample=100, full=400))
    desk.clock.turn(datetime(2031, 3, 5, tzinfo=UTC) - desk.clock.now())
    desk.run(lambda uow: audit_trail.record(uow, "access-denied", "copy", "x"))
    desk.run(lambda uow: audit_trail.record(uow, "access-refused", "person", "x"))
    desk.clock.turn(LATER - desk.clock.now())
    with statements(desk.database.engine) as sent:
        number = desk.run(lambda uow: use_reports.make(uow, "2031-q1").number, by="supervisor")
    assert number == "AY-2031-000001"
    assert len(sent) <= 25 + 5 * len(desk.all(Notice, code="use-report-made")), "\n".join(sent)
    with statements(desk.database.engine) as sent:
        view = desk.run(use_report_queries.read_report, number, by="manager")
    assert len(sent) <= 25

    found = {one.code: one.now for one in view.figures}
    loans, cases = desk.all(HandOver), [one for one in desk.all(Application) if _in_quarter(one.submitted_at)]
    violations = [one for one in desk.all(Violation) if one.closed_as != "cleared"]
    orders = {one.id: one for one in desk.all(WorkOrder)}

    def back(loan: HandOver) -> datetime | None:
        return loan.returned_at or loan.lost_at or loan.ended_at

    late = [loan for loan in loans if loan.accepted_at and loan.due_at and (back(loan) or LATER) > loan.due_at]
    kept = [loan for loan in loans if _before_april(loan.accepted_at) and not _before_april(back(loan))]
    undone = [one for one in desk.all(WorkOrderAttempt) if _before_april(one.due_at) and not _before_april(one.done_at)]
    expected = {
        "submitted": len(cases),
        "rejected": sum(one.closed_as == "rejected" and _in_quarter(one.closed_at) for one in desk.all(Application)),
        "received": sum(_in_quarter(loan.accepted_at) for loan in loans),
        "returned": sum(_in_quarter(loan.returned_at) for loan in loans),
        "lost": sum(_in_quarter(loan.lost_at) for loan in loans),
        "overdue": sum(_in_quarter(loan.due_at) for loan in late),
        "onLoanAtEnd": len(kept),
        "overdueAtEnd": sum(_before_april(loan.due_at) for loan in kept),
        "violations": sum(_in_quarter(one.opened_at) for one in violations),
        "violationsAtEnd": sum(
            _before_april(one.opened_at) and not _before_april(one.closed_at) for one in desk.all(Violation)
        ),
        "workOpened": sum(_in_quarter(one.opened_at) for one in orders.values()),
        "workOverdueAtEnd": sum(not _before_april(orders[one.work_order_id].closed_at) for one in undone),
        "refusedAccess": 2,  # the other seven are of April
    }
    assert {code: found[code] for code in expected} == expected
    assert min(expected[code] for code in ("rejected", "lost", "overdue", "overdueAtEnd", "workOverdueAtEnd")) > 0
    earlier = {one.code: one.before for one in view.figures}
    assert earlier["submitted"] == sum(
        (one.submitted_at or LATER).astimezone(ZONE).year == 2030 for one in desk.all(Application)
    )
    outcomes = Counter((one.department_id, one.closed_as or "open") for one in cases)
    assert (
        Counter({(one.id, how): count for one in view.departments for how, count in one.outcomes.items()}) == outcomes
    )
    of_departments = Counter({one.id: one.now.violations for one in view.departments})
    department = {one.id: one.department_id for one in desk.all(Application)}
    assert of_departments == Counter(department[one.application_id] for one in violations if _in_quarter(one.opened_at))
    assert sum(one.now for one in view.violations) == expected["violations"]


@pytest.mark.both_databases
@pytest.mark.requirement("R62", "R63", verb="recorded")
def test_a_month_that_is_over_stays_as_it_was_counted_in_report_and_statistics_alike(desk: ReviewDesk) -> None:
    desk.run(reported_rows.fill, 60)
    desk.clock.turn(LATER - desk.clock.now())

    def visit(uow: UnitOfWork) -> None:
        for place, application in enumerate(uow.session.query(Application).order_by(Application.id)):
            for number, stage in enumerate(("security", "management", "security")):
                began = {"since": uow.now - timedelta(days=20 * number + place), "seconds": 100.0 * number + place}
                uow.session.add(StageVisit(application_id=application.id, place=number, stage=stage, **began))

    desk.run(visit)
    live = desk.run(statistics.read_statistics, months=12, by="supervisor")
    of_works = desk.run(statistics.read_statistics, months=12, department_id="works", by="supervisor")
    with patch.object(month_totals, "CASES_AT_ONCE", 7):
        while desk.run(month_keeping.keep_due):
            pass
    assert desk.run(statistics.read_statistics, months=12, by="supervisor") == live
    assert desk.run(statistics.read_statistics, months=12, department_id="works", by="supervisor") == of_works
    assert sum(one.violations for one in live.months) > 0
    assert len({stage.stage for stage in live.stages}) == 2

    number = desk.run(lambda uow: use_reports.make(uow, "2031-02").number, by="supervisor")

    def change(uow: UnitOfWork) -> None:
        for violation in uow.session.query(Violation):
            violation.closed_as, violation.closed_at = "cleared", uow.now
        for loan in uow.session.query(HandOver):
            loan.due_at = LATER + timedelta(days=30)

    desk.run(change)
    assert desk.run(statistics.read_statistics, months=12, by="supervisor").months[:-1] == live.months[:-1]
    again = desk.run(lambda uow: use_reports.make(uow, "2031-03").number, by="supervisor")
    by_month = {f"{one.month:%Y-%m}": one for one in live.months}
    for name, report in (("2031-02", number), ("2031-03", again)):
        view = desk.run(use_report_queries.read_report, report, by="manager")
        found = {one.code: one.now for one in view.figures}
        for code, measure in use_figures.SHARED.items():
            assert found[code] == getattr(by_month[name], measure), (name, code)
        assert (len(view.trend), view.trend[-1].month) == (12, name)
        of_trend = {one.month: one.applications for one in view.trend}
        assert of_trend.items() >= {one: by_month[one].applications for one in of_trend if one in by_month}.items()
        assert sum(one.now.violations for one in view.departments) == by_month[name].violations
        assert sum(one.now for one in view.violations) == by_month[name].violations
        document = desk.the(Document, number=report)
        assert "逐月趋势：申请" in render_page("use-report", report, document.sha256, json.loads(document.content))

    def hide(uow: UnitOfWork) -> None:
        case = uow.session.query(Application).filter(Application.submitted_at.is_not(None)).first()
        assert case is not None
        case.subject_ids = ["supervisor"]

    desk.run(hide)
    now = desk.run(statistics.read_statistics, months=12, by="supervisor")
    assert now.model_dump().keys() == live.model_dump().keys() == {"months", "departments", "stages"}  # nothing says so
    assert sum(one.applications for one in now.months) == sum(one.applications for one in live.months) - 1  # T8


@pytest.mark.requirement("R1", verb="recorded")
def test_a_report_is_filed_told_to_the_management_and_its_reading_is_an_event(desk: ReviewDesk) -> None:
    def maintain(uow: UnitOfWork) -> None:
        for day, found in (("2031-03-01", 3), ("2031-03-31", 1), ("2031-04-01", 9)):
            run = {"day": day, "began_at": uow.now, "heartbeat_at": uow.now, "ended_at": uow.now, "counts": {}}
            uow.session.add(MaintenanceRun(task="reverify-footage", bytes_read=10, **run))
            uow.session.add(
                Reconciliation(
                    day=day, made_at=uow.now, document=f"DZ-{day}", compared={}, found=found, open=found, not_told=[]
                )
            )

    desk.run(maintain)
    number = desk.run(lambda uow: use_reports.make(uow, "2031-03").number, by="security-head")
    [document] = desk.all(Document, kind="use-report")
    assert (document.number, document.subject_id) == (number, "2031-03")
    assert document.lock_due_since is not None  # the stores are told of it, as of every document
    content = json.loads(document.content)
    found = {one["code"]: one["now"] for one in content["figures"]}
    assert (found["daysVerified"], found["bytesVerified"], found["daysReconciled"]) == (2, 20, 2)
    assert found["differencesAtEnd"] == 1
    assert "视频录像安全与使用报告" in render_page("use-report", number, document.sha256, content)
    told = {one.person_id for one in desk.all(Notice, code="use-report-made")}
    assert {"manager", "board-head"} <= told
    assert len(desk.all(AuditEvent, action="use-report-written")) == 1

    read = len(desk.all(AuditEvent, action="document-read"))
    desk.run(use_report_queries.read_report, number, by="manager")
    desk.run(document_service.read_document, number, "pdf", by="manager")
    assert len(desk.all(AuditEvent, action="document-read")) == read + 2


@pytest.mark.requirement("R1")
def test_who_may_not_neither_makes_nor_reads_it_and_no_period_has_two(desk: ReviewDesk) -> None:
    for by in ("drafter", "head", "reviewer", "manager", "admin", "operator"):
        with pytest.raises(Refused, match="Only supervisors"):
            desk.run(use_reports.make, "2031-03", by=by)
    for period, code in (("2031-04", "period-not-over"), ("2031", "period-not-over"), ("2031-02", "period-empty")):
        with pytest.raises(Refused) as refused:
            desk.run(use_reports.make, period, by="supervisor")
        assert refused.value.code == code
    for period in ("2031-13", "0000", "9999-12", "soon", "2031-Q5"):
        with pytest.raises(Refused, match="Enter a month"):
            desk.run(use_reports.make, period, by="supervisor")
    number = desk.run(lambda uow: use_reports.make(uow, "2031-03").number, by="supervisor")
    with pytest.raises(Refused, match=number):
        desk.run(use_reports.make, "2031-03", by="security-head")
    for by in ("drafter", "reviewer", "admin"):
        with pytest.raises(NotFound):
            desk.run(use_report_queries.read_report, number, by=by)
        with pytest.raises(NotFound):
            desk.run(document_service.read_document, number, "data", by=by)
        with pytest.raises(Refused, match="supervis"):
            desk.run(use_report_queries.page_of_reports, limit=5, by=by)


@pytest.mark.requirement("R1", verb="recorded")
def test_the_system_reports_on_each_period_and_year_once(desk: ReviewDesk) -> None:
    assert len(desk.run(use_reports.make_due)) == 2  # March and its quarter; nothing was applied for in 2030
    assert desk.run(use_reports.make_due) == []
    desk.clock.turn(datetime(2031, 7, 2, tzinfo=ZONE) - desk.clock.now())  # an outage of a quarter
    for _ in range(2):
        asyncio.run(use_reports.make_missing(desk.database))
    made = [one.subject_id for one in desk.all(Document, kind="use-report")]
    assert made == ["2031-03", "2031-Q1", "2031-04", "2031-05", "2031-06", "2031-Q2"]
    desk.clock.turn(datetime(2033, 2, 1, tzinfo=ZONE) - desk.clock.now())  # longer than a year: the rest is asked for
    due = [period.name for period in desk.run(use_reports.list_due)]
    assert due == [
        *("2032-02", "2032-03", "2032-Q1", "2032-04", "2032-05", "2032-06", "2032-Q2", "2032-07", "2032-08"),
        *("2032-09", "2032-Q3", "2032-10", "2032-11", "2032-12", "2032-Q4", "2032", "2033-01"),
    ]
    page = desk.run(use_report_queries.page_of_reports, limit=2, by="board-head")
    assert {one.by for one in page.lines} == {None}
    assert page.next

"""The report on safety and use: its figures are those of the rows, it is made once, and read by who may (R1)."""

import json
import random
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from amount import examples
from lent_case import lend
from prepared_desk import prepared_desk
from review_desk import ReviewDesk
from sqlalchemy import insert
from statements import statements

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.maintenance import MaintenanceRun, Reconciliation
from services.database.tables.notices import Notice
from services.database.tables.violations import Violation
from services.database.tables.work_orders import WorkOrder, WorkOrderAttempt
from services.database.unit_of_work import UnitOfWork
from services.domain.audit import trail as audit_trail
from services.domain.cases.document_layouts import render_page
from services.domain.documents import service as document_service
from services.domain.supervision import use_report_queries, use_reports
from services.runtime.errors import NotFound, Refused

ZONE = ZoneInfo("Asia/Shanghai")
BEGIN = datetime(2030, 12, 20, tzinfo=UTC)
ENDS = (None, "rejected", "withdrawn", "footage-re-archived", "copy-lost")
STAY, LATER = timedelta(days=12), datetime(2031, 4, 2, tzinfo=UTC)


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk, _ = prepared_desk(any_database_url, lend)
    desk.clock.turn(LATER - desk.clock.now())
    yield desk
    desk.close()


def _fill(uow: UnitOfWork, each: int) -> None:
    """Rows at random moments of December to March, most of which are in the first quarter."""
    chance = random.Random(1)  # noqa: S311 - the same rows in every run
    pattern = uow.session.query(Application).first()
    assert pattern is not None
    columns = {column.key: getattr(pattern, column.key) for column in Application.__mapper__.column_attrs}

    def moment(after: datetime = BEGIN, days: float = 100) -> datetime:
        return after + timedelta(minutes=chance.randrange(int(days * 1440)))

    def later(after: datetime, share: float, days: float = 30) -> datetime | None:
        return moment(after, days) if chance.random() < share else None

    rows: dict[Any, list[dict[str, Any]]] = {
        kind: [] for kind in (Application, HandOver, Violation, WorkOrder, WorkOrderAttempt)
    }
    for number in range(each):
        submitted, case, end = moment(), f"case-{number}", chance.choice(ENDS)
        rows[Application].append(
            {
                **columns,
                **{"id": case, "number": f"SQ-{number}", "process_instance_key": None},
                **{"department_id": chance.choice(("works", "office")), "created_at": submitted},
                **{"submitted_at": submitted, "listed_at": submitted, "closed_as": end},
                "closed_at": moment(submitted, 20) if end else None,
            }
        )
        accepted = moment(submitted, 5)
        due = accepted + STAY
        rows[HandOver].append(
            {
                **{"id": f"loan-{number}", "application_id": case, "custodian_id": "keeper", "use_days": 12},
                **{"offered_at": submitted, "take_up_until": due, "accepted_at": accepted, "due_at": due},
                **{"returned_at": later(accepted, 0.6), "lost_at": later(accepted, 0.1)},
            }
        )
        opened = moment()
        closed = later(opened, 0.7)
        rows[Violation].append(
            {
                **{"application_id": case, "kind": chance.choice(("overdue", "leak")), "opened_at": opened},
                **{"facts": {}, "closed_at": closed},
                "closed_as": chance.choice(("cleared", "upheld")) if closed else None,
            }
        )
        opened, order = moment(), f"order-{number}"
        done = later(opened, 0.6)
        rows[WorkOrder].append(
            {
                **{"id": order, "number": f"WH-{number}", "key": order, "kind": "device-service"},
                **{"subject_kind": "device", "subject_id": "d", "subject_label": "d", "title_zh": "", "title_en": ""},
                **{"facts": {}, "facts_sha256": "0" * 64, "opened_at": opened, "due_at": opened + STAY},
                **{"closed_at": done, "closed_as": "done" if done else None},
            }
        )
        rows[WorkOrderAttempt].append(
            {
                **{"work_order_id": order, "attempt": 1, "due_at": opened + STAY, "done_at": done},
                "first_reminder_at": opened,
            }
        )
    for table, values in rows.items():
        uow.session.execute(insert(table), values)
    for number in range(7):
        audit_trail.record(uow, "access-denied", "copy", str(number))


def _in_quarter(moment: datetime | None) -> bool:
    return moment is not None and moment.astimezone(ZONE).isoformat()[:7] in ("2031-01", "2031-02", "2031-03")


def _before_april(moment: datetime | None) -> bool:
    return moment is not None and moment.astimezone(ZONE).isoformat() < "2031-04"


@pytest.mark.both_databases
@pytest.mark.requirement("R1", verb="recorded")
def test_the_report_counts_what_its_rows_say_in_few_statements(desk: ReviewDesk) -> None:
    desk.run(_fill, examples(sample=100, full=400))
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
    assert len(desk.run(use_reports.make_due)) == 1  # the first quarter; nothing was applied for in 2030
    assert desk.run(use_reports.make_due) == []
    desk.clock.turn(datetime(2032, 1, 1, tzinfo=ZONE) - desk.clock.now())
    assert len(desk.run(use_reports.make_due)) == 2
    assert [one.subject_id for one in desk.all(Document, kind="use-report")] == ["2031-Q1", "2031-Q4", "2031"]
    page = desk.run(use_report_queries.page_of_reports, limit=2, by="board-head")
    assert {one.by for one in page.lines} == {None}
    assert page.next

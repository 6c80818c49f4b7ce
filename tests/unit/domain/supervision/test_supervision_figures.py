"""What broke which requirement, and the figures by month: counted in SQL, the same as counted by hand."""

import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from lent_case import lend
from prepared_desk import prepared_desk
from review_desk import NOON, ReviewDesk

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.custody import HandOver
from services.database.tables.matters import Matter
from services.database.tables.reviews import Finding
from services.database.tables.stage_visits import StageVisit
from services.database.tables.violations import Hearing, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import completeness, security_check
from services.domain.audit import trail as audit_trail
from services.domain.cases.event_messages import EVENT_MESSAGES
from services.domain.custody.violations import KINDS
from services.domain.matters.kinds.problem import PROBLEMS
from services.domain.stages.catalogue import STAGES
from services.domain.supervision import breaches, coverage, statistics
from services.runtime.errors import NotFound, Refused

DAY = timedelta(days=1)


@pytest.fixture
def desk(any_database_url: str) -> Iterator[tuple[ReviewDesk, str]]:
    desk, ids = prepared_desk(any_database_url, lend)
    yield desk, ids["application_id"]
    desk.close()


def _break(uow: UnitOfWork, case: str) -> None:
    """One of each source, in one case; another case has a finding alone."""
    loan = uow.session.query(HandOver).filter_by(application_id=case).one()
    matter = {"application_id": case, "hand_over_id": loan.id, "opened_at": uow.now, "facts_sha256": "0" * 64}
    violated = {"application_id": case, "hand_over_id": loan.id, "opened_at": uow.now, "facts": {}}
    uow.session.add_all(
        [
            Violation(kind="overdue", due_at=uow.now, **violated),
            Violation(kind="leak", closed_as="cleared", closed_at=uow.now, **violated),
            Matter(number="WT-1", kind="problem", facts={"asked": {"problem": "gap"}}, **matter),
            Matter(number="WT-2", kind="extension", facts={"asked": {"problem": "damaged"}}, **matter),
        ]
    )
    found = {"round": 0, "check": "security-review", "code": "span-wide", "zh": "时间过长", "en": "a wide span"}
    for severity, of in (("warns", case), ("informs", case)):
        uow.session.add(Finding(application_id=of, severity=severity, found_at=uow.now, **found))
    uow.session.query(Item).filter_by(application_id=case).first().outcome = "partial"  # type: ignore[union-attr]
    audit_trail.record(uow, "job-refused", "job", "1", application_id=case)
    audit_trail.record(uow, "object-damaged", "object", "1", application_id=case, faults=["hash"])


@pytest.mark.both_databases
@pytest.mark.requirement("R62", verb="recorded")
def test_the_cases_that_broke_a_requirement_are_counted_once_and_listed(desk: tuple[ReviewDesk, str]) -> None:
    books, case = desk
    before = books.run(breaches.count_cases, by="supervisor")
    books.run(_break, case)
    counts = books.run(breaches.count_cases, by="supervisor")

    grown = {number for number, count in counts.items() if count > before[number]}
    assert grown == {"R2", "R4", "R6", "R32", "R34", "R38", "R43", "R51"} - {n for n, c in before.items() if c}
    assert counts["R32"] == 1  # by its footage and by a problem report
    page = books.run(breaches.read_page, "R32", limit=50, by="supervisor")
    assert {(line.source, line.code) for line in page.lines} == {("footage", "partial"), ("problem", "gap")}
    assert {line.application_id for line in page.lines} == {case}
    [wide] = [line for line in books.run(breaches.read_page, "R4", limit=50, by="supervisor").lines if line.zh]
    assert (wide.source, wide.zh, wide.en) == ("finding", "时间过长", "a wide span")
    first = books.run(breaches.read_page, "R32", limit=1, by="supervisor")
    assert books.run(breaches.read_page, "R32", limit=1, place=first.next, by="supervisor").lines == page.lines[1:]


@pytest.mark.requirement("R62", refuses=True)
def test_what_accuses_or_concerns_the_reader_is_not_counted_for_them(desk: tuple[ReviewDesk, str]) -> None:
    books, case = desk
    books.run(_break, case)

    def accuse(uow: UnitOfWork) -> None:
        violation = uow.session.query(Violation).filter_by(kind="overdue").one()
        matter = Matter(number="WG-1", kind="violation", application_id=case, opened_at=uow.now, facts={})
        matter.facts_sha256 = "0" * 64
        uow.session.add(matter)
        uow.session.flush()
        violation.matter_id = matter.id
        uow.session.add(Hearing(matter_id=matter.id, person_id="supervisor", part="accused"))

    def concern(uow: UnitOfWork) -> None:
        uow.session.get_one(Application, case).subject_ids = ["supervisor"]

    assert books.run(breaches.count_cases, by="supervisor")["R51"] == 1
    books.run(accuse)
    assert books.run(breaches.count_cases, by="supervisor")["R51"] == 0
    assert books.run(breaches.count_cases, by="security-head")["R51"] == 1
    books.run(concern)
    assert books.run(breaches.count_cases, by="supervisor")["R32"] == 0
    for by in ("drafter", "head", "reviewer", "manager", "admin"):
        for read in (breaches.count_cases, lambda uow: statistics.read_statistics(uow, months=3)):
            with pytest.raises(Refused, match="Only supervisors"):
                books.run(read, by=by)


def test_what_breaks_a_requirement_is_called_as_the_register_calls_it() -> None:
    numbers = {one["number"] for one in coverage.shipped()}
    named = {number for codes in breaches.SOURCES.values() for text in codes.values() for number in text.split()}

    assert named <= numbers
    assert set(breaches.VIOLATIONS) == set(KINDS)
    assert set(breaches.PROBLEMS) == set(PROBLEMS)
    assert set(breaches.REFUSALS) <= set(STAGES)
    assert set(breaches.EVENTS) <= set(EVENT_MESSAGES)
    source = " ".join(inspect.getsource(module) for module in (completeness, security_check))
    assert {"span-wide", "items-overlap", "use-period-too-long"} <= set(breaches.FINDINGS)
    assert [code for code in ("span-wide", "items-overlap", "use-period-too-long") if f'"{code}"' not in source] == []


@pytest.mark.both_databases
@pytest.mark.requirement("R62", verb="recorded")
def test_the_figures_of_each_month_are_those_of_the_register(desk: tuple[ReviewDesk, str]) -> None:
    books, case = desk

    def fill(uow: UnitOfWork) -> None:
        loan = uow.session.query(HandOver).filter_by(application_id=case).one()
        loan.due_at, loan.lost_at = NOON - DAY, NOON
        application = uow.session.get_one(Application, case)
        application.closed_at, application.closed_as = datetime(2031, 1, 31, 16, tzinfo=UTC), "rejected"
        violated = {"application_id": case, "hand_over_id": loan.id, "facts": {}}
        # 16:00 in UTC is midnight in Shanghai: the first moment of February, and the last one of January before it
        for kind, moment in (
            ("leak", datetime(2031, 1, 31, 16, tzinfo=UTC)),
            ("breach", datetime(2031, 1, 31, 15, 59, tzinfo=UTC)),
        ):
            uow.session.add(Violation(kind=kind, opened_at=moment, **violated))
        for place, (since, seconds) in enumerate(((NOON, 100.0), (NOON, 300.0), (NOON - 40 * DAY, 50.0))):
            uow.session.add(
                StageVisit(application_id=case, place=place, stage="security", since=since, seconds=seconds)
            )

    books.run(fill)
    figures = books.run(statistics.read_statistics, months=3, by="supervisor")

    assert [month.month.isoformat() for month in figures.months] == ["2031-01-01", "2031-02-01", "2031-03-01"]
    january, february, march = figures.months
    assert (january.violations, february.violations) == (1, 1)
    assert (january.refused, february.refused) == (0, 1)
    submitted = [one for one in books.all(Application) if one.submitted_at is not None]
    assert march.applications == len(submitted)
    assert (march.overdue, march.lost) == (1, 1)
    [works] = [one for one in figures.departments if one.id == "works"]
    assert (works.applications, works.violations) == (len(submitted), 2)
    [stage] = figures.stages
    assert (stage.ended, stage.mean, stage.longest, stage.means) == (3, 150.0, 300.0, [50.0, None, 200.0])
    other = books.run(statistics.read_statistics, months=3, department_id="board", by="supervisor")
    assert (other.departments, other.stages) == ([], [])
    assert len(books.all(AuditEvent, action="statistics-read")) == 2


@pytest.mark.requirement("R62")
def test_a_requirement_that_is_none_is_not_found_and_a_look_is_an_event(desk: tuple[ReviewDesk, str]) -> None:
    books, _ = desk
    with pytest.raises(NotFound):
        books.run(coverage.read_requirement, {}, "R68", by="supervisor")
    found = books.run(coverage.read_requirement, {}, "R41", by="supervisor")
    assert "missing" in {element.state for element in found.elements}  # the models in use have none of them
    assert [event.subject_id for event in books.all(AuditEvent, action="policy-coverage-read")] == ["R41"]

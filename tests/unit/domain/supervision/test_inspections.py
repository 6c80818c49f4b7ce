"""Inspections: a sample that nobody can choose, a valid group at three moments, signed answers, and what follows."""

import base64
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any

import pytest
from lent_case import SEALED, attached
from review_desk import HASH, NOON, PASSWORD, REAL, ReviewDesk
from sqlalchemy import delete, select, text, update
from supervision_desk import FEBRUARY, GROUP, INSTANCE, ORDINARY, PERIOD, Supervised, number

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.audit import AuditCheckpoint
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.inspections import (
    GroupInspection,
    InspectedCase,
    InspectionFinding,
    PopulationCase,
    SupervisionGroup,
)
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.people import Person, Post
from services.database.tables.reviews import Decision, Review
from services.database.tables.violations import Hearing, Violation
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures.given import Proof
from services.domain.attachments import service as attachments
from services.domain.cases.document_layouts import render_page, render_pdf
from services.domain.custody import log as custody_log
from services.domain.custody import suspensions, violation_ends, violations
from services.domain.holds import queries as holds
from services.domain.matters import queries as matter_queries
from services.domain.supervision import (
    breaches,
    case_reviews,
    checklists,
    due,
    findings,
    groups,
    periods,
    queries,
    reports,
    reproduction,
    sampling,
    service,
    signing,
    successions,
    warnings,
)
from services.domain.supervision.case_reviews import Given
from services.domain.work_orders import queries as order_queries
from services.domain.work_orders import service as orders_of
from services.domain.work_orders import tasks as order_tasks
from services.domain.work_orders.service import Answered, Done, Verdict
from services.runtime.errors import Fatal, NotFound, NotPermitted, Refused
from services.runtime.rules import Rules


@pytest.fixture
def supervised(any_database_url: str) -> Iterator[Supervised]:
    made = Supervised(ReviewDesk(any_database_url, Rules(max_use_days=30, inspection_period="month")))
    made.prepare()
    yield made
    made.desk.close()


def refused(act: Any, *arguments: Any, **named: Any) -> str:
    with pytest.raises(Refused) as caught:
        act(*arguments, **named)
    assert caught.value.zh
    return caught.value.code


def violation(case: str, at: datetime = FEBRUARY) -> Violation:
    return Violation(application_id=case, kind="breach", opened_at=at, facts={}, accused=[])


@pytest.mark.both_databases
@pytest.mark.requirement("R63")
@pytest.mark.parametrize("other", [PERIOD, "2031-Q1"])
def test_of_two_inspections_that_are_begun_at_once_of_the_same_time_one_is_refused(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    desk = supervised.desk
    supervised.appointed()
    desk.clock.turn(timedelta(days=28))
    desk.run(_sign)
    both, find_seed = Barrier(2), sampling.find_seed

    def find_seed_together(uow: UnitOfWork, end: datetime) -> sampling.Seed | None:
        """Wait for the other one to have looked as well; in vain where it waits for this one to end."""
        with suppress(BrokenBarrierError):
            both.wait(timeout=1)
        return find_seed(uow, end)

    monkeypatch.setattr(sampling, "find_seed", find_seed_together)

    def begin(period: str) -> GroupInspection:
        opened: GroupInspection = desk.run(service.open_due, periods.parse(period, "Asia/Shanghai"), by="supervisor")
        return opened

    with ThreadPoolExecutor(2) as pool:
        ended = [one.exception() for one in [pool.submit(begin, PERIOD), pool.submit(begin, other)]]

    [refusal] = [one for one in ended if one is not None]
    assert isinstance(refusal, Refused)
    assert (refusal.code, len(desk.all(GroupInspection))) == ("inspected-already", 1)


def settle_all(uow: UnitOfWork) -> None:
    uow.session.execute(update(OutboxMessage).values(settled_at=uow.now))


def demote(uow: UnitOfWork, person_id: str) -> None:
    uow.session.execute(update(Post).where(Post.person_id == person_id).values(until=uow.now))


def _join_legal(uow: UnitOfWork) -> None:
    """Add another person of Legal who can be a member of the group."""
    person = {"login": "of-legal-2", "name": "of-legal-2", "password_hash": HASH, "password_set_at": REAL}
    uow.session.add(Person(id="of-legal-2", department_id="counsel", **person))
    uow.session.flush()
    since = NOON - timedelta(days=90)
    uow.session.add(Post(person_id="of-legal-2", department_id="counsel", kind="supervisor", since=since))
    expires = NOON + timedelta(days=300)
    agreed = Agreement(person_id="of-legal-2", version=uow.rules.agreement_version, signed_at=since, expires_at=expires)
    uow.session.add(agreed)


@pytest.mark.requirement("R60")
@pytest.mark.requirement("R61", refuses=True)
def test_the_group_is_appointed_by_two_managers_and_has_all_departments(supervised: Supervised) -> None:
    desk = supervised.desk
    assert refused(supervised.propose, by="security-head") == "appointers-only"
    assert refused(supervised.propose, people=("of-security", "of-storage")) == "composition"
    assert refused(supervised.propose, people=(*GROUP, "reviewer")) == "member-unfit"
    group_id = supervised.propose()
    assert refused(supervised.propose) == "proposed-already"
    assert refused(supervised.confirm, group_id, "manager") == "not-second-person"
    assert refused(supervised.confirm, group_id, "head") == "appointers-only"
    assert desk.run(groups.find_current) is None
    desk.run(demote, "of-legal")
    assert refused(supervised.confirm, group_id) == "member-unfit"
    desk.post("of-legal", "supervisor", "counsel")

    supervised.confirm(group_id)

    content = json.loads(desk.the(Document, kind="group-appointment").content)
    assert next(one["name"] for one in content["members"]) == "supervisor"
    assert content["confirmed"]["by"]["id"] == "manager2"
    assert "监督小组任命书" in render_page("group-appointment", content["number"], "0" * 64, content)


@pytest.mark.requirement("R60")
def test_a_group_rests_on_the_number_of_a_decision_or_on_the_attached_document(supervised: Supervised) -> None:
    desk = supervised.desk
    group_id = supervised.propose(basis=" ")
    assert refused(supervised.confirm, group_id) == "appointment-lacking"
    for stranger, code in (("supervisor", "attachment-no-part"), ("security-head", "attachment-no-part")):
        with pytest.raises(Refused) as barred:
            desk.run(attached, group_id, "other", subject="supervision-group", by=stranger)
        assert barred.value.code == code
    with pytest.raises(NotFound):
        desk.run(attached, group_id, "other", subject="supervision-group", by="drafter")
    file_id = desk.run(attached, group_id, "other", subject="supervision-group", by="manager")
    with pytest.raises(Refused) as bound:
        desk.run(attachments.remove, file_id, by="manager")
    assert bound.value.code == "attachment-bound"

    supervised.confirm(group_id)

    sha256 = SEALED["sha256Plain"]
    assert desk.the(SupervisionGroup, id=group_id).confirmation["statement"]["attachments"] == [sha256]
    content = json.loads(desk.the(Document, kind="group-appointment").content)
    assert content["attachments"] == [{"name": "card.jpg", "sha256": sha256}]
    page = render_page("group-appointment", content["number"], "0" * 64, content)
    assert "任命文件附件" in page
    assert "card.jpg" in page
    [file] = desk.run(queries.read_group, by="supervisor").current.attachments
    assert file.sha256 == sha256
    assert desk.run(attachments.open_, file_id, by="supervisor").file_name == "card.jpg"
    with pytest.raises(Refused) as late:
        desk.run(attached, group_id, "other", subject="supervision-group", by="manager2")
    assert late.value.code == "attachment-closed"


@pytest.mark.requirement("R60", "R63")
@pytest.mark.requirement("R61", refuses=True)
def test_without_a_valid_group_no_inspection_begins_and_management_is_asked(supervised: Supervised) -> None:
    desk = supervised.desk
    assert refused(supervised.opened) == "leader-only"
    assert desk.run(due.begin) is None
    assert desk.run(due.begin) is None
    [order] = desk.all(WorkOrder, kind="group-term")
    assert "no valid supervision group" in json.dumps(order.facts)
    supervised.appointed()
    assert refused(desk.run, service.open_by_leader, PERIOD, by="of-legal") == "leader-only"
    assert refused(desk.run, service.open_by_leader, "2031-03", by="supervisor") == "period-open"
    inspection_id = supervised.opened()
    assert refused(supervised.opened) == "inspected-already"
    assert refused(desk.run, service.open_by_leader, "2031-Q1", by="supervisor") == "period-length"

    desk.run(demote, "of-legal")
    desk.run(warnings.warn_without_group, inspection_id)
    with pytest.raises(NotPermitted, match="its group is not valid"):
        desk.run(service.draw, inspection_id, INSTANCE)
    assert desk.all(InspectedCase) == []


@pytest.mark.requirement("R63")
def test_an_inspection_that_is_due_begins_by_itself_and_once(supervised: Supervised) -> None:
    desk = supervised.desk
    supervised.appointed()
    begun = desk.run(due.begin)
    assert str(begun).startswith("JC-")
    assert desk.run(due.begin) is None
    [message] = desk.all(OutboxMessage, subject_kind="inspection")
    assert (message.name, message.correlation_key) == ("inspection-due", PERIOD)
    assert set(message.variables) == {"inspectionId", "period"}


@pytest.mark.requirement("R63")
def test_a_period_that_was_left_out_for_want_of_a_group_is_inspected_before_others(supervised: Supervised) -> None:
    """Who appoints the group would else choose, by waiting, which period nobody looks at."""
    desk = supervised.desk

    def inspected_before(uow: UnitOfWork) -> None:
        group_id = uow.session.scalars(select(SupervisionGroup.id)).one()
        november = periods.parse("2030-11", uow.rules.zone)
        moments = {"period_from": november.start, "period_to": november.end, "opened_at": november.end}
        ended = {"signed_as": "signed", "closed_as": "signed", "closed_at": november.end}
        seed = {"seed": "", "seed_size": 1, "seed_rule": 1, "group_id": group_id}
        uow.session.add(GroupInspection(number="JC-2030-000001", period="2030-11", **moments, **ended, **seed))
        uow.session.execute(update(Application).values(listed_at=november.start))

    def closed(uow: UnitOfWork, period: str) -> None:
        uow.session.execute(
            update(GroupInspection)
            .where(GroupInspection.period == period)
            .values(closed_at=uow.now, signed_as="signed", closed_as="signed")
        )

    supervised.appointed()
    desk.run(inspected_before)
    begun = []
    for expected in ("2030-12", "2031-01", "2031-02"):
        assert desk.run(due.unsigned_since) == periods.parse(expected, desk.rules.zone).end
        assert desk.run(due.begin) is not None
        begun.append({row.period for row in desk.all(GroupInspection, closed_at=None)})
        desk.run(closed, expected)
    assert begun == [{"2030-12"}, {"2031-01"}, {"2031-02"}]
    assert (desk.run(due.begin), desk.run(due.unsigned_since)) == (None, None)


@pytest.mark.requirement("R63")
def test_the_last_period_does_not_wait_for_one_that_was_left_out(supervised: Supervised) -> None:
    desk = supervised.desk
    supervised.appointed()
    desk.run(lambda uow: uow.session.execute(update(Application).values(listed_at=FEBRUARY - timedelta(days=200))))

    def opened(uow: UnitOfWork) -> None:
        service.open_due(uow, periods.parse("2030-12", uow.rules.zone))

    desk.run(opened)
    assert [desk.run(due.begin) is not None for _ in range(3)] == [True, False, False]
    assert {row.period for row in desk.all(GroupInspection)} == {"2030-12", "2031-02"}


@pytest.mark.requirement("R60", "R63")
def test_another_group_goes_on_where_the_one_that_began_is_none_any_more(supervised: Supervised) -> None:
    desk = supervised.desk
    supervised.appointed()
    drawn = supervised.drawn()
    rows = supervised.asked(drawn)
    left = next(row for row in rows if row.assigned_to == "of-legal")
    for row in rows:
        if row is not left:
            supervised.inspect(row)
    assert desk.run(successions.take_over) == 0

    desk.run(demote, "of-legal")
    assert desk.run(successions.take_over) == 0
    [asked_for] = desk.all(WorkOrder, kind=findings.WITHOUT_GROUP)
    assert PERIOD in asked_for.subject_label
    desk.run(_join_legal)
    people = ("supervisor", "of-security", "of-storage", "of-legal-2")
    supervised.confirm(supervised.propose(people=people))
    assert desk.run(successions.take_over) == 1
    [waiting] = [row for row in supervised.cases(drawn) if row.decided_at is None]
    assert waiting.assigned_to in people
    supervised.inspect(waiting)
    desk.run(reports.write, drawn)
    desk.run(signing.open_review, drawn, job_key=next(desk.keys))
    for person in people:
        supervised.sign(drawn, person)
    assert supervised.inspection(drawn).signed_as == "signed"


@pytest.mark.requirement("R60", "R63")
def test_what_was_signed_by_members_of_a_broken_group_is_signed_anew(supervised: Supervised) -> None:
    desk = supervised.desk
    supervised.appointed()
    reported = supervised.reported()
    supervised.sign(reported, "supervisor")
    before = supervised.inspection(reported).report_sha256
    desk.run(demote, "of-legal")
    assert refused(supervised.sign, reported, "of-security") == "group-invalid"

    desk.run(_join_legal)
    people = ("supervisor", "of-security", "of-storage", "of-legal-2")
    supervised.confirm(supervised.propose(people=people))
    desk.run(successions.take_over)
    taken = supervised.inspection(reported)
    assert taken.report is not None
    assert (taken.report_sha256 != before, len(taken.report["group"]["members"])) == (True, 4)
    stale = (signing.sign, reported, "signed", str(before))
    assert refused(desk.run, *stale, proof=Proof("", PASSWORD), by="supervisor") == "report-changed"
    assert refused(supervised.sign, reported, "of-legal") == "not-yours"
    assert refused(supervised.sign, reported, "of-security") == "not-yet"
    for person in people:
        supervised.sign(reported, person)
    assert supervised.inspection(reported).signed_as == "signed"
    desk.run(service.close, reported, "signed")
    assert desk.run(holds.list_holdings, supervised.cases(reported)[0].application_id) == []


@pytest.mark.requirement("R60", "R63")
def test_a_group_with_one_more_member_goes_on_with_what_is_not_reported(supervised: Supervised) -> None:
    desk = supervised.desk
    supervised.appointed()
    drawn = supervised.drawn()
    supervised.asked(drawn)
    desk.run(_join_legal)
    larger = supervised.propose(people=(*GROUP, "of-legal-2"))
    supervised.confirm(larger)
    assert desk.run(successions.take_over) == 1
    assert supervised.inspection(drawn).group_id == larger
    for row in supervised.cases(drawn):
        supervised.inspect(row)
    desk.run(reports.write, drawn)
    supervised.confirm(supervised.propose())
    assert desk.run(successions.take_over) == 0, "who has reported signs the report"


@pytest.mark.requirement("R63")
def test_a_broken_group_can_refuse_its_report(supervised: Supervised) -> None:
    supervised.appointed()
    reported = supervised.reported()
    supervised.desk.run(demote, "of-legal")
    supervised.sign(reported, "supervisor", "refused", reason="小组已不完整")
    assert supervised.inspection(reported).signed_as == "refused"


@pytest.mark.requirement("R61", refuses=True)
def test_nobody_of_a_joint_department_inspects_its_case(supervised: Supervised) -> None:
    desk = supervised.desk

    def fit(uow: UnitOfWork, *applicants: str) -> list[str]:
        facts = access_queries.load_facts(uow, "case-1")
        near = {**facts.near, **dict.fromkeys(applicants, ("counsel",))}
        joint = replace(facts, near=near, done={**facts.done, "applicant": {"drafter", *applicants}})
        directory = access_queries.load_directory(uow)
        return [person for person in GROUP if case_reviews.unfit_because(directory, joint, person) is None]

    assert "of-legal" in desk.run(fit)
    assert "of-legal" not in desk.run(fit, "head-of-legal")


@pytest.mark.requirement("R63")
def test_p10_the_second_process_of_a_period_draws_nothing_and_ends(supervised: Supervised) -> None:
    """The engine begins it once the first has ended; a second inspection of the period is refused."""
    supervised.appointed()
    first = supervised.drawn()
    sample = [(row.number, row.because) for row in supervised.cases(first)]
    supervised.desk.run(lambda uow: uow.session.add(violation("case-7")))

    second = supervised.desk.run(service.draw, first, INSTANCE + 1)

    assert (second.duplicate, list(second.positions)) == (True, [])
    assert supervised.inspection(first).process_instance_key == INSTANCE
    assert [(row.number, row.because) for row in supervised.cases(first)] == sample
    assert refused(supervised.opened) == "inspected-already"
    assert len(supervised.desk.all(GroupInspection)) == 1


@pytest.mark.requirement("R63")
def test_two_people_draw_the_same_sample_which_nobody_can_choose_or_change(supervised: Supervised) -> None:
    desk = supervised.desk
    desk.run(lambda uow: uow.session.add_all([violation("case-7"), _urgent("case-9")]))
    supervised.appointed()
    inspection_id = supervised.drawn()

    rows = supervised.cases(inspection_id)
    assert {row.number: row.because for row in rows if row.because} == {
        number(7): ["violation"],
        number(9): ["urgent"],
    }
    assert len(rows) == 2 + 6  # 10 % of 58, rounded up
    assert supervised.inspection(inspection_id).population == ORDINARY
    again = desk.run(service.draw, inspection_id, INSTANCE)
    assert list(again.positions) == [row.position for row in rows]
    assert desk.run(service.draw, inspection_id, INSTANCE + 1).duplicate
    # a second person draws it by hand, from what is written
    seed = sampling.Seed(supervised.inspection(inspection_id).seed, 1, sampling.NOTE_AFTER)
    rest = [one.number for one in desk.all(PopulationCase) if not one.because]
    by_hand = sorted(rest, key=lambda one: sampling.mark(seed, one))[:6]
    assert sorted(by_hand) == [row.number for row in rows if not row.because]
    # while it is open its cases are held
    drawn = next(row for row in rows if not row.because)
    held = desk.run(holds.list_holdings, drawn.application_id)
    assert [one.cause for one in held] == ["inspection"]

    def change(uow: UnitOfWork) -> None:
        uow.session.add(violation("case-20", NOON + timedelta(hours=1)))
        uow.session.execute(update(Application).where(Application.id == "case-21").values(title="后来更改"))

    desk.clock.turn(timedelta(hours=2))
    desk.run(change)
    jc = supervised.inspection(inspection_id).number
    assert desk.run(reproduction.reproduce, jc).differences == []

    desk.run(lambda uow: uow.session.execute(delete(InspectedCase).where(InspectedCase.id == rows[0].id)))
    desk.run(
        lambda uow: uow.session.execute(update(Application).where(Application.id == "case-30").values(closed_at=NOON))
    )
    told = desk.run(reproduction.reproduce, jc).differences
    assert any(rows[0].number in one and one.startswith("sample") for one in told)
    assert any(number(30) in one and one.startswith("population") for one in told)


@pytest.mark.requirement("R63")
def test_nobody_knows_the_seed_while_the_period_runs_and_what_was_drawn_before_stays_so(supervised: Supervised) -> None:
    desk = supervised.desk
    supervised.appointed()
    inspection_id = supervised.opened()
    opened = supervised.inspection(inspection_id)
    assert (opened.seed, opened.seed_size, opened.seed_rule) == (_seed("march"), 1_000_001, sampling.NOTE_AFTER)
    # one that an older release has opened is drawn, and drawn again, by the rule of then
    root = desk.the(AuditCheckpoint, size=1_000_000).root
    before = {"seed": root, "seed_size": 1_000_000, "seed_rule": sampling.ROOT_BEFORE}
    desk.run(lambda uow: uow.session.execute(update(GroupInspection).values(**before)))
    desk.run(service.draw, inspection_id, INSTANCE)
    assert desk.run(reproduction.reproduce, opened.number).differences == []
    desk.run(lambda uow: uow.session.execute(update(GroupInspection).values(seed_rule=sampling.NOTE_AFTER)))
    told = desk.run(reproduction.reproduce, opened.number).differences
    assert any("the first checkpoint after" in one for one in told)

    # what is known before the end of a period draws nothing of it
    desk.clock.turn(timedelta(days=28))
    assert refused(desk.run, service.open_by_leader, "2031-03", by="supervisor") == "no-seed"
    assert desk.run(due.begin) is None
    desk.run(_sign)
    assert desk.run(service.open_by_leader, "2031-03", by="supervisor").seed == _seed("april")


def _seed(note: str) -> str:
    return base64.b64encode(hashlib.sha256(note.encode()).digest()).decode()


def _sign(uow: UnitOfWork) -> None:
    uow.session.add(AuditCheckpoint(size=1_000_003, origin="log", root="", note="april", signed_at=uow.now))


def _urgent(case: str) -> Matter:
    return Matter(
        number=f"JQ-{case}",
        kind="urgent",
        application_id=case,
        opened_at=FEBRUARY,
        facts={},
        facts_sha256="",
    )


@pytest.mark.requirement("R61", refuses=True)
@pytest.mark.requirement("R63")
def test_a_case_is_inspected_by_a_fit_member_of_another_department_who_answers_all(supervised: Supervised) -> None:
    desk = supervised.desk
    supervised.appointed()
    inspection_id = supervised.drawn()
    with pytest.raises(NotPermitted, match="no such case"):
        desk.run(case_reviews.open_review, inspection_id, 99, job_key=1)
    rows = supervised.asked(inspection_id)
    with pytest.raises(NotPermitted, match="asked already"):
        desk.run(case_reviews.open_review, inspection_id, 1, job_key=next(desk.keys))
    departments = {row.application_id: desk.the(Application, id=row.application_id).department_id for row in rows}
    assert all(row.assigned_to != "supervisor" for row in rows if departments[row.application_id] == "office")
    assert len({row.assigned_to for row in rows}) > 1
    row = rows[0]
    mine = str(row.assigned_to)
    other = next(person for person in GROUP if person not in (mine, "supervisor"))
    assert refused(supervised.inspect, row, by=other) == "not-yours"
    assert refused(supervised.inspect, row, by="reviewer") == "not-yours"
    given, sha256 = supervised.answers(row.id)
    proof = Proof("", PASSWORD)
    incomplete = {code: one for code, one in given.items() if code != "use-6"}
    assert refused(desk.run, case_reviews.decide, row.id, incomplete, sha256, proof, by=mine) == "missing"
    assert refused(desk.run, case_reviews.decide, row.id, given, "0" * 64, proof, by=mine) == "sheet-changed"
    overruled = {**given, "application-1": Given("no")}
    assert refused(desk.run, case_reviews.decide, row.id, overruled, sha256, proof, by=mine) == "missing"
    assert (
        refused(desk.run, case_reviews.decide, row.id, given, sha256, Proof("", "wrong"), by=mine) == "password-wrong"
    )

    done = supervised.inspect(row, application_1=Given("no", "事由过于笼统"))

    assert refused(supervised.inspect, row) == "decided-already"
    [finding] = desk.all(InspectionFinding)
    assert (finding.question, finding.severity, finding.text) == ("application-1", "moderate", "事由过于笼统")
    assert [one["question"] for one in done.answers or [] if one["overruled"]] == ["application-1"]
    # who has inspected a case decides nothing else in it, and who has a part in it does not inspect it
    part = next(one for one in rows[1:] if one.assigned_to == "of-legal")
    desk.run(lambda uow: _decided(uow, part.application_id, "of-legal"))
    assert refused(supervised.inspect, part, by="of-legal") == "was-security"


@pytest.mark.requirement("R61", "R63")
def test_whose_turn_it_was_is_told_that_another_member_has_inspected_the_case(supervised: Supervised) -> None:
    desk = supervised.desk
    supervised.appointed()
    own, other_one = [row for row in supervised.asked(supervised.drawn()) if row.assigned_to == "of-legal"][:2]
    supervised.inspect(own)
    assert not desk.all(Notice, code="inspection-case-in-your-place")
    desk.away("of-legal")

    supervised.inspect(other_one, by="of-security")

    [notice] = desk.all(Notice, code="inspection-case-in-your-place")
    assert (notice.person_id, notice.subject_id, notice.done_at) == ("of-legal", other_one.id, None)


def _decided(uow: UnitOfWork, case: str, person: str, stage: str = "security", job_key: int = 700) -> None:
    review = Review(
        application_id=case,
        stage=stage,
        round=0,
        job_key=job_key,
        process_instance_key=1,
        opened_at=FEBRUARY,
        due_at=FEBRUARY,
        closed_at=FEBRUARY,
    )
    uow.session.add(review)
    uow.session.flush()
    uow.session.add(
        Decision(
            review_id=review.id,
            application_id=case,
            stage=stage,
            round=0,
            outcome="rejected",
            decided_by=person,
            decided_at=FEBRUARY,
            answers={},
            variables={},
            form_sha256="",
            statement_sha256="",
            signature={},
        )
    )


@pytest.mark.requirement("R63", "R64")
def test_the_report_is_signed_by_all_and_findings_become_work_orders_and_violations(supervised: Supervised) -> None:
    desk = supervised.desk
    supervised.appointed()
    drawn = supervised.drawn()
    with pytest.raises(NotPermitted, match="nobody has inspected"):
        desk.run(reports.write, drawn)
    with pytest.raises(NotPermitted, match="its report is not written"):
        desk.run(signing.open_review, drawn, job_key=1)
    with pytest.raises(NotPermitted, match="has not answered the report"):
        desk.run(findings.open_corrections, drawn)
    rows = supervised.asked(drawn)
    for row in rows:
        changed = {}
        if row is rows[0]:
            changed = {"approval_2": Given("no", "两个环节由同一人审批"), "use_1": Given("no", "未指定保管人")}
        supervised.inspect(row, **changed)
    desk.run(settle_all)
    desk.run(case_reviews.open_review, drawn, rows[0].position, job_key=int(rows[0].job_key or 0))
    assert [row.correlation_key for row in desk.all(OutboxMessage, settled_at=None)] == [rows[0].id]
    desk.run(reports.write, drawn)
    assert desk.run(due.unsigned_since) == supervised.inspection(drawn).period_to
    desk.run(signing.open_review, drawn, job_key=900)
    assert refused(supervised.sign, drawn, "of-legal") == "not-yet"
    assert refused(supervised.sign, drawn, "reviewer") == "not-yours"
    supervised.sign(drawn, "supervisor")
    desk.run(demote, "of-security")
    assert refused(supervised.sign, drawn, "of-legal") == "group-invalid"
    desk.post("of-security", "supervisor", "security")
    with pytest.raises(NotPermitted, match="has not answered"):
        desk.run(service.close, drawn, "signed")
    for person in GROUP[1:]:
        supervised.sign(drawn, person)
    assert supervised.inspection(drawn).signed_as == "signed"
    desk.run(settle_all)
    desk.run(signing.open_review, drawn, job_key=900)  # its worker died before: nothing waited for the answer
    assert [row.correlation_key for row in desk.all(OutboxMessage, settled_at=None)] == [drawn]

    assert desk.run(due.unsigned_since) is None
    desk.run(findings.open_corrections, drawn)
    desk.run(findings.open_corrections, drawn)
    orders = desk.all(WorkOrder, kind="corrective-action")
    assert len(orders) == 2
    [severe] = [one for one in desk.all(InspectionFinding) if one.severity == "severe"]
    [recorded] = desk.all(Violation)
    assert (recorded.kind, recorded.id) == ("finding", severe.violation_id)
    assert recorded.accused == ["security-head"]
    desk.run(service.close, drawn, "signed")
    desk.run(service.close, drawn, "signed")
    assert desk.run(holds.list_holdings, rows[1].application_id) == []

    document = desk.the(Document, kind="inspection-report")
    content = json.loads(document.content)
    assert document.number == supervised.inspection(drawn).number
    assert [one["by"]["id"] for one in content["signatures"]] == ["supervisor", "of-legal", "of-security", "of-storage"]
    assert [one["question"] for one in content["findings"]] == ["approval-2", "use-1"]
    page = render_page("inspection-report", document.number, document.sha256, content)
    assert "未指定保管人" in page
    assert rows[0].number in page
    made_at = document.made_at
    assert render_pdf(document.kind, document.number, document.content, document.sha256, made_at)[:5] == b"%PDF-"
    order = next(one for one in orders if one.subject_id == severe.id)
    other = next(one for one in orders if one.subject_id != severe.id)
    # nobody with a part in the case puts it right: the accused, and later whom it concerns
    assert (order.doer_post, other.doer_post) == ("deputy", "head")
    proof, head = Proof("", PASSWORD), {"works": "head", "office": "office-head"}[str(other.doer_department_id)]
    assert refused(desk.run, orders_of.done, order.id, Done({}), proof, by="security-head") == "has-a-part"
    # nor ends it, nor says that it is put right, by another post either
    desk.post("security-head", "supervisor", "security")
    assert refused(desk.run, orders_of.cancel, order.id, "已口头说明", by="security-head") == "not-a-canceller"
    [doer] = desk.run(lambda uow: orders_of.list_doers(uow, uow.session.get_one(WorkOrder, order.id)))
    answers = {item["code"]: Answered("yes") for item in order.facts["checklist"]}
    desk.run(orders_of.done, order.id, Done(answers, "已完善审批分工"), Proof(order.facts_sha256, PASSWORD), by=doer)
    desk.run(order_tasks.open_verification, order.id, job_key=next(desk.keys))
    assert "security-head" not in desk.run(
        lambda uow: orders_of.list_verifiers(uow, uow.session.get_one(WorkOrder, order.id))
    )
    verdict, given = Verdict("verified", {"on-site": True, "met": True}), Proof(order.facts_sha256, PASSWORD)
    assert refused(desk.run, orders_of.verify, order.id, verdict, given, by="security-head") == "has-a-part"
    desk.run(orders_of.verify, order.id, verdict, given, by="supervisor")
    desk.run(order_tasks.close, order.id, "done")
    sheet = desk.the(Document, number=order.number)
    printed = render_page(sheet.kind, sheet.number, sheet.sha256, json.loads(sheet.content))
    for said in (severe.text, "两个环节由同一人审批", "严重", rows[0].number, "安全保卫部门副职"):
        assert said in printed, said
    assert "fact-" not in printed
    concerns = update(Application).where(Application.id == other.application_id).values(subject_ids=[head])
    desk.run(lambda uow: uow.session.execute(concerns))
    assert refused(desk.run, orders_of.done, other.id, Done({}), proof, by=head) == "not-found"
    desk.clock.turn(timedelta(days=13, hours=1))
    desk.run(order_tasks.remind, other.id, 7_001)
    fit = desk.run(lambda uow: orders_of.list_doers(uow, uow.session.get_one(WorkOrder, other.id)))
    assert fit
    assert head not in fit
    desk.run(lambda uow: findings.close_finding(uow, uow.session.get_one(WorkOrder, order.id)))
    assert desk.the(InspectionFinding, id=severe.id).closed_at is not None


@pytest.mark.requirement("R63")
def test_the_numbers_of_a_report_equal_those_that_sql_counts(supervised: Supervised) -> None:
    desk = supervised.desk
    desk.run(lambda uow: uow.session.add_all([violation("case-7"), violation("case-8"), _urgent("case-9")]))
    supervised.appointed()
    inspection_id = supervised.reported()
    numbers = supervised.inspection(inspection_id).report["numbers"]

    def scalar(uow: UnitOfWork, statement: str) -> Any:
        span = {"start": "2031-01-31 16:00", "end": "2031-02-28 16:00"}
        return uow.session.execute(text(statement), span).scalar()

    within = ">= :start AND {0} < :end"
    for name, table, column, more in (
        ("submitted", "applications", "submitted_at", ""),
        ("closed", "applications", "closed_at", ""),
        ("urgent", "matters", "opened_at", " AND kind = 'urgent'"),
        ("lost", "hand_overs", "lost_at", ""),
    ):
        statement = f"SELECT count(*) FROM {table} WHERE {column} {within.format(column)}{more}"  # noqa: S608
        assert numbers[name] == desk.run(scalar, statement), name
    assert numbers["closedAs"] == {"withdrawn": ORDINARY}
    assert numbers["violations"] == {"breach": 2}


@pytest.mark.both_databases
@pytest.mark.requirement("R64", "R65")
def test_a_severe_finding_accuses_who_held_the_copies_and_who_decided(supervised: Supervised) -> None:
    desk = supervised.desk
    supervised.appointed()
    inspection_id = supervised.drawn()
    used, decided = (row.application_id for row in supervised.cases(inspection_id)[:2])

    def lay_out(uow: UnitOfWork) -> None:
        spans = {"offered_at": FEBRUARY, "take_up_until": FEBRUARY, "accepted_at": FEBRUARY, "returned_at": FEBRUARY}
        loan = HandOver(application_id=used, custodian_id="deputy", use_days=5, **spans)
        uow.session.add(loan)
        uow.session.flush()
        for person in ("keeper", "deputy"):  # who has it now had it from the other
            custody_log.append(uow, loan, "received", person_id=person)
        for job_key, (stage, person) in enumerate(
            {
                "preliminary": "head",
                "security": "reviewer",
                "security-signature": "security-deputy",
                "management": "manager",
                "storage-release": "operator",
            }.items()
        ):
            _decided(uow, decided, person, stage, 700 + job_key)

    desk.run(lay_out)
    in_order = {code.replace("-", "_"): Given("yes", "核对无误") for code in checklists.load().questions()}
    for row in supervised.asked(inspection_id):
        wrong = {used: "use_6", decided: "approval_2"}.get(row.application_id)
        supervised.inspect(row, **(in_order | ({wrong: Given("no", "不符合要求。")} if wrong else {})))
    desk.run(reports.write, inspection_id)
    desk.run(signing.open_review, inspection_id, job_key=900)
    supervised.signed(inspection_id)
    desk.run(findings.open_corrections, inspection_id)

    accused = {row.application_id: set(row.accused) for row in desk.all(Violation, kind="finding")}
    assert accused == {used: {"keeper", "deputy"}, decided: {"reviewer", "security-deputy"}}


@pytest.mark.both_databases
@pytest.mark.requirement("R64", "R65")
def test_no_severe_finding_of_a_loan_is_lost_in_another_one(supervised: Supervised) -> None:
    """Those about the same people are named in one violation, those about others are answered for by themselves."""
    desk = supervised.desk
    supervised.appointed()
    inspection_id = supervised.drawn()
    case_id = supervised.cases(inspection_id)[0].application_id
    spans = {"offered_at": FEBRUARY, "take_up_until": FEBRUARY, "accepted_at": FEBRUARY, "returned_at": FEBRUARY}

    def lay_out(uow: UnitOfWork) -> str:
        loan = HandOver(application_id=case_id, custodian_id="keeper", use_days=5, **spans)
        uow.session.add(loan)
        uow.session.flush()
        custody_log.append(uow, loan, "received", person_id="keeper")
        _decided(uow, case_id, "reviewer", "security", 700)
        facts = {"custodian": "keeper", "found": "已由安全保卫部门登记"}
        return violations.open_once(uow, loan, "finding", facts).id

    earlier = desk.run(lay_out)
    in_order = {code.replace("-", "_"): Given("yes", "核对无误") for code in checklists.load().questions()}
    wrong = {
        "use_6": Given("no", "副本在会议室播放。"),
        "use_3": Given("no", "未按用途使用。"),
        "approval_2": Given("no", "两个环节由同一人审批。"),
    }
    for row in supervised.asked(inspection_id):
        supervised.inspect(row, **(in_order | (wrong if row.application_id == case_id else {})))
    desk.run(reports.write, inspection_id)
    desk.run(signing.open_review, inspection_id, job_key=900)
    supervised.signed(inspection_id)
    for _ in range(2):
        desk.run(findings.open_corrections, inspection_id)

    recorded = {row.id: row for row in desk.all(Violation, kind="finding")}
    of_findings = {row.question: recorded[str(row.violation_id)] for row in desk.all(InspectionFinding)}
    use, approval = of_findings["use-6"], of_findings["approval-2"]
    assert (len(recorded), of_findings["use-3"].id, use.accused) == (3, use.id, ["keeper"])
    assert len({earlier, use.id, approval.id}) == 3, "what was recorded before is other facts"
    assert approval.accused == ["reviewer"]
    assert {row.person_id for row in desk.all(Hearing, matter_id=approval.matter_id)} == {"reviewer"}

    page = desk.run(matter_queries.get, str(use.matter_id), by="security-head")
    [shown] = [line.zh for line in page.lines if line.name_zh == "事实"]
    assert shown == "1. 未按用途使用。\n2. 副本在会议室播放。"
    assert [one["text"] for one in use.facts["findings"]] == ["未按用途使用。", "副本在会议室播放。"]

    # each ends for itself: the loan opens again when none is open
    loan = desk.the(HandOver, application_id=case_id)
    for row in (recorded[earlier], use, approval):
        assert desk.run(lambda uow: len(suspensions.list_open(uow, uow.session.get_one(HandOver, loan.id))))
        desk.run(lambda uow, one=row.id: violation_ends.close(uow, uow.session.get_one(Violation, one), "cleared"))
    assert not desk.run(lambda uow: suspensions.list_open(uow, uow.session.get_one(HandOver, loan.id)))


@pytest.mark.requirement("R64")
def test_the_corrective_action_of_a_finding_ends_when_it_is_done_and_not_before(supervised: Supervised) -> None:
    desk = supervised.desk
    supervised.appointed()
    found: list[InspectedCase] = []

    def answer(row: InspectedCase) -> dict[str, Given]:
        found.append(row)
        return {"retrieval_5": Given("no", "第二份副本没有标签。")} if row is found[0] else {}

    inspection_id = supervised.reported(answer)
    supervised.signed(inspection_id)
    desk.run(findings.open_corrections, inspection_id)
    first = str(desk.the(InspectionFinding).work_order_id)

    assert refused(desk.run, orders_of.cancel, first, "开错了", by="supervisor") == "until-done"
    assert not desk.run(order_queries.get, first, by="supervisor").may_cancel
    assert desk.the(WorkOrder, id=first).closed_at is None

    # an earlier release let people cancel it: it is asked again, and what is done then closes the finding
    desk.run(lambda uow: orders_of.cancel(uow, first, "开错了", by_system=True))
    for _ in range(2):
        desk.run(findings.open_corrections, inspection_id)
    second = desk.the(WorkOrder, kind="corrective-action", closed_at=None)
    assert desk.the(InspectionFinding).work_order_id == second.id != first
    assert second.facts["facts"] == desk.the(WorkOrder, id=first).facts["facts"]
    desk.run(lambda uow: findings.close_finding(uow, uow.session.get_one(WorkOrder, second.id)))
    assert desk.the(InspectionFinding).closed_at is not None
    desk.run(findings.open_corrections, inspection_id)
    assert len(desk.all(WorkOrder, kind="corrective-action")) == 2


@pytest.mark.both_databases
@pytest.mark.requirement("R62", "R63")
def test_what_an_inspection_found_breaks_what_its_question_stood_for(
    supervised: Supervised, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = supervised.desk
    supervised.appointed()
    found: list[InspectedCase] = []

    def answer(row: InspectedCase) -> dict[str, Given]:
        found.append(row)
        return {"retrieval_5": Given("no", "第二份副本没有标签。")} if row is found[0] else {}

    inspection_id = supervised.reported(answer)
    before = desk.run(breaches.count_cases, by="supervisor")
    supervised.signed(inspection_id)
    counts = desk.run(breaches.count_cases, by="supervisor")

    assert (before.get("R37", 0), counts["R37"]) == (0, 1)
    [line] = desk.run(breaches.read_page, "R37", limit=9, by="supervisor").lines
    assert (line.source, line.code, line.number) == ("inspection", "retrieval-5", found[0].number)
    assert line.en == "Does each copy have its label?"
    of_case = desk.run(breaches.list_of_case, found[0].application_id, by="supervisor")
    assert [(one.source, one.code) for one in of_case["R37"]] == [("inspection", "retrieval-5")]
    assert "R37" not in desk.run(breaches.list_of_case, found[1].application_id, by="supervisor")

    # the organisation changes the checklists: what was found stays what it was
    asked = checklists.load().model_dump(mode="json", by_alias=True)
    asked["retrieval"]["questions"][4]["requirements"] = ["R36"]
    monkeypatch.setattr(checklists, "load", lambda: checklists.ChecklistFile.model_validate(asked))
    counts = desk.run(breaches.count_cases, by="supervisor")
    assert (counts.get("R36", 0), counts["R37"]) == (0, 1)

    def forget(uow: UnitOfWork) -> None:  # as a release before this one has written the report
        inspection = uow.session.get_one(GroupInspection, inspection_id)
        report = json.loads(json.dumps(inspection.report))
        for one in report["checklists"]:
            del one["requirements"]
        inspection.report = report

    desk.run(forget)
    assert desk.run(breaches.count_cases, by="supervisor")["R36"] == 1


@pytest.mark.requirement("R63")
def test_one_who_refuses_to_sign_says_why_and_a_job_by_hand_closes_nothing(supervised: Supervised) -> None:
    desk = supervised.desk
    supervised.appointed()
    inspection_id = supervised.reported()
    supervised.sign(inspection_id, "supervisor")
    assert refused(supervised.sign, inspection_id, "of-legal", "refused") == "missing"
    supervised.sign(inspection_id, "of-legal", "refused", reason="数字与台账不符")
    with pytest.raises(NotPermitted, match="has not answered 'signed'"):
        desk.run(service.close, inspection_id, "signed")
    with pytest.raises(NotPermitted, match="has cases"):
        desk.run(service.close, inspection_id, "no-cases")
    desk.run(findings.open_corrections, inspection_id)
    desk.run(service.close, inspection_id, "refused")
    content = json.loads(desk.the(Document, kind="inspection-report").content)
    assert [one["reason"] for one in content["signatures"]] == [None, "数字与台账不符"]


@pytest.mark.requirement("R61", refuses=True)
def test_a_case_that_nobody_of_the_group_may_inspect_waits_for_another_member(supervised: Supervised) -> None:
    desk = supervised.desk
    supervised.appointed()
    inspection_id = supervised.drawn()
    desk.away(*GROUP)
    with pytest.raises(Fatal, match="nobody of the supervision group may inspect it"):
        desk.run(case_reviews.open_review, inspection_id, 1, job_key=next(desk.keys))


def test_periods_are_months_and_quarters_of_the_organisations_zone() -> None:
    period = periods.parse("2026-q4", "Asia/Shanghai")
    assert (period.name, period.start.isoformat()) == ("2026-Q4", "2026-09-30T16:00:00+00:00")
    assert periods.last_complete(datetime(2027, 1, 1, tzinfo=UTC), "month", "Asia/Shanghai").name == "2026-12"
    assert periods.last_complete(datetime(2027, 1, 1, tzinfo=UTC), "quarter", "UTC").name == "2026-Q4"
    with pytest.raises(Refused):
        periods.parse("2026-13", "UTC")

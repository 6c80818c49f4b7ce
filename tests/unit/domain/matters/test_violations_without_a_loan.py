"""A violation of a case that has no loan, from its recording to its end, and wherever else violations are shown."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import pytest
from portal_client import Portal
from review_desk import PASSWORD
from statements import statements
from urgent_desk import CALLER, RELEASER, Urgent

from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.people import Post
from services.database.tables.reviews import Review
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Sanction, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.cases import metrics as case_metrics
from services.domain.cases import register
from services.domain.custody import violations
from services.domain.holds import queries as holds
from services.domain.matters import queries, service
from services.domain.matters import tasks as matter_tasks
from services.domain.matters.violations import acts, assessment, tasks
from services.domain.matters.violations.assessment import Assessment, Inputs
from services.domain.reviews import service as review_service
from services.domain.reviews.given_judgements import GivenSanction, Judgement
from services.runtime import metrics
from services.runtime.errors import NotFound, NotPermitted, Refused

BY_SECURITY = Assessment("moderate", "violation-security", suspend_person=False, referral_asked=False)
BY_MANAGEMENT = Assessment("severe", "violation-management", suspend_person=True, referral_asked=True)
PACKAGE = "ab" * 32


class Handled(Urgent):
    """An urgent retrieval that nobody has approved in time, whose violation is handled as its process does."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.id = self.unratified()

    @property
    def violation(self) -> Violation:
        return self.desk.the(Violation, matter_id=self.id)

    def serve(self, given: Assessment = BY_SECURITY) -> None:
        self.desk.run(tasks.assess, self.id, 9000)
        self.desk.run(tasks.serve, self.id, given)

    def heard(self, given: Assessment = BY_SECURITY) -> None:
        self.serve(given)
        self.desk.run(acts.reply, self.id, "当时只顾找人。", by=CALLER)

    def upheld(self) -> None:
        self.heard()
        self.judge("violation-security", "security-head", judgement=judged())
        self.desk.run(tasks.record_sanctions, self.id)
        self.desk.run(tasks.close, self.id, "handled")

    def again(self) -> None:
        """Another case is called urgently by the same person, and not approved in time either."""
        self.case = self.desk.submitted()
        self.id = self.unratified()

    def inputs(self) -> Inputs:
        return self.desk.run(tasks.assess, self.id, 9000)

    def open(self, stage: str) -> str:
        key = next(self.desk.keys)
        return self.desk.run(
            matter_tasks.open_review, self.id, stage, job_key=key, process_instance_key=9000 + key
        ).review_id

    def judge(self, stage: str, by: str, outcome: str = "upheld", **named: Any) -> None:
        given: dict[str, Any] = {
            "answers": {"facts-clear": True, "heard": True},
            "reason": "理由",
            "proof": Proof(self.matter(self.id).facts_sha256, PASSWORD),
            **named,
        }
        self.desk.run(review_service.decide, self.open(stage), outcome=outcome, by=by, **given)


def judged(*, referral: bool = False) -> Judgement:
    return Judgement(sanctions=(GivenSanction("warning", person_id=CALLER),), loss=False, referral=referral)


@pytest.fixture
def case(any_database_url: str) -> Iterator[Handled]:
    made = Handled(any_database_url)
    yield made
    made.desk.close()


@pytest.fixture
async def portal(case: Handled) -> AsyncIterator[Portal]:
    async with Portal(case.desk) as portal:
        yield portal


@pytest.mark.requirement("R65", "R66")
def test_it_is_assessed_served_upheld_sanctioned_and_closed(case: Handled) -> None:
    inputs = case.desk.run(tasks.assess, case.id, 9000)
    assert (inputs.violation_kind, inputs.days_late, inputs.repeats) == ("urgent-not-ratified", 0, 1)
    assert assessment.least(inputs) == BY_SECURITY
    case.desk.run(case_metrics.update_gauges)
    assert metrics.VIOLATIONS_OPEN.labels("unassessed")._value.get() == 1

    case.heard()
    case.judge("violation-security", "security-head", judgement=judged())
    case.desk.run(tasks.record_sanctions, case.id)
    case.desk.run(tasks.record_sanctions, case.id)
    assert [(row.kind, row.person_id) for row in case.desk.all(Sanction)] == [("warning", CALLER)]
    case.desk.run(tasks.close, case.id, "handled")

    assert (case.violation.closed_as, case.matter(case.id).closed_as) == ("upheld", "upheld")
    sheet = json.loads(case.desk.the(Document, kind="violation").content)
    assert any(number["number"].startswith("JQ-") for number in sheet["evidence"])
    assert sheet["suspensions"] == []
    assert {line["name"]: line["value"] for line in sheet["lines"]}["紧急调取"].startswith("JQ-")
    told = {notice.code for notice in case.desk.all(Notice, person_id=CALLER)}
    assert {"violation-urgent-not-ratified", "violation-served", "violation-upheld", "violation-closed"} <= told
    assert case.desk.run(holds.list_holdings, case.case) == []


@pytest.mark.requirement("R65")
def test_a_cleared_one_changes_no_loan_and_holds_nothing(case: Handled) -> None:
    case.heard()
    case.judge("violation-security", "security-head", "unfounded")
    case.desk.run(tasks.clear, case.id)
    case.desk.run(tasks.clear, case.id)

    assert (case.violation.closed_as, case.matter(case.id).closed_as) == ("cleared", "cleared")
    assert case.desk.all(Suspension) == []
    assert case.desk.run(holds.list_holdings, case.case) == []


@pytest.mark.requirement("R66")
def test_the_caller_decides_nothing_in_it_and_a_milder_table_is_not_taken(case: Handled) -> None:
    with pytest.raises(NotPermitted, match="its severity is at least moderate"):
        case.serve(Assessment("minor", "violation-security", suspend_person=False, referral_asked=False))
    case.heard()
    review_id = case.open("violation-security")
    assert CALLER not in case.desk.candidates(review_id)
    for by in (CALLER, "drafter"):
        with pytest.raises(Exception) as caught:
            case.judge("violation-security", by, judgement=judged())
        assert getattr(caught.value, "status", 0) in (403, 404, 409)
    assert case.desk.the(Review, id=review_id).closed_at is None


@pytest.mark.requirement("R66", "R67")
def test_the_second_one_is_severe_and_may_be_referred(case: Handled) -> None:
    case.upheld()
    case.again()
    inputs = case.desk.run(tasks.assess, case.id, 9000)
    assert inputs.repeats == 2
    with pytest.raises(NotPermitted, match="at least severe"):
        case.desk.run(tasks.serve, case.id, BY_SECURITY)
    case.heard(BY_MANAGEMENT)
    assert [row.person_id for row in case.desk.all(Suspension)] == [CALLER]
    case.judge("violation-management", "manager", judgement=judged(referral=True))
    case.desk.run(tasks.record_sanctions, case.id)
    case.judge("referral", "manager2", "approved", answers={}, opinion="移送。", judgement=Judgement(authority="公安"))
    hold = case.desk.run(tasks.begin_referral, case.id)
    assert hold == case.desk.run(tasks.begin_referral, case.id)
    with pytest.raises(NotPermitted, match="referral is not done"):
        case.desk.run(tasks.close, case.id, "handled")
    case.later(hours=2)
    case.desk.run(
        acts.record_referral,
        case.id,
        authority="公安",
        handed_at=case.desk.clock.now() - timedelta(hours=1),
        receipt="一号",
        package_sha256=PACKAGE,
        unknown_package_because="由公安机关封存时一并制作。",
        by="security-head",
    )
    case.desk.run(tasks.close, case.id, "handled")
    assert case.violation.closed_as == "upheld"
    assert [row.lifted_at is None for row in case.desk.all(Suspension)] == [False]
    assert [row.cause for row in case.desk.run(holds.list_holdings, case.case)] == ["referral"]


@pytest.mark.requirement("R65", "R66")
def test_what_nobody_has_decided_or_an_appeal_has_cleared_makes_the_next_one_no_repeat(case: Handled) -> None:
    first = case.id
    case.again()
    assert case.inputs().repeats == 1
    case.serve(BY_SECURITY)  # the register asks for nothing more

    case.id = first
    case.upheld()
    appeal = {"violationId": first, "reason": "当时无法联系任何审批人。"}
    case.case = case.violation.application_id
    appeal_id = case.desk.run(service.open_matter, "appeal", case.case, appeal, by=CALLER).id
    case.desk.run(matter_tasks.check, appeal_id, 9001)
    key = next(case.desk.keys)
    named = {"job_key": key, "process_instance_key": 9001 + key}
    review_id = case.desk.run(matter_tasks.open_review, appeal_id, "violation-appeal", **named).review_id
    case.again()
    assert case.inputs().repeats == 2
    case.decide(review_id, "manager", "approved", answers={"heard-again": True}, reason="理由")
    assert case.desk.run(matter_tasks.apply, appeal_id) is True
    assert case.inputs().repeats == 1


@pytest.mark.requirement("R65", "R66")
def test_an_earlier_finding_does_not_make_the_first_urgent_call_severe(case: Handled) -> None:
    given = (violations.open_of_case, case.case, "finding", {"found": "事由不具体。"})
    case.id = str(case.desk.run(*given, accused=[CALLER], by="supervisor").matter_id)
    case.upheld()
    case.again()
    inputs = case.inputs()
    assert (inputs.repeats, assessment.least(inputs).severity) == (1, "moderate")
    case.serve(BY_SECURITY)


@pytest.mark.requirement("R65")
async def test_pages_lists_and_api_show_it(portal: Portal, case: Handled) -> None:
    case.serve()
    number = case.matter(case.id).number
    urgent = case.desk.the(Matter, kind="urgent").number
    for person in (CALLER, "security-head", "supervisor"):
        client = await portal.signed_in(person)
        for path in (f"/matters/{case.id}", "/matters", "/matters?kind=violation", "/matters?format=csv"):
            answer = await client.get(path)
            assert answer.status_code == 200, (person, path, answer.text)
            assert number in answer.text, (person, path)
        page = await client.get(f"/cases/{case.case}")
        assert 'id="violations"' in page.text
        assert f'href="/matters/{case.id}"' in page.text
        told = (await client.get(f"/api/matters/{case.id}")).json()
        assert told["handOverId"] is None
        assert told["violation"]["violationKind"] == "urgent-not-ratified"
        assert urgent in {line["zh"] for line in told["lines"]}
        listed = (await client.get(f"/api/cases/{case.case}")).json()["violations"]
        assert [row["kind"] for row in listed] == ["urgent-not-ratified"]
        assert (await client.get("/notices")).status_code == 200
    assert [row.kind for row in case.desk.run(register.list_troubles, 9, by="security-head")] == ["urgent-not-ratified"]
    for stranger in (RELEASER, "keeper"):
        client = await portal.signed_in(stranger)
        assert (await client.get(f"/matters/{case.id}")).status_code == 404
    caller = await portal.signed_in(CALLER)
    csrf = {"csrf_token": caller.headers["X-CSRF-Token"]}
    sent = await caller.post(f"/matters/{case.id}/reply", data={"text": "当时只顾找人。", **csrf})
    assert sent.status_code == 303, sent.text


@pytest.mark.requirement("R65")
def test_the_loan_that_comes_later_is_not_touched_by_it(case: Handled) -> None:
    """The application is approved after the time: its copies are lent as every other's, the violation goes on."""
    case.file()
    case.desk.offered(case.case)

    def read(uow: UnitOfWork) -> list[str]:
        return [row.kind for row in uow.session.query(Violation).filter_by(application_id=case.case)]

    case.heard()
    assert case.desk.all(Suspension) == []
    case.judge("violation-security", "security-head", "unfounded")
    case.desk.run(tasks.clear, case.id)
    assert case.desk.run(read) == ["urgent-not-ratified"]
    assert case.desk.all(Suspension) == []


ACCUSED, THEIR_HEAD, HEAD_OF_THE_CASE = "operator", "operator2", "head"


class Pattern(Handled):
    """Access to a case was refused repeatedly to somebody whose department has no part in it."""

    def __init__(self, url: str) -> None:
        Urgent.__init__(self, url)
        self.desk.post(THEIR_HEAD, "head", "storage")
        self.id = self.opened(ACCUSED)

    def opened(self, *accused: str, kind: str = "refusal-pattern") -> str:
        given = (violations.open_of_case, self.case, kind, {"found": "多次尝试打开该案件。"})
        return str(self.desk.run(*given, accused=accused, by="supervisor").matter_id)

    def heard(self, given: Assessment = BY_SECURITY) -> None:
        self.serve(given)
        self.desk.run(acts.reply, self.id, "点错了链接。", by=ACCUSED)

    def upheld(self) -> None:
        self.heard()
        self.settle()

    def settle(self, accused: str = ACCUSED) -> None:
        """The accused is warned, and the violation is closed."""
        warned = (GivenSanction("warning", person_id=accused),)
        self.judge(
            "violation-security", "security-head", judgement=Judgement(sanctions=warned, loss=False, referral=False)
        )
        self.desk.run(tasks.record_sanctions, self.id)
        self.desk.run(tasks.close, self.id, "handled")

    def leaves(self, head: str, department: str) -> None:
        """The head of a department is its head no longer."""

        def end(uow: UnitOfWork) -> None:
            for post in uow.session.query(Post).filter_by(person_id=head, department_id=department, kind="head"):
                post.until = uow.now

        self.desk.clock.turn(timedelta(minutes=1))
        self.desk.run(end)

    def told(self, code: str) -> set[str]:
        return {notice.person_id for notice in self.desk.all(Notice, code=code)}

    def sees(self, by: str, matter_id: str) -> bool:
        """Whether the person has it in the list, and opens it: the same."""
        try:
            self.desk.run(queries.get, matter_id, by=by)
            opens = True
        except NotFound:
            opens = False
        listed = {line.id for line in self.desk.run(queries.read, by=by).lines}
        assert (matter_id in listed) is opens
        return opens

    def answered(self, appeal_id: str, outcome: str) -> None:
        """Management decides the appeal, as its process asks it to."""
        self.desk.run(matter_tasks.check, appeal_id, 9001)
        key = next(self.desk.keys)
        named = {"job_key": key, "process_instance_key": 9001 + key}
        review_id = self.desk.run(matter_tasks.open_review, appeal_id, "violation-appeal", **named).review_id
        self.decide(review_id, "manager", outcome, answers={"heard-again": True}, reason="理由")

    def appeal(self, by: str) -> str:
        asked = {"violationId": self.id, "reason": "决定有误。"}
        return self.desk.run(service.open_matter, "appeal", self.case, asked, by=by).id


@pytest.fixture
def pattern(any_database_url: str) -> Iterator[Pattern]:
    made = Pattern(any_database_url)
    yield made
    made.desk.close()


@pytest.mark.requirement("R65", "R66")
def test_the_department_that_is_heard_is_that_of_the_accused_and_not_that_of_the_case(pattern: Pattern) -> None:
    pattern.serve()

    for code in ("violation-refusal-pattern", "violation-served"):
        told = pattern.told(code)
        assert {ACCUSED, THEIR_HEAD} <= told, code
        assert HEAD_OF_THE_CASE not in told, code
    for by, sees in (
        (ACCUSED, True),
        (THEIR_HEAD, True),
        ("board-head", True),
        (HEAD_OF_THE_CASE, False),
        ("deputy", False),
    ):
        assert pattern.sees(by, pattern.id) is sees, by
    for by, refused in ((HEAD_OF_THE_CASE, NotFound), ("security-head", Refused)):
        with pytest.raises(refused):
            pattern.desk.run(acts.reply, pattern.id, "与本部门无关。", by=by)
    pattern.desk.run(acts.reply, pattern.id, "该员工正在查找自己的申请。", by=THEIR_HEAD)
    assert [one["part"] for one in pattern.matter(pattern.id).facts["replies"]] == ["department"]


@pytest.mark.both_databases
@pytest.mark.requirement("R65", "R66")
def test_nobody_of_the_case_uses_up_the_appeal_of_the_accused(pattern: Pattern) -> None:
    pattern.upheld()
    assert {ACCUSED, THEIR_HEAD} <= pattern.told("violation-upheld") & pattern.told("violation-closed")
    assert HEAD_OF_THE_CASE not in pattern.told("violation-upheld") | pattern.told("violation-closed")
    for by, refused in ((HEAD_OF_THE_CASE, NotFound), ("security-head", Refused)):
        with pytest.raises(refused):
            pattern.appeal(by)

    earlier = pattern.appeal(THEIR_HEAD)
    pattern.answered(earlier, "rejected")
    pattern.desk.run(matter_tasks.close, earlier, "refused")
    later = pattern.appeal(ACCUSED)

    for matter_id in (earlier, later):
        assert pattern.sees(ACCUSED, matter_id)
        assert pattern.sees(THEIR_HEAD, matter_id)
        assert not pattern.sees(HEAD_OF_THE_CASE, matter_id)
    pattern.answered(later, "approved")
    assert pattern.desk.run(matter_tasks.apply, later) is True
    assert pattern.violation.closed_as == "cleared"


@pytest.mark.requirement("R65")
def test_where_nobody_is_accused_the_department_of_the_case_is_heard(pattern: Pattern) -> None:
    matter_id = pattern.opened(kind="ghost-export")

    assert pattern.told("violation-ghost-export") >= {HEAD_OF_THE_CASE}
    assert THEIR_HEAD not in pattern.told("violation-ghost-export")
    assert pattern.sees(HEAD_OF_THE_CASE, matter_id)
    assert not pattern.sees(THEIR_HEAD, matter_id)


@pytest.mark.requirement("R65")
def test_the_head_of_the_accused_learns_nothing_of_a_case_that_concerns_the_head(pattern: Pattern) -> None:
    pattern.case = pattern.desk.submitted(subject_ids=(THEIR_HEAD,))
    matter_id = pattern.opened("operator")

    assert not pattern.desk.all(Notice, person_id=THEIR_HEAD, application_id=pattern.case)
    assert not pattern.sees(THEIR_HEAD, matter_id)
    assert pattern.sees(ACCUSED, matter_id)


@pytest.mark.requirement("R65")
def test_in_the_place_of_a_head_whom_the_case_concerns_the_deputy_answers(pattern: Pattern) -> None:
    pattern.case = pattern.desk.submitted(subject_ids=("head",))
    pattern.id = pattern.opened("keeper")
    pattern.serve()

    assert "deputy" in pattern.told("violation-served")
    with pytest.raises(NotFound):
        pattern.desk.run(acts.reply, pattern.id, "与本部门无关。", by="head")
    pattern.desk.run(acts.reply, pattern.id, "该员工正在查找自己的申请。", by="deputy")


@pytest.mark.requirement("R65")
def test_in_the_place_of_a_head_who_is_accused_the_deputy_answers(pattern: Pattern) -> None:
    pattern.id = pattern.opened("head")
    pattern.serve()

    assert {"head", "deputy"} <= pattern.told("violation-served")
    pattern.desk.run(acts.reply, pattern.id, "该员工正在查找自己的申请。", by="deputy")
    pattern.desk.run(acts.reply, pattern.id, "点错了链接。", by="head")
    replies = pattern.matter(pattern.id).facts["replies"]
    assert [(one["by"], one["part"]) for one in replies] == [("deputy", "department"), ("head", "accused")]


@pytest.mark.requirement("R65")
def test_what_each_of_two_accused_had_done_is_not_added_up(pattern: Pattern) -> None:
    pattern.upheld()
    pattern.id = pattern.opened(ACCUSED, "keeper")
    assert pattern.inputs().repeats == 2

    for accused, repeats in (("keeper", 2), ("keeper", 3), (ACCUSED, 3)):
        pattern.id = pattern.opened(accused)
        pattern.serve()
        pattern.desk.run(acts.reply, pattern.id, "不知情。", by=accused)
        pattern.settle(accused)
        pattern.id = pattern.opened(ACCUSED, "keeper")
        assert pattern.inputs().repeats == repeats
    pattern.desk.clock.turn(assessment.A_YEAR)
    pattern.id = pattern.opened(ACCUSED, "keeper")
    assert pattern.inputs().repeats == 1


@pytest.mark.both_databases
@pytest.mark.requirement("R65", "R66")
def test_the_appeal_of_one_department_takes_nothing_from_another_one(pattern: Pattern) -> None:
    pattern.id = pattern.opened(ACCUSED, "keeper")
    pattern.serve()
    for accused in (ACCUSED, "keeper"):
        pattern.desk.run(acts.reply, pattern.id, "不知情。", by=accused)
    pattern.settle()

    def may_appeal(by: str) -> bool:
        shown = pattern.desk.run(queries.get, pattern.id, by=by).violation
        return shown is not None and shown.may_appeal

    for head, still in ((THEIR_HEAD, {HEAD_OF_THE_CASE, ACCUSED}), (HEAD_OF_THE_CASE, {ACCUSED})):
        appeal_id = pattern.appeal(head)
        pattern.answered(appeal_id, "rejected")
        pattern.desk.run(matter_tasks.close, appeal_id, "refused")
        assert {by for by in (THEIR_HEAD, HEAD_OF_THE_CASE, ACCUSED) if may_appeal(by)} == still

    # whoever answers for a department after its appeal has none of their own
    for left, deputy, department in ((THEIR_HEAD, "inspector", "storage"), (HEAD_OF_THE_CASE, "deputy", "works")):
        pattern.leaves(left, department)
        pattern.desk.post(deputy, "deputy", department)
        with pytest.raises(Refused) as caught:
            pattern.appeal(deputy)
        assert caught.value.code == "appealed-already"
        assert not may_appeal(deputy)


@pytest.mark.requirement("R65")
async def test_the_page_costs_no_more_than_every_other(pattern: Pattern) -> None:
    pattern.upheld()
    pattern.appeal(THEIR_HEAD)
    async with Portal(pattern.desk) as portal:
        for person in (THEIR_HEAD, ACCUSED):
            client = await portal.signed_in(person)
            await client.get(f"/matters/{pattern.id}")
            with statements(pattern.desk.database.engine) as sent:
                assert (await client.get(f"/matters/{pattern.id}")).status_code == 200
            asked = [one for one in sent if one.startswith(("SELECT", "INSERT", "UPDATE"))]
            assert len(asked) <= 25, asked

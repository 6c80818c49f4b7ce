"""Violations to their end: who is heard, who decides, and that nothing follows which is not decided."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from loan_matter import LoanDesk, lent
from prepared_desk import prepared_desk
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.suspensions import Suspension
from services.database.tables.violations import Hearing, Sanction, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.audit import trail as audit_trail
from services.domain.cases import metrics as case_metrics
from services.domain.custody import violation_ends, violations
from services.domain.documents import service as document_service
from services.domain.matters import queries
from services.domain.matters import tasks as matter_tasks
from services.domain.matters.violations import acts, packages, tasks
from services.domain.matters.violations.assessment import Assessment
from services.domain.process import messages, outbox
from services.domain.process.relay import claim_due
from services.domain.reviews.given_judgements import GivenSanction, Judgement
from services.domain.rules.catalogue import RULES
from services.runtime import metrics
from services.runtime.errors import NotFound, NotPermitted, Refused
from services.runtime.rules import Rules

BY_SECURITY = Assessment("minor", "violation-security", suspend_person=False, referral_asked=False)
LEAK = Assessment("severe", "violation-management", suspend_person=True, referral_asked=True)
WARNING = Judgement(sanctions=(GivenSanction("warning"),), loss=False, referral=False)
FINE = Judgement(sanctions=(GivenSanction("warning"), GivenSanction("fine", amount="200")), loss=False, referral=False)
GRAVE = Judgement(sanctions=(GivenSanction("reprimand"),), loss=True, referral=True)
STAGE, DECIDER = "violation-security", "security-deputy"
PACKAGE = "ab" * 32


def violated(desk: ReviewDesk) -> dict[str, str]:
    """An overdue loan with its violation, which nobody handles yet."""
    ids = lent(desk)
    desk.clock.turn(timedelta(days=15) + desk.rules.grace_period + timedelta(hours=1))
    violation = desk.run(violations.open_overdue, ids["application_id"], ids["hand_over_id"])
    assert violation is not None
    return {**ids, "matter_id": str(violation.matter_id), "violation_id": violation.id}


def leaked(desk: ReviewDesk) -> dict[str, str]:
    """A loan whose copy was leaked, as Security has recorded."""
    ids = lent(desk)
    loan = LoanDesk(desk, ids)
    return {**ids, "matter_id": loan.ask("violation", "security-head", violationKind="leak")}


class Handled(LoanDesk):
    """A loan with a violation, handled as its process would, without an engine."""

    @property
    def id(self) -> str:
        return self.ids["matter_id"]

    @property
    def violation(self) -> Violation:
        return self.desk.the(Violation, matter_id=self.id)

    def assess(self) -> tasks.Inputs:
        return self.desk.run(tasks.assess, self.id, self.instance)

    def serve(self, given: Assessment = BY_SECURITY) -> timedelta:
        self.assess()
        return self.desk.run(tasks.serve, self.id, given)

    def reply(self, by: str = "keeper", text: str = "当时在医院。") -> None:
        self.desk.run(acts.reply, self.id, text, by=by)

    def heard(self, given: Assessment = BY_SECURITY) -> None:
        self.serve(given)
        self.reply()

    def judge(self, judgement: Judgement = WARNING, by: str = DECIDER, stage: str = STAGE, **named: Any) -> str:
        return self.decide(self.id, stage, by, judgement=judgement, **named)

    def unfounded(self) -> None:
        self.decide(self.id, STAGE, DECIDER, "unfounded")

    def record(self) -> tasks.Recorded:
        return self.desk.run(tasks.record_sanctions, self.id)

    def end(self) -> None:
        self.close(self.id, "handled")

    def code(self, act: Any, *args: Any, by: str, **named: Any) -> str:
        with pytest.raises((Refused, NotFound)) as caught:
            self.desk.run(act, *args, by=by, **named)
        return caught.value.code

    def not_judged(self, by: str, judgement: Judgement = WARNING, **named: Any) -> str:
        with pytest.raises(Refused) as caught:
            self.judge(judgement, by, **named)
        assert caught.value.zh
        return caught.value.code


def _handled(url: str, prepare: Any) -> Iterator[Handled]:
    desk, ids = prepared_desk(url, prepare)
    yield Handled(desk, ids)
    desk.close()


@pytest.fixture
def case(any_database_url: str) -> Iterator[Handled]:
    yield from _handled(any_database_url, violated)


@pytest.fixture
def leak(any_database_url: str) -> Iterator[Handled]:
    yield from _handled(any_database_url, leaked)


@pytest.mark.requirement("R48", "R51", "R65")
def test_a_violation_begins_its_process_in_the_act_of_recording_it(case: Handled) -> None:
    matter = case.matter(case.id)
    assert [message.variables for message in case.messages(messages.VIOLATION_OPENED)] == [
        {"matterId": case.id, "applicationId": case.application_id}
    ]
    assert (matter.kind, matter.number[:2], matter.opened_by) == ("violation", "WG", None)
    assert [hearing.person_id for hearing in case.desk.all(Hearing, matter_id=case.id)] == ["keeper"]

    case.desk.run(case_metrics.update_gauges)
    assert metrics.VIOLATIONS_OPEN.labels("unassessed")._value.get() == 1

    case.desk.run(violations.open_overdue, case.application_id, case.ids["hand_over_id"])
    assert len(case.desk.all(Violation)) == 1  # same kind and due date: once
    assert len(case.messages(messages.VIOLATION_OPENED)) == 1


@pytest.mark.requirement("R65", "R66", "R67")
def test_an_upheld_violation_is_sanctioned_and_closed(case: Handled) -> None:
    inputs = case.assess()
    assert (inputs.violation_kind, inputs.days_late, inputs.repeats, inputs.security_involved) == (
        "overdue",
        3,
        1,
        False,
    )
    assert case.serve() == case.desk.rules.violation_reply_period
    case.reply()
    assert len(case.messages(messages.VIOLATION_REPLIED)) == 1
    case.judge()
    assert case.record() == tasks.Recorded(loss=False, referral=False)
    assert case.record() == tasks.Recorded(loss=False, referral=False)  # sent twice
    assert [(row.kind, row.person_id) for row in case.desk.all(Sanction)] == [("warning", "keeper")]
    case.end()
    case.end()

    assert (case.violation.closed_as, case.matter(case.id).closed_as) == ("upheld", "upheld")
    document = case.desk.the(Document, kind="violation")
    sheet = json.loads(document.content)
    assert document.number == case.matter(case.id).number
    assert [row["reply"] for row in sheet["hearings"]] == ["当时在医院。"]
    assert sheet["decisions"][0]["judgement"]["sanctions"][0]["kind"] == "warning"
    codes = {notice.code for notice in case.desk.all(Notice, person_id="keeper", subject_id=case.id)}
    assert codes == {"violation-served", "violation-upheld", "violation-closed"}
    assert [row.lifted_at for row in case.desk.all(Suspension, violation_id=case.violation.id)] == [None]


@pytest.mark.requirement("R65")
def test_the_loss_of_overdue_copies_is_no_second_time(case: Handled) -> None:
    case.heard()
    case.judge()
    case.record()
    case.desk.clock.turn(timedelta(days=1))

    def lose(uow: UnitOfWork) -> str:
        hand_over = uow.session.get_one(HandOver, case.ids["hand_over_id"])
        return str(violations.open_once(uow, hand_over, "loss", {}).matter_id)

    lost = case.desk.run(lose)
    assert case.desk.run(tasks.assess, lost, case.instance + 1).repeats == 1


@pytest.mark.requirement("R65")
def test_a_cleared_violation_gives_access_back_with_the_days(case: Handled) -> None:
    before = case.loan.due_at
    case.heard()
    case.unfounded()
    case.desk.run(tasks.clear, case.id)
    case.desk.run(tasks.clear, case.id)

    assert (case.violation.closed_as, case.matter(case.id).closed_as) == ("cleared", "cleared")
    after = case.loan.due_at
    assert after is not None
    assert before is not None
    assert after > before
    assert len(case.messages(messages.USE_PERIOD_CHANGED)) == 1
    assert not [row for row in case.desk.all(Suspension, violation_id=case.violation.id) if row.lifted_at is None]


def two_loans(desk: ReviewDesk) -> dict[str, str]:
    """A leak of one loan, whose custodian holds another."""
    other = lent(desk)
    return {**leaked(desk), "other_id": other["hand_over_id"]}


def due_dates(case: Handled) -> list[datetime | None]:
    return [case.desk.the(HandOver, id=case.ids[name]).due_at for name in ("hand_over_id", "other_id")]


@pytest.mark.requirement("R65")
@pytest.mark.parametrize("unfounded", [True, False])
def test_who_was_suspended_wrongly_gets_the_days_of_all_loans_back(tmp_path: Path, *, unfounded: bool) -> None:
    for case in _handled(f"sqlite:///{tmp_path / 'books.db'}", two_loans):
        before = due_dates(case)
        case.heard(LEAK)
        case.desk.clock.turn(timedelta(days=6))
        if unfounded:
            case.decide(case.id, "violation-management", "manager", "unfounded")
            case.desk.run(tasks.clear, case.id)
        else:
            case.judge(WARNING, "manager", "violation-management")
            case.record()
            case.end()

        given_back = timedelta(days=6) if unfounded else timedelta()
        assert due_dates(case) == [due_at + given_back for due_at in before if due_at is not None]
        assert len(case.messages(messages.USE_PERIOD_CHANGED)) == (2 if unfounded else 0)


@pytest.mark.requirement("R66")
@pytest.mark.parametrize(
    ("by", "code"),
    [
        ("keeper", "was-accused"),
        ("security-head", "was-security-signature"),  # has signed the case
        ("reviewer", "was-security"),  # has reviewed it
        ("operator", "not-found"),
        ("admin", "not-found"),
    ],
)
def test_a_violation_is_not_decided_by_the_wrong_person(case: Handled, by: str, code: str) -> None:
    case.heard()
    if by == "keeper":
        case.desk.post("keeper", "security-reviewer", "security")
    assert case.not_judged(by) == code
    assert not case.violation.sanctioned_at


@pytest.mark.requirement("R66")
def test_whoever_recorded_it_decides_nothing_in_it(leak: Handled) -> None:
    other = leak.ask("violation", "supervisor", violationKind="breach")
    leak.ids = {**leak.ids, "matter_id": other}
    leak.heard(Assessment("moderate", "violation-management", suspend_person=False, referral_asked=False))
    leak.desk.post("supervisor", "manager", "board")
    assert leak.not_judged("supervisor", stage="violation-management", opinion=None) == "was-opener"


@pytest.mark.requirement("R66")
def test_it_is_not_decided_over_other_facts(case: Handled) -> None:
    case.serve()
    served = case.matter(case.id).facts_sha256
    case.reply()
    assert case.not_judged(DECIDER, proof=Proof(served, PASSWORD)) == "form-changed"

    case.judge()

    def change(uow: UnitOfWork) -> None:
        uow.session.get_one(Matter, case.id).facts = {"none": 1}

    case.desk.run(change)
    with pytest.raises(NotPermitted, match="not those that were signed"):
        case.record()
    assert not case.desk.all(Sanction)


@pytest.mark.requirement("R66")
def test_jobs_by_hand_do_nothing_without_a_decision(case: Handled) -> None:
    for act in (tasks.record_sanctions, tasks.clear, tasks.begin_referral):
        with pytest.raises(NotPermitted):
            case.desk.run(act, case.id)
    with pytest.raises(NotPermitted, match="not assessed"):
        case.desk.run(tasks.serve, case.id, BY_SECURITY)
    case.serve()
    with pytest.raises(NotPermitted, match="may reply until"):
        case.desk.run(tasks.expire_reply, case.id)
    with pytest.raises(NotPermitted, match="have not replied"):
        case.open(case.id, STAGE)
    case.reply()
    with pytest.raises(NotPermitted, match="nobody has upheld it"):
        case.record()
    for closed_as in ("handled", "refused", "moot"):
        with pytest.raises(NotPermitted):
            case.close(case.id, closed_as)
    for act in (matter_tasks.apply, lambda uow, one: matter_tasks.check(uow, one, 1)):
        with pytest.raises(NotPermitted, match="a process of its own"):
            case.desk.run(act, case.id)
    with pytest.raises(NotPermitted, match="another process instance"):
        case.desk.run(tasks.assess, case.id, case.instance + 1)
    with pytest.raises(NotPermitted, match="does not have this violation"):
        case.desk.run(tasks.clear, "none")
    assert (case.violation.closed_at, case.desk.all(Sanction)) == (None, [])


@pytest.mark.requirement("R66")
def test_a_stage_that_the_table_did_not_name_is_not_asked(case: Handled) -> None:
    case.heard()
    for stage in ("violation-legal", "violation-management", "legal-sanction", "referral", "extension"):
        with pytest.raises(NotPermitted):
            case.open(case.id, stage)


@pytest.mark.requirement("R66")
def test_a_table_that_is_milder_than_the_register_is_refused(leak: Handled) -> None:
    leak.assess()
    for given in (
        BY_SECURITY,
        replace(LEAK, deciding_stage="violation-security"),
        replace(LEAK, suspend_person=False),
        replace(LEAK, severity="harmless"),
    ):
        with pytest.raises(NotPermitted, match=r"violation-severity\.dmn"):
            leak.desk.run(tasks.serve, leak.id, given)
    assert leak.violation.served_at is None


@pytest.mark.requirement("R65", "R66")
def test_replies_come_in_time_once_and_from_the_accused(case: Handled) -> None:
    assert case.code(acts.reply, case.id, "早了", by="keeper") == "reply-too-early"
    case.serve()
    assert case.code(acts.reply, case.id, "与我无关", by="reviewer2") == "not-accused"
    assert case.code(acts.reply, case.id, "看不到", by="operator2") == "not-found"
    case.reply("head", "部门情况说明。")  # for the department: the accused may still reply
    assert not case.messages(messages.VIOLATION_REPLIED)
    case.reply()
    assert case.code(acts.reply, case.id, "再说一次", by="keeper") == "reply-too-late"  # the hearing is over
    replies = [reply["part"] for reply in case.matter(case.id).facts["replies"]]
    assert replies == ["department", "accused"]


@pytest.mark.requirement("R65", "R66")
def test_a_reply_after_the_period_is_refused_and_changes_nothing(case: Handled) -> None:
    period = case.serve()
    facts = case.matter(case.id).facts_sha256
    case.desk.clock.turn(period + timedelta(minutes=1))
    assert case.code(acts.reply, case.id, "来晚了", by="keeper") == "reply-too-late"
    assert case.desk.run(tasks.expire_reply, case.id) is False
    assert case.desk.run(tasks.expire_reply, case.id) is False
    assert (case.matter(case.id).facts_sha256, case.messages(messages.VIOLATION_REPLIED)) == (facts, [])


@pytest.mark.requirement("R65", "R66")
def test_a_reply_at_the_last_moment_is_found_by_the_timer(case: Handled) -> None:
    case.heard()
    assert case.desk.run(tasks.expire_reply, case.id) is True


@pytest.mark.requirement("R66")
@pytest.mark.parametrize(
    "judgement",
    [
        Judgement(),
        replace(WARNING, sanctions=()),
        replace(WARNING, loss=None),
        replace(WARNING, sanctions=(GivenSanction("flogging"),)),
        replace(WARNING, sanctions=(GivenSanction("warning", "head"),)),
        replace(WARNING, sanctions=(GivenSanction("warning"), GivenSanction("warning"))),
        replace(WARNING, sanctions=(GivenSanction("warning", amount="5"),)),
        replace(WARNING, sanctions=(GivenSanction("fine"),)),
        replace(WARNING, sanctions=(GivenSanction("fine", amount="-1"),)),
        replace(WARNING, sanctions=(GivenSanction("other"),)),
        replace(WARNING, severity="harmless"),
    ],
)
def test_a_judgement_that_lacks_something_is_refused(case: Handled, judgement: Judgement) -> None:
    case.heard()
    assert case.not_judged(DECIDER, judgement) == "judgement"


@pytest.mark.requirement("R66")
def test_t14_a_fine_takes_effect_only_with_the_approval_of_legal(case: Handled) -> None:
    case.heard()
    case.judge(FINE)
    with pytest.raises(NotPermitted, match="Legal, who has not answered"):
        case.record()
    case.decide(case.id, "legal-sanction", "manager", "rejected")
    case.record()
    effects = {row.kind: row.dropped_because for row in case.desk.all(Sanction)}
    assert effects == {"warning": None, "fine": "legal-rejected"}
    [fine] = case.desk.all(Sanction, kind="fine")
    assert (fine.amount, fine.currency) == ("200.00", "CNY")
    for written in ("cny", "RMB¥", "", "CN"):
        with pytest.raises(Refused):
            RULES["currency"].parse(written)
    case.end()


@pytest.mark.requirement("R66")
def test_t14_a_fine_is_refused_where_the_organisation_has_switched_it_off(any_database_url: str) -> None:
    desk = ReviewDesk(any_database_url, rules=Rules(max_use_days=30, fines="not-allowed"))
    case = Handled(desk, violated(desk))
    case.heard()
    assert case.not_judged(DECIDER, FINE) == "sanction-switched-off"
    case.judge()
    case.record()
    assert [row.kind for row in desk.all(Sanction)] == ["warning"]
    desk.close()


@pytest.mark.requirement("R67")
def test_a_receipt_that_came_before_the_process_waited_for_it_is_sent_again(leak: Handled) -> None:
    desk = leak.desk
    leak.heard(LEAK)
    leak.judge(GRAVE, "manager", "violation-management")
    leak.record()
    leak.decide(leak.id, "referral", "manager2", judgement=Judgement(authority="三号区公安分局"))
    hold = desk.run(tasks.begin_referral, leak.id)  # its worker is killed before the engine hears of it
    desk.run(
        acts.record_referral,
        leak.id,
        authority="三号区公安分局",
        handed_at=desk.clock.now(),
        receipt="收字一号",
        package_sha256=PACKAGE,
        unknown_package_because="由公安机关封存时一并制作。",
        by="security-deputy",
    )
    [receipt] = leak.messages(messages.REFERRAL_RECEIVED)
    for attempts in range(3):
        desk.run(outbox.mark_published, receipt.message_id, attempts=attempts, retry_after=timedelta())
    desk.run(claim_due)
    assert desk.the(OutboxMessage, name=messages.REFERRAL_RECEIVED).settled_because == "published 3 times"

    desk.clock.turn(timedelta(hours=2))
    assert desk.run(tasks.begin_referral, leak.id) == hold
    [receipt] = leak.messages(messages.REFERRAL_RECEIVED)
    assert (receipt.settled_at, receipt.attempts) == (None, 0)
    assert receipt.message_id in [message.message_id for message in desk.run(claim_due)]


@pytest.mark.requirement("R67")
def test_the_referral_does_not_wait_for_the_money(leak: Handled) -> None:
    """The trap: drawn the other way, the referral to the authority waited a month for the compensation."""
    leak.heard(LEAK)
    assert [row.person_id for row in leak.desk.all(Suspension, matter_id=leak.id)] == ["keeper"]
    leak.judge(GRAVE, "manager", "violation-management")
    assert leak.record() == tasks.Recorded(loss=True, referral=True)
    settle = {"account": "已赔偿", "amount": "100"}
    assert leak.code(acts.settle, leak.id, by="security-deputy", **settle) == "referral-first"
    with pytest.raises(NotPermitted, match="referral is not done yet"):
        leak.end()

    leak.decide(leak.id, "referral", "manager2", judgement=Judgement(authority="三号区公安分局"))
    hold = leak.desk.run(tasks.begin_referral, leak.id)
    assert leak.desk.run(tasks.begin_referral, leak.id) == hold
    (placed,) = leak.desk.all(Hold)
    assert (placed.id, placed.cause, placed.placed_by, placed.matter_id) == (hold, "referral", "manager2", leak.id)
    handed = {
        "authority": "三号区公安分局",
        "receipt": "收字一号",
        "package_sha256": PACKAGE,
        "unknown_package_because": "由公安机关封存时一并制作。",
    }
    leak.desk.clock.turn(timedelta(hours=1))
    now = leak.desk.clock.now()
    assert leak.code(acts.record_referral, leak.id, by="keeper", handed_at=now, **handed) == "violation-leaders-only"
    early = now - timedelta(days=9)
    assert leak.code(acts.record_referral, leak.id, by="security-deputy", handed_at=early, **handed) == "referral-date"
    silent = {**handed, "unknown_package_because": " "}
    assert leak.code(acts.record_referral, leak.id, by="security-deputy", handed_at=now, **silent) == "package-unknown"
    leak.desk.run(acts.record_referral, leak.id, by="security-deputy", handed_at=now, **handed)
    assert len(leak.messages(messages.REFERRAL_RECEIVED)) == 1
    document = leak.desk.the(Document, kind="referral")
    assert (document.number[:2], json.loads(document.content)["packageSha256"]) == ("YS", PACKAGE)
    [event] = leak.desk.all(AuditEvent, action="violation-referred")
    assert json.loads(event.entry)["detail"]["package_made_here"] is False

    made = {"application_id": leak.application_id, "file_sha256": PACKAGE}
    leak.desk.run(audit_trail.record, "package-made", "application", leak.application_id, **made)
    known = leak.desk.run(packages.name, leak.application_id, PACKAGE.upper(), "")
    assert known == packages.Named(PACKAGE, True, None)
    with pytest.raises(Refused):  # of another case
        leak.desk.run(packages.name, "another", PACKAGE, "")

    with pytest.raises(NotPermitted, match="settlement is not done yet"):
        leak.end()
    assert leak.desk.run(tasks.remind, leak.id, 4711) > 0
    assert leak.desk.run(tasks.remind, leak.id, 4711) == 0
    assert "violation-settlement-due" in {one.code for one in leak.desk.all(Notice, person_id="keeper")}
    leak.desk.run(acts.settle, leak.id, by="security-deputy", **settle)
    assert leak.code(acts.settle, leak.id, by="security-deputy", **settle) == "settled-already"
    leak.end()
    assert leak.violation.closed_as == "settled"
    assert not [row for row in leak.desk.all(Suspension, matter_id=leak.id) if row.lifted_at is None]


@pytest.mark.requirement("R65")
def test_the_accused_see_facts_and_not_who_reported_it(leak: Handled) -> None:
    leak.heard(LEAK)
    seen = leak.desk.run(queries.get, leak.id, by="keeper")
    assert (seen.opened_by, bool(seen.lines)) == (None, True)
    assert leak.desk.run(queries.get, leak.id, by="supervisor").opened_by == "security-head"
    assert leak.desk.run(queries.get, leak.id, by="head").opened_by is None
    for stranger in ("drafter", "operator2", "deputy", "admin"):
        assert leak.code(queries.get, leak.id, by=stranger) == "not-found"
        assert not [one for one in leak.desk.run(queries.read, by=stranger).lines if one.id == leak.id]
    leak.judge(GRAVE, "manager", "violation-management")
    leak.record()
    leak.decide(leak.id, "referral", "manager2", "rejected")
    with pytest.raises(NotPermitted, match="settlement"):
        leak.end()
    leak.desk.run(acts.settle, leak.id, by="security-deputy", account="已赔偿", amount=None)
    leak.end()
    number = leak.matter(leak.id).number
    assert leak.code(document_service.read_document, number, "page", by="keeper") == "not-found"
    assert leak.desk.run(document_service.read_document, number, "page", by="supervisor").kind == "violation"


@pytest.mark.requirement("R65")
def test_a_violation_is_recorded_by_security_and_once(leak: Handled) -> None:
    def code(by: str, **asked: Any) -> str:
        with pytest.raises(Refused) as caught:
            leak.ask("violation", by, **asked)
        return caught.value.code

    assert code("head", violationKind="breach") == "not-yours"
    assert code("reviewer", violationKind="leak") == "asked-already"
    assert code("reviewer", violationKind="overdue") == "missing"
    assert code("reviewer", violationKind="breach", accusedId="reviewer") == "accused-self"


@pytest.mark.requirement("R65")
def test_what_is_found_again_after_a_decision_is_another_violation(leak: Handled) -> None:
    first = leak.violation.id
    leak.desk.run(lambda uow: violation_ends.close(uow, uow.session.get_one(Violation, first), "cleared"))

    again = leak.ask("violation", "security-head", violationKind="leak")
    with pytest.raises(Refused, match="not yet decided"):
        leak.ask("violation", "supervisor", violationKind="leak")

    found = {row.matter_id: row.closed_as for row in leak.desk.all(Violation, kind="leak")}
    assert found == {leak.id: "cleared", again: None}


@pytest.mark.requirement("R48", "R65")
def test_security_starts_what_an_older_release_has_recorded(case: Handled) -> None:
    def as_before(uow: UnitOfWork) -> None:
        uow.session.get_one(Violation, case.ids["violation_id"]).matter_id = None

    case.desk.run(as_before)
    assert case.code(acts.start, case.ids["violation_id"], by="keeper") == "violation-handlers-only"
    started = case.desk.run(acts.start, case.ids["violation_id"], by="reviewer2")
    assert case.desk.the(Violation, id=case.ids["violation_id"]).matter_id == started.id
    assert case.desk.run(acts.start, case.ids["violation_id"], by="reviewer2").id == started.id


@pytest.mark.requirement("R65")
def test_what_is_found_of_another_person_is_a_violation_of_its_own(any_database_url: str) -> None:
    desk, ids = prepared_desk(any_database_url, leaked)
    loan = Handled(desk, ids)

    with pytest.raises(Refused) as caught:  # of the same person: it is there to be opened
        loan.ask("violation", "security-head", violationKind="leak")
    assert caught.value.code == "asked-already"
    other = loan.ask("violation", "security-head", violationKind="leak", accusedId="operator2")
    with pytest.raises(Refused) as caught:
        loan.ask("violation", "supervisor", violationKind="leak", accusedId="operator2")
    assert caught.value.code == "asked-already"

    rows = {row.matter_id: row for row in desk.all(Violation, kind="leak")}
    assert [rows[one].accused for one in (loan.id, other)] == [["keeper"], ["operator2"]]
    assert {row.violation_id for row in desk.all(Suspension, lifted_at=None)} == {row.id for row in rows.values()}

    for one in rows.values():  # each ends for itself, and the same can be found again
        desk.run(lambda uow, one=one.id: violation_ends.close(uow, uow.session.get_one(Violation, one), "cleared"))
    assert not desk.all(Suspension, lifted_at=None)
    assert loan.ask("violation", "security-head", violationKind="leak", accusedId="operator2") not in rows
    desk.close()

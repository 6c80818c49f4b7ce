"""Problem reports: frozen in the act of reporting, answered by Security, and nothing follows without its answer."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from loan_matter import LoanDesk, lent
from portal_client import Portal, problem
from prepared_desk import prepared_desk
from review_desk import PASSWORD

from services.database.tables.applications import Application, Item
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.integrity_checks import IntegrityCheck
from services.database.tables.masters import Master
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.people import Person, Post
from services.database.tables.returns import Inspection, Return
from services.database.tables.reviews import Decision, Review
from services.database.tables.violations import Violation
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import service as application_service
from services.domain.cases import inbox
from services.domain.custody import (
    closing,
    grants,
    hand_overs,
    integrity,
    returns,
    suspensions,
    use_period,
    violation_ends,
    violations,
)
from services.domain.custody.returns import AttestedFate
from services.domain.holds import queries as holds
from services.domain.matters import problems, queries, service
from services.domain.matters.kinds.problem import PROBLEMS
from services.domain.notifications import dispatch
from services.domain.notifications.deliveries import MAIL
from services.domain.process import deployed_models
from services.domain.process.messages import (
    COPY_RETURNED,
    LOAN_CLOSED,
    MATTER_MOOT,
    PROBLEM_REPORTED,
    USE_PERIOD_CHANGED,
)
from services.domain.retrieval import records
from services.domain.reviews.given_judgements import GivenReplacement, Judgement
from services.domain.rules import agreed_limits
from services.domain.staffing import leaving
from services.domain.storage import damages
from services.domain.work_orders import downloads
from services.domain.work_orders import service as work_order_service
from services.domain.work_orders import tasks as work_order_tasks
from services.domain.work_orders.downloads import Account
from services.domain.work_orders.service import Answered, Done, Verdict
from services.runtime.errors import NotPermitted, Refused
from services.vault.keys.vault_keys import KeyGone, LoanKeys
from services.workers import freeze_loan, lift_freeze, open_violation, recall_copy
from services.workers.discards import Discarder

ANSWERS = ("unfounded", "explained", "replace", "recall", "breach")
JOBS = ("lift-freeze", "recall-copy", "open-violation")
JOB_OF = {"unfounded": JOBS[0], "explained": JOBS[0], "replace": JOBS[1], "recall": JOBS[1], "breach": JOBS[2]}


@pytest.fixture
def loan(any_database_url: str) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(any_database_url, lent)
    yield LoanDesk(desk, ids)
    desk.close()


async def job(loan: LoanDesk, job_type: str, matter_id: str) -> Any:
    """Send the job to its worker."""
    database = loan.desk.database
    if job_type == "lift-freeze":
        return await lift_freeze.handle(lift_freeze.Command(matter_id), database)
    if job_type == "recall-copy":
        return await recall_copy.handle(recall_copy.Command(matter_id), database)
    command = open_violation.Command(
        loan.application_id, "breach", hand_over_id=loan.ids["hand_over_id"], matter_id=matter_id
    )
    nothing: Any = None
    return await open_violation.handle(command, database, nothing, nothing, signer=nothing)


def refused(loan: LoanDesk, by: str, **asked: Any) -> str:
    with pytest.raises(Refused) as caught:
        loan.report(by, **asked)
    assert caught.value.zh
    return caught.value.code


def access(loan: LoanDesk, action: grants.Action = "view") -> str:
    try:
        loan.desk.run(grants.check, loan.ids["copy_id"], action, by="keeper")
    except Refused as refusal:
        return refusal.code
    return "opens"


def give_back(loan: LoanDesk) -> None:
    loan.desk.run(
        returns.return_copies,
        loan.ids["hand_over_id"],
        return_to="security",
        fates=[AttestedFate(loan.ids["download_id"], "destroyed")],
        no_other_copies=True,
        proof=Proof("", PASSWORD),
        by="keeper",
    )


def close_violation(loan: LoanDesk, violation: Violation, closed_as: str) -> None:
    loan.desk.run(lambda uow: violation_ends.close(uow, uow.session.get_one(Violation, violation.id), closed_as))


def by_mail(loan: LoanDesk) -> None:
    """Notices go out by mail, to everybody."""
    loan.desk.database.rules = replace(loan.desk.database.rules, notice_channels=(MAIL,))

    def addresses(uow: UnitOfWork) -> None:
        for person in uow.session.query(Person):
            person.email = f"{person.id}@footage.example"

    loan.desk.run(addresses)


def confirm_account(loan: LoanDesk, order: WorkOrder) -> None:
    """The custodian gives the medium back, and Security confirms it."""
    desk, proof = loan.desk, Proof(order.facts_sha256, PASSWORD)
    said = Done({"each-accounted": Answered("yes"), "no-other-copies": Answered("yes")})
    accounts = [Account(loan.ids["download_id"], "given-back", medium="JZ-001")]
    desk.run(downloads.account, order.id, accounts, said, proof, by="keeper")
    desk.run(work_order_tasks.open_verification, order.id, job_key=next(desk.keys))
    verdict = Verdict("verified", {"on-site": True, "met": True})
    desk.run(work_order_service.verify, order.id, verdict, proof, by="reviewer2")
    desk.run(work_order_tasks.close, order.id, "done")


def causes(loan: LoanDesk) -> list[str]:
    return [row.cause for row in loan.desk.run(suspensions.list_open, loan.loan)]


@pytest.mark.requirement("R43")
@pytest.mark.requirement("R44", refuses=True)
def test_a_report_freezes_the_copies_in_the_act(loan: LoanDesk) -> None:
    matter_id = loan.ask("problem", problem="wrong-camera", copyId=loan.ids["copy_id"], position="14:03:27")

    assert [message.variables for message in loan.messages(PROBLEM_REPORTED)] == [
        {"matterId": matter_id, "applicationId": loan.application_id, "handOverId": loan.ids["hand_over_id"]}
    ]
    assert access(loan) == access(loan, "download") == "copy-frozen"
    with pytest.raises(Refused) as caught:
        give_back(loan)
    assert caught.value.code == "copy-frozen"
    assert [one.cause for one in loan.desk.run(holds.list_holdings, loan.application_id)] == ["problem"]
    assert refused(loan, "reviewer", problem="gap") == "asked-already"


@pytest.mark.requirement("R43")
@pytest.mark.parametrize(
    ("by", "code"),
    [("drafter", "not-yours"), ("head", "not-yours"), ("operator", "not-yours"), ("admin", "not-found")],
)
def test_a_problem_is_not_reported_by_the_wrong_person(loan: LoanDesk, by: str, code: str) -> None:
    assert refused(loan, by) == code
    assert causes(loan) == []


@pytest.mark.requirement("R43")
@pytest.mark.parametrize("by", ["keeper", "reviewer", "security-head", "supervisor"])
def test_a_problem_is_reported_by_holder_security_and_supervision(loan: LoanDesk, by: str) -> None:
    loan.report(by)
    told = [notice.done_at for notice in loan.desk.all(Notice, person_id="keeper") if notice.code == "copy-frozen"]
    assert told == ([] if by == "keeper" else [None])


@pytest.mark.requirement("R43", "R44")
def test_a_custodian_who_has_not_reported_hears_that_the_copies_open_again(loan: LoanDesk) -> None:
    for by, told in (("reviewer", 1), ("keeper", 1)):
        loan.respond(loan.report(by), "unfounded", "reviewer2")
        assert len(loan.desk.all(Notice, person_id="keeper", code="copy-unfrozen")) == told


@pytest.mark.requirement("R43")
def test_the_head_reports_where_the_custodian_has_left(loan: LoanDesk) -> None:
    assert refused(loan, "head") == "not-yours"
    loan.desk.run(leaving.leave, "keeper", by="admin")
    loan.report("head")
    assert sorted(causes(loan)) == ["custodian-left", "problem"]


@pytest.mark.requirement("R43")
def test_the_head_reports_where_the_account_of_the_custodian_was_ended(loan: LoanDesk) -> None:
    loan.desk.run(lambda uow: setattr(uow.session.get_one(Person, "keeper"), "active", False))
    loan.report("head")
    assert causes(loan) == ["problem"]


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"copyId": "somebody-elses"}, "not-now"),
        ({"position": "in the middle"}, "missing"),
        ({"problem": "boring"}, "missing"),
        ({"reason": " "}, "missing"),
    ],
)
def test_what_is_reported_wrongly_is_refused(loan: LoanDesk, asked: dict[str, Any], code: str) -> None:
    assert refused(loan, "keeper", **asked) == code
    assert not loan.desk.all(Matter)


@pytest.mark.requirement("R43", "R44")
@pytest.mark.parametrize("answer", ["unfounded", "explained"])
async def test_a_lifted_freeze_gives_its_days_back_and_arms_all_timers(loan: LoanDesk, answer: str) -> None:
    before = loan.loan.due_at
    assert before is not None
    matter_id = loan.report()
    loan.desk.clock.turn(timedelta(days=3))
    loan.decide(matter_id, "problem", "reviewer", answer)
    assert access(loan) == "copy-frozen"

    await job(loan, "lift-freeze", matter_id)
    await job(loan, "lift-freeze", matter_id)

    matter, due_at = loan.matter(matter_id), loan.loan.due_at
    assert (access(loan), due_at) == ("opens", before + timedelta(days=3))
    assert len(loan.messages(USE_PERIOD_CHANGED)) == 1
    assert (matter.closed_as, matter.outcome and matter.outcome["answer"]) == ("answered", answer)
    document = loan.desk.the(Document, number=matter.number)
    assert (document.kind, matter.number[:2]) == ("problem", "WT")
    assert "冻结至" in document.content
    assert [one.code for one in loan.desk.all(Notice, person_id="keeper", subject_id=matter_id)] == ["matter-answered"]
    assert not loan.desk.all(Violation)
    give_back(loan)


@pytest.mark.requirement("R44", "R50")
def test_frozen_days_never_exceed_the_longest_use_period_and_the_timers_are_armed_all_the_same(loan: LoanDesk) -> None:
    matter_id = loan.report()
    loan.desk.clock.turn(timedelta(days=40))
    loan.respond(matter_id, "explained")
    held = loan.loan
    assert held.due_at is not None
    assert held.due_at <= loan.desk.run(agreed_limits.latest_due, held)
    assert len(loan.messages(USE_PERIOD_CHANGED)) == 1


@pytest.mark.requirement("R43", "R44")
async def test_copies_that_are_recalled_end_the_loan_and_what_else_is_asked_of_it(loan: LoanDesk) -> None:
    other = loan.ask("extension", "head", dueAt=loan.later(3))
    matter_id = loan.report()
    loan.decide(matter_id, "problem", "reviewer", "recall")

    await job(loan, "recall-copy", matter_id)
    await job(loan, "recall-copy", matter_id)

    held = loan.loan
    assert (loan.matter(matter_id).closed_as, loan.matter(other).closed_as) == ("answered", "moot")
    assert [message.correlation_key for message in loan.messages(MATTER_MOOT)] == [other]
    [returned] = loan.desk.all(Return, hand_over_id=held.id)
    assert (returned.attestation["recalled"], len(loan.messages(COPY_RETURNED))) == (loan.matter(matter_id).number, 1)
    assert loan.desk.run(returns.record_inspection, loan.application_id, held.id, {}) == 1
    assert access(loan) == "copy-returned"
    assert causes(loan) == []
    for person in ("keeper", "drafter"):
        assert loan.desk.all(Notice, person_id=person, code="problem-recall", subject_id=matter_id)
    assert [one.code for one in loan.desk.all(Notice, person_id="keeper", code="matter-moot")] == []
    assert not loan.desk.all(Violation)


@pytest.mark.requirement("R43", "R44")
async def test_copies_that_are_replaced_begin_another_issue_of_the_same_application(loan: LoanDesk) -> None:
    other = loan.ask("extension", "head", dueAt=loan.later(3))
    matter_id = loan.report()
    loan.decide(matter_id, "problem", "reviewer", "replace")

    await job(loan, "recall-copy", matter_id)
    await job(loan, "recall-copy", matter_id)

    held, matter = loan.loan, loan.matter(matter_id)
    assert (matter.closed_as, loan.matter(other).closed_as) == ("answered", "moot")
    assert held.replaced_at == held.ended_at is not None
    assert [message.variables for message in loan.messages(LOAN_CLOSED)] == [{"loanOutcome": "replace"}]
    assert (loan.messages(COPY_RETURNED), loan.desk.all(Return), causes(loan)) == ([], [], [])
    assert access(loan) == "copy-replaced"
    application = loan.desk.the(Application, id=loan.application_id)
    [new] = loan.desk.all(Item, application_id=loan.application_id, dropped_in_round=None)
    assert (application.issue, new.replaces_id, new.form_item_id) == (2, loan.ids["item_id"], loan.ids["item_id"])
    assert loan.desk.the(Master, item_id=loan.ids["item_id"]).superseded_at is not None
    with pytest.raises(NotPermitted, match="no operator has released it"):
        loan.desk.run(records.get_order, loan.application_id, loan.ids["item_id"])
    with pytest.raises(NotPermitted, match="no operator has released it"):
        loan.desk.run(hand_overs.offer, loan.application_id)
    for person in ("keeper", "drafter"):
        [told] = loan.desk.all(Notice, person_id=person, code="problem-replace", subject_id=matter_id)
        assert told.done_at is None
    loan.desk.clock.turn(timedelta(days=60))
    assert loan.desk.run(violations.open_overdue, loan.application_id, held.id) is None  # sent by hand
    assert not loan.desk.all(Violation)


def replacing(loan: LoanDesk, *replacements: GivenReplacement) -> str:
    matter_id = loan.report()
    loan.decide(matter_id, "problem", "reviewer", "replace", judgement=Judgement(replacements=replacements))
    loan.desk.run(problems.answer, matter_id, "do what follows", ("replace",))
    return matter_id


@pytest.mark.requirement("R36", "R44")
async def test_the_keys_of_replaced_copies_are_destroyed_while_their_case_goes_on(
    loan: LoanDesk, tmp_path: Path
) -> None:
    keys, no_store = LoanKeys(tmp_path), cast("Any", None)
    keys.create(loan.ids["copy_id"])
    discarder = Discarder(loan.desk.database, no_store, keys)
    await discarder.run()
    assert keys.unwrapper(loan.ids["copy_id"])
    replacing(loan)

    await discarder.run()
    await discarder.run()

    with pytest.raises(KeyGone):
        keys.unwrapper(loan.ids["copy_id"])
    assert loan.desk.the(Copy, id=loan.ids["copy_id"]).key_destroyed_at is not None
    assert loan.desk.the(Application, id=loan.application_id).closed_at is None
    assert len(loan.desk.all(AuditEvent, action="loan-key-destroyed")) == 1


@pytest.mark.requirement("R39", "R44")
@pytest.mark.parametrize("offered", [False, True])
def test_downloads_of_replaced_copies_are_inspected_where_nobody_takes_the_new_ones_up(
    loan: LoanDesk, offered: bool
) -> None:
    """They stay findings, and a violation can be recorded about the loan that was replaced."""
    by_mail(loan)
    replacing(loan)
    found = {"violationKind": "finding", "reason": "下载文件去向不明。"}
    if offered:  # it has taken the downloads over

        def offer(uow: UnitOfWork) -> None:
            first = uow.session.get_one(HandOver, loan.ids["hand_over_id"])
            second = HandOver(application_id=first.application_id, issue=2, custodian_id=first.custodian_id)
            second.offered_at, second.take_up_until, second.use_days = uow.now, uow.now, 3
            uow.session.add(second)
            uow.session.flush()
            hand_overs._taken_over(uow, first, second)

        loan.desk.run(offer)

    with pytest.raises(Refused) as caught:
        loan.ask("violation", "keeper", **found)
    assert caught.value.code == "not-yours"
    matter_id = loan.ask("violation", "security-head", **found)
    [violation] = loan.desk.all(Violation)
    assert (violation.hand_over_id, violation.accused) == (loan.ids["hand_over_id"], ["keeper"])
    close_violation(loan, violation, "cleared")
    assert loan.matter(matter_id).application_id == loan.application_id

    if offered:
        [second] = loan.desk.all(HandOver, issue=2)
        loan.desk.run(hand_overs.expire_offer, loan.application_id, second.id)
    else:
        loan.desk.run(application_service.withdraw, loan.application_id, "不再需要", by="drafter")
    for _ in range(2):
        loan.desk.run(closing.release_case, loan.application_id, "not-taken-up" if offered else "withdrawn")

    [inspection] = loan.desk.all(Inspection)
    unaccounted = [{"code": "download-not-attested", "download": loan.ids["download_id"]}]
    assert (inspection.hand_over_id, inspection.findings) == (loan.ids["hand_over_id"], unaccounted)
    assert loan.desk.all(CustodyEntry, hand_over_id=loan.ids["hand_over_id"], event="inspected")
    assert loan.desk.all(Notice, person_id="keeper", code="downloads-unaccounted")
    assert not loan.desk.all(Notice, person_id="keeper", code="replaced-unaccounted")
    told = [*loan.desk.all(Notice, code="replaced-unaccounted"), *loan.desk.all(Notice, code="downloads-unaccounted")]
    assert {"reviewer", "security-head", "keeper"} <= {notice.person_id for notice in told}
    # the case is over, and what it asks for is not
    assert all(notice.done_at is None for notice in told)
    mailed = iter(lambda: loan.desk.run(dispatch.claim_next, MAIL), None)
    assert {"replaced-unaccounted", "downloads-unaccounted"} <= {parcel.code for parcel in mailed}
    order = loan.desk.the(WorkOrder, kind="download-account")
    assert (order.subject_id, order.doer_id) == (loan.ids["hand_over_id"], "keeper")
    assert [one["id"] for one in order.facts["facts"]["downloads"]] == [loan.ids["download_id"]]

    confirm_account(loan, order)
    told = [*loan.desk.all(Notice, code="replaced-unaccounted"), *loan.desk.all(Notice, code="downloads-unaccounted")]
    assert {notice.done_at for notice in told} == {loan.desk.clock.now()}


@pytest.mark.requirement("R44")
def test_what_replaces_a_copy_may_be_narrower_than_what_was_approved(loan: LoanDesk) -> None:
    item = loan.desk.the(Item, id=loan.ids["item_id"])
    later = item.asked_start + timedelta(minutes=5)
    replacing(loan, GivenReplacement(item.id, start=later))
    [new] = loan.desk.all(Item, dropped_in_round=None, application_id=loan.application_id)
    assert (new.granted_start, new.granted_end, new.asked_start) == (later, item.asked_end, item.asked_start)


@pytest.mark.requirement("R4", "R29", refuses=True)
@pytest.mark.requirement("R44", refuses=True)
def test_what_replaces_a_copy_stays_within_the_filed_form(loan: LoanDesk) -> None:
    item = loan.desk.the(Item, id=loan.ids["item_id"])
    wrong = [
        GivenReplacement(item.id, camera_id="camera2"),
        GivenReplacement(item.id, end=item.asked_end + timedelta(seconds=1)),
        GivenReplacement(item.id, start=item.asked_end),
        GivenReplacement("somebody-elses"),
    ]
    matter_id = loan.report()
    review_id = loan.open(matter_id, "problem")
    for one in (*((each,) for each in wrong), (GivenReplacement(item.id), GivenReplacement(item.id))):
        given = {"judgement": Judgement(replacements=one)}
        with pytest.raises(Refused) as caught:
            loan.answer(review_id, matter_id, "problem", "reviewer", "replace", **given)
        assert caught.value.code == "replacement"
    with pytest.raises(Refused):
        loan.answer(
            review_id,
            matter_id,
            "problem",
            "reviewer",
            "explained",
            judgement=Judgement(replacements=(GivenReplacement(item.id),)),
        )
    # nor does the job take a decision that says more than the form: whoever wrote it into the database
    loan.answer(review_id, matter_id, "problem", "reviewer", "replace")

    def forge(uow: UnitOfWork) -> None:
        decision = uow.session.query(Decision).filter_by(review_id=review_id).one()
        [line] = decision.judgement["replacements"]
        decision.judgement = {"replacements": [{**line, "camera": "camera2"}]}

    loan.desk.run(forge)
    with pytest.raises(NotPermitted, match="is not in the filed form"):
        loan.desk.run(problems.answer, matter_id, "do what follows", ("replace",))
    assert loan.desk.the(Application, id=loan.application_id).issue == 1


def replace_as_told(loan: LoanDesk, matter_id: str) -> str | None:
    """Answer with a replacement; why it becomes a recall, as whoever answers was told before."""
    review_id = loan.open(matter_id, "problem")
    told = loan.desk.run(inbox.get_review, review_id, by="reviewer").replacements
    loan.answer(review_id, matter_id, "problem", "reviewer", "replace")
    loan.desk.run(problems.answer, matter_id, "do what follows", ("replace",))
    return cast("str | None", told.recalled_because)


@pytest.mark.requirement("R44", "R50")
@pytest.mark.parametrize("why", ["used-up", "earlier-model"])
def test_copies_that_cannot_be_replaced_under_this_application_are_recalled(loan: LoanDesk, why: str) -> None:
    if why == "earlier-model":

        def runs_on_an_earlier_model(uow: UnitOfWork) -> None:
            digests = deployed_models.keep_files(uow, {"video-retrieval.bpmn": b'<bpmn:message name="copy-lost" />'})
            uow.session.get_one(Application, loan.application_id).model_sha256 = digests["video-retrieval.bpmn"]

        loan.desk.run(runs_on_an_earlier_model)
    matter_id = loan.report()
    loan.desk.clock.turn(timedelta(days=30 if why == "used-up" else 1))
    assert replace_as_told(loan, matter_id) == why

    assert loan.loan.returned_at is not None
    assert loan.loan.replaced_at is None
    assert (len(loan.messages(COPY_RETURNED)), loan.messages(LOAN_CLOSED)) == (1, [])
    assert loan.desk.all(Notice, person_id="keeper", code="problem-recall", subject_id=matter_id)
    assert loan.desk.the(Application, id=loan.application_id).issue == 1


@pytest.mark.requirement("R44", "R48")
@pytest.mark.requirement("R65")
@pytest.mark.parametrize(("reported", "kind"), [("other", "breach"), ("leaked", "leak")])
async def test_a_breach_takes_the_freeze_over(loan: LoanDesk, reported: str, kind: str) -> None:
    frozen_at = loan.desk.clock.now()
    before = loan.loan.due_at
    matter_id = loan.report("reviewer", reported)
    loan.desk.clock.turn(timedelta(days=2))
    loan.decide(matter_id, "problem", "reviewer2", "breach")

    first, second = await job(loan, "open-violation", matter_id), await job(loan, "open-violation", matter_id)

    [violation] = loan.desk.all(Violation)
    assert first.violation_id == second.violation_id == violation.id
    assert (violation.kind, violation.problem_id, violation.accused) == (kind, matter_id, ["keeper"])
    assert (causes(loan), access(loan), loan.loan.due_at) == (["violation"], "violation-open", before)

    close_violation(loan, violation, "cleared")
    held = loan.loan
    assert held.due_at is not None
    assert before is not None
    assert held.due_at - before == loan.desk.clock.now() - frozen_at
    give_back(loan)


def longest(loan: LoanDesk) -> None:
    """The loan was given its longest use period, and a day of it is left."""

    def extend(uow: UnitOfWork) -> datetime:
        hand_over = uow.session.get_one(HandOver, loan.ids["hand_over_id"])
        due_at = agreed_limits.latest_due(uow, hand_over)
        use_period.change_due_date(uow, hand_over, due_at, because="extension")
        return due_at

    loan.desk.clock.turn(loan.desk.run(extend) - loan.desk.clock.now() - timedelta(days=1))


@pytest.mark.requirement("R44", "R51", refuses=True)
def test_who_could_not_return_for_a_report_has_a_whole_grace_when_it_is_answered(loan: LoanDesk) -> None:
    """The longest use period was over meanwhile, and the grace with it."""
    longest(loan)
    matter_id = loan.report()
    loan.desk.clock.turn(timedelta(days=6))
    with pytest.raises(Refused, match="are frozen"):
        give_back(loan)
    loan.respond(matter_id, "explained")

    overdue = (violations.open_overdue, loan.application_id, loan.ids["hand_over_id"])
    grace = loan.desk.rules.grace_period
    for wait in (timedelta(), grace - timedelta(hours=1)):
        loan.desk.clock.turn(wait)
        with pytest.raises(NotPermitted, match="are not overdue"):
            loan.desk.run(*overdue)
    loan.desk.clock.turn(timedelta(hours=1))
    loan.desk.run(*overdue)
    assert [row.kind for row in loan.desk.all(Violation)] == ["overdue"]


@pytest.mark.requirement("R44", "R51", refuses=True)
async def test_copies_that_a_breach_has_set_free_become_overdue_after_a_further_grace(loan: LoanDesk) -> None:
    longest(loan)
    matter_id = loan.report()
    loan.desk.clock.turn(timedelta(days=6))
    overdue = (violations.open_overdue, loan.application_id, loan.ids["hand_over_id"])
    assert loan.desk.run(*overdue) is None  # the one timer of the grace
    loan.decide(matter_id, "problem", "reviewer", "breach")
    changes = len(loan.messages(USE_PERIOD_CHANGED))
    for _ in range(2):
        await job(loan, "open-violation", matter_id)
    assert len(loan.messages(USE_PERIOD_CHANGED)) == changes + 1, "the timers are armed again"

    [breach] = loan.desk.all(Violation)
    close_violation(loan, breach, "upheld")
    grace = loan.desk.rules.grace_period
    loan.desk.clock.turn(grace - timedelta(hours=1))
    with pytest.raises(NotPermitted, match="are not overdue"):
        loan.desk.run(*overdue)
    loan.desk.clock.turn(timedelta(hours=1))
    for _ in range(2):
        loan.desk.run(*overdue)
    assert sorted(row.kind for row in loan.desk.all(Violation)) == ["breach", "overdue"]
    give_back(loan)


@pytest.mark.requirement("R42", "R65")
@pytest.mark.requirement("R44", refuses=True)
@pytest.mark.parametrize("closed_by", ["violation", "upheld", "recall"])
def test_a_replacement_opens_nothing_that_a_violation_or_a_recall_has_closed(loan: LoanDesk, closed_by: str) -> None:
    if closed_by == "recall":
        loan.ask("recall", "supervisor", ground="misuse")  # nobody has signed it yet
    else:
        loan.ask("violation", "security-head", violationKind="finding")
        if closed_by == "upheld":
            close_violation(loan, loan.desk.the(Violation), "upheld")
    matter_id = loan.report(problem="unplayable")
    assert replace_as_told(loan, matter_id) == "loan-closed"

    assert loan.desk.the(Application, id=loan.application_id).issue == 1
    assert loan.loan.replaced_at is None
    assert len(loan.desk.all(Return, hand_over_id=loan.ids["hand_over_id"])) == 1
    assert (len(loan.messages(COPY_RETURNED)), loan.messages(LOAN_CLOSED)) == (1, [])
    view = loan.desk.run(queries.get, matter_id, by="reviewer")
    assert "the copies are recalled" in " ".join(line.en for line in view.results)


@pytest.mark.requirement("R44", "R65")
def test_copies_are_replaced_once_a_violation_is_cleared(loan: LoanDesk) -> None:
    loan.ask("violation", "security-head", violationKind="finding")
    close_violation(loan, loan.desk.the(Violation), "cleared")
    assert replace_as_told(loan, loan.report()) is None
    assert loan.desk.the(Application, id=loan.application_id).issue == 2


@pytest.mark.requirement("R44", "R65")
@pytest.mark.parametrize("answer", ["explained", "breach", "recall"])
def test_a_violation_that_is_recorded_meanwhile_takes_the_freeze_over(loan: LoanDesk, answer: str) -> None:
    frozen_at, before = loan.desk.clock.now(), loan.loan.due_at
    assert before is not None
    matter_id = loan.report()
    loan.desk.clock.turn(timedelta(days=2))
    loan.ask("violation", "security-head", violationKind="finding")

    [suspension] = loan.desk.run(suspensions.list_open, loan.loan)
    assert (suspension.cause, suspension.since, access(loan)) == ("violation", frozen_at, "violation-open")
    assert loan.matter(matter_id).closed_at is None
    loan.desk.run(problems.freeze, matter_id, loan.instance)  # sent again
    assert causes(loan) == ["violation"]
    assert len(loan.messages(USE_PERIOD_CHANGED)) == 1, "the timers are armed again"

    taken_over_at = loan.desk.clock.now()
    loan.desk.clock.turn(timedelta(days=1))
    loan.respond(matter_id, answer)
    assert loan.matter(matter_id).closed_as == "answered"
    outcome = loan.matter(matter_id).outcome
    assert outcome is not None
    assert outcome["frozenUntil"] == taken_over_at.isoformat()
    if answer == "recall":
        assert loan.loan.returned_at is not None
        return
    view = loan.desk.run(queries.get, matter_id, by="reviewer")
    assert ("has taken the freeze over" in " ".join(line.en for line in view.results)) == (answer == "explained")
    for violation in loan.desk.all(Violation):
        close_violation(loan, violation, "cleared")
    assert loan.loan.due_at == before + timedelta(days=3)
    give_back(loan)


@pytest.mark.requirement("R65")
def test_a_second_breach_of_a_loan_is_a_violation_of_its_own(loan: LoanDesk) -> None:
    for closed_as in ("upheld", "settled"):
        matter_id = loan.report()
        loan.respond(matter_id, "breach")
        [violation] = loan.desk.all(Violation, problem_id=matter_id)
        close_violation(loan, violation, closed_as)
    assert [row.kind for row in loan.desk.all(Violation)] == ["breach", "breach"]
    give_back(loan)


@pytest.mark.requirement("R43", "R65")
@pytest.mark.parametrize("reported", PROBLEMS)
async def test_a_wrong_camera_never_makes_a_violation(loan: LoanDesk, reported: str) -> None:
    """Nor does any other problem, unless Security itself has found a breach."""
    for answer in ("unfounded", "explained", "replace"):  # after the last one nobody holds a copy
        matter_id = loan.report(problem=reported)
        with pytest.raises(NotPermitted, match="Security has not answered it"):
            await job(loan, "open-violation", matter_id)
        loan.desk.clock.turn(timedelta(days=1))
        loan.decide(matter_id, "problem", "reviewer", answer)
        with pytest.raises(NotPermitted, match=f"Security has answered {answer}"):
            await job(loan, "open-violation", matter_id)
        await job(loan, JOB_OF[answer], matter_id)
        with pytest.raises(NotPermitted, match=f"it was answered {answer}"):
            await job(loan, "open-violation", matter_id)
    assert not loan.desk.all(Violation)


@pytest.mark.requirement("R44", "R51")
def test_the_clock_stands_while_a_report_is_open_and_the_lifted_freeze_arms_it_anew(loan: LoanDesk) -> None:
    loan.desk.clock.turn(timedelta(days=14))
    matter_id = loan.report()
    loan.desk.clock.turn(timedelta(days=10))
    overdue = (violations.open_overdue, loan.application_id, loan.ids["hand_over_id"])
    loan.desk.run(hand_overs.suspend, loan.application_id, loan.ids["hand_over_id"])
    assert loan.desk.run(*overdue) is None

    loan.respond(matter_id, "explained")
    held = loan.loan
    assert held.due_at is not None
    assert held.due_at > loan.desk.clock.now()
    with pytest.raises(NotPermitted, match="are not overdue"):
        loan.desk.run(*overdue)
    grace = loan.desk.run(agreed_limits.get_grace_period, held)
    loan.desk.clock.turn(held.due_at + grace - loan.desk.clock.now())
    assert loan.desk.run(*overdue) is not None


@pytest.mark.requirement("R43")
@pytest.mark.requirement("R44", refuses=True)
def test_whoever_reported_does_not_answer(loan: LoanDesk) -> None:
    matter_id = loan.report("reviewer")
    review_id = loan.open(matter_id, "problem")
    for person, code in (("reviewer", "was-opener"), ("keeper", "not-yours")):
        with pytest.raises(Refused) as caught:
            loan.answer(review_id, matter_id, "problem", person, "unfounded")
        assert caught.value.code in (code, "was-custodian")
    assert loan.desk.candidates(review_id) == ["reviewer2"]


@pytest.mark.requirement("R43")
def test_where_the_only_reviewer_has_reported_the_next_one_answers(loan: LoanDesk) -> None:
    loan.desk.run(lambda uow: uow.session.delete(uow.session.query(Post).filter_by(person_id="reviewer2").one()))
    matter_id = loan.report("reviewer")
    review_id = loan.open(matter_id, "problem")
    assert loan.desk.candidates(review_id) == ["security-deputy"]
    loan.answer(review_id, matter_id, "problem", "security-deputy", "explained")


@pytest.mark.requirement("R44", refuses=True)
async def test_an_answer_over_other_facts_is_refused(loan: LoanDesk) -> None:
    matter_id = loan.report()
    with pytest.raises(Refused) as caught:
        loan.decide(matter_id, "problem", "reviewer", "unfounded", proof=Proof("0" * 64, PASSWORD))
    assert caught.value.code == "form-changed"

    [review] = loan.desk.all(Review, matter_id=matter_id)
    loan.answer(review.id, matter_id, "problem", "reviewer", "unfounded")
    matter = loan.matter(matter_id)
    asked = {**matter.facts, "asked": {**matter.facts["asked"], "problem": "leaked"}}
    loan.desk.run(lambda uow: setattr(uow.session.get_one(Matter, matter_id), "facts", asked))
    with pytest.raises(NotPermitted, match="not those that were signed"):
        await job(loan, "lift-freeze", matter_id)
    # the hash follows the facts, and the answer is bound to the former ones
    forged = service.hash_of(asked)
    loan.desk.run(lambda uow: setattr(uow.session.get_one(Matter, matter_id), "facts_sha256", forged))
    with pytest.raises(NotPermitted, match="bound to other facts"):
        await job(loan, "lift-freeze", matter_id)
    assert access(loan) == "copy-frozen"


@pytest.mark.requirement("R44", refuses=True)
async def test_jobs_sent_by_hand_do_nothing_that_security_has_not_answered(loan: LoanDesk) -> None:
    matter_id = loan.report()
    for job_type in JOBS:
        with pytest.raises(NotPermitted, match="Security has not answered it"):
            await job(loan, job_type, matter_id)
    loan.decide(matter_id, "problem", "reviewer", "explained")
    for job_type in JOBS[1:]:
        with pytest.raises(NotPermitted, match="Security has answered explained"):
            await job(loan, job_type, matter_id)
    for act in (loan.check, loan.apply, lambda one: loan.close(one, "refused")):
        with pytest.raises(NotPermitted, match=r"a process of its own|answered, and never refused"):
            act(matter_id)
    with pytest.raises(NotPermitted, match="it is answered already"):
        loan.open(matter_id, "problem")
    with pytest.raises(NotPermitted):
        loan.close(matter_id, "moot")
    assert (access(loan), loan.matter(matter_id).closed_at) == ("copy-frozen", None)

    extension = loan.ask("extension", dueAt=loan.later(2))
    for job_type in JOBS:
        with pytest.raises(NotPermitted, match="it is no problem report but extension"):
            await job(loan, job_type, extension)
    with pytest.raises(NotPermitted, match="it is no problem report"):
        await freeze_loan.handle(freeze_loan.Command(extension, 1), loan.desk.database)
    with pytest.raises(NotPermitted, match="another process instance"):
        await freeze_loan.handle(freeze_loan.Command(matter_id, loan.instance + 1), loan.desk.database)
    with pytest.raises(NotPermitted, match="does not have this matter"):
        await freeze_loan.handle(freeze_loan.Command("nothing", 1), loan.desk.database)


@pytest.mark.requirement("R44", "R48")
async def test_a_loan_that_ends_ends_its_report(loan: LoanDesk) -> None:
    matter_id = loan.report()
    review_id = loan.open(matter_id, "problem")
    loan.desk.run(hand_overs.report_loss, loan.ids["hand_over_id"], kind="lost", what_happened="丢失", by="keeper")

    assert loan.matter(matter_id).closed_as == "moot"
    with pytest.raises(Refused) as caught:
        loan.answer(review_id, matter_id, "problem", "reviewer", "explained")
    assert caught.value.code == "review-closed"
    for job_type in JOBS:
        await job(loan, job_type, matter_id)
    await freeze_loan.handle(freeze_loan.Command(matter_id, loan.instance), loan.desk.database)
    loan.close(matter_id, "moot")
    assert (len(loan.messages(USE_PERIOD_CHANGED)), loan.desk.all(Violation), loan.desk.all(Return)) == (0, [], [])
    assert refused(loan, "keeper") == "not-now"


@pytest.mark.requirement("R44")
async def test_an_answered_report_is_not_frozen_again(loan: LoanDesk) -> None:
    matter_id = loan.report()
    loan.respond(matter_id, "explained")
    await freeze_loan.handle(freeze_loan.Command(matter_id, loan.instance), loan.desk.database)
    assert access(loan) == "opens"
    loan.report()  # another problem is another report


@pytest.mark.requirement("R44")
def test_the_recall_of_frozen_copies_ends_their_report(loan: LoanDesk) -> None:
    matter_id = loan.report()
    recall = loan.ask("recall", "supervisor", ground="leak")
    loan.agreed(recall, ("recall", "security-head"))
    assert loan.apply(recall)
    assert (loan.matter(matter_id).closed_as, loan.matter(recall).closed_as) == ("moot", "applied")
    assert [message.correlation_key for message in loan.messages(MATTER_MOOT)] == [matter_id]
    codes = [notice.code for notice in loan.desk.all(Notice, person_id="supervisor", subject_id=recall)]
    assert codes == ["matter-applied"]


@pytest.mark.requirement("R48")
@pytest.mark.parametrize(("kind", "ends"), [("damaged", False), ("leaked", False), ("lost", True)])
async def test_only_a_loss_ends_the_loan_at_once(loan: LoanDesk, kind: str, *, ends: bool) -> None:
    async with Portal(loan.desk) as portal:
        keeper = await portal.signed_in("keeper")
        path = f"/api/hand-overs/{loan.ids['hand_over_id']}/report-loss"
        answer = await keeper.post(path, json={"kind": kind, "whatHappened": "硬盘摔坏"})
        assert answer.status_code == 200, answer.text
        assert answer.json()["state"] == ("copy-lost" if ends else "frozen")
        again = await keeper.post(path, json={"kind": kind, "whatHappened": "硬盘摔坏"})
        assert again.status_code == 200 if ends else problem(again)[:2] == (409, "asked-already")
        stranger = await portal.signed_in("head")
        assert problem(await stranger.post(path, json={"kind": kind, "whatHappened": "x"}))[0] == 404
    assert (loan.loan.lost_at is not None) == ends
    assert [row.facts["asked"]["problem"] for row in loan.desk.all(Matter)] == ([] if ends else [kind])


@pytest.mark.requirement("R48")
def test_damage_and_leaks_end_no_loan_behind_the_report(loan: LoanDesk) -> None:
    for kind in ("damaged", "leaked", "eaten"):
        with pytest.raises(Refused) as caught:
            loan.desk.run(
                hand_overs.report_loss, loan.ids["hand_over_id"], kind=kind, what_happened="泄露", by="keeper"
            )
        assert caught.value.code == "loss-kind"
    assert loan.loan.lost_at is None


@pytest.mark.requirement("R15", "R43")
def test_damage_that_a_check_finds_in_copies_on_loan_is_reported_by_the_system(loan: LoanDesk) -> None:
    def check(uow: UnitOfWork, *kinds: str) -> IntegrityCheck:
        row, _ = integrity.start(uow, loan.application_id)
        uow.session.flush()
        lines = [{"kind": one, "id": loan.ids["copy_id"], "of": "1", "faults": ["bytes"]} for one in kinds]
        return integrity.finish(uow, row.id, lines, report=damages.report_checked)

    loan.desk.run(check, "document", by="reviewer")
    assert not loan.desk.all(Matter)
    loan.desk.run(check, "copy", by="reviewer")
    loan.desk.run(check, "copy", by="reviewer")

    matter = loan.desk.the(Matter)
    assert (matter.kind, matter.opened_by, matter.facts["asked"]["copyId"]) == ("problem", None, loan.ids["copy_id"])
    assert causes(loan) == ["problem"]
    loan.desk.run(problems.freeze, matter.id, loan.instance)
    loan.respond(matter.id, "recall", by="reviewer")  # who asked for the check has reported nothing
    assert "系统" not in loan.desk.the(Document, number=matter.number).content
    assert loan.desk.the(Decision, matter_id=matter.id).decided_by == "reviewer"

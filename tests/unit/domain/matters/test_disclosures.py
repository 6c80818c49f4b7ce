"""Footage for people outside: nothing without the signed decisions, nothing to anybody but the people named."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from behalf_case import DRAFTER
from lent_case import attached, lend
from loan_matter import REASON
from prepared_desk import prepared_desk
from provided_case import DECIDERS, ProvidingDesk, lent_to_security, with_medium
from review_desk import ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.copies import Download
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.disclosures import Disclosure, DisclosureDownload
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.outsiders import Outsider
from services.database.tables.work_orders import WorkOrder
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import document_layouts
from services.domain.change_requests import holds
from services.domain.custody import closing, suspensions, violations
from services.domain.disclosures import queries, service
from services.domain.matters import service as matters
from services.domain.process.messages import LOAN_CLOSED
from services.runtime.errors import NotFound, NotPermitted, Refused


@pytest.fixture
def loan(any_database_url: str) -> Iterator[ProvidingDesk]:
    desk, ids = prepared_desk(any_database_url, lent_to_security)
    yield ProvidingDesk(desk, ids)
    desk.close()


def fetched(loan: ProvidingDesk, matter_id: str, by: str = "reviewer2") -> str:
    """Fetch the one file whole, as Security does before it is handed out; the id of the download."""
    act = service.list_download
    download_id = loan.desk.run(act, matter_id, loan.ids["copy_id"], address="x", by=by).id
    loan.desk.run(service.start_download, download_id, by=by)
    loan.desk.run(service.continue_download, download_id, last=True, by=by)
    return download_id


def receive(loan: ProvidingDesk, matter_id: str, by: str = "reviewer2", **changes: Any) -> Disclosure:
    named = {"outsider_ids": loan.officers, "attachment_id": None, "note": "", **changes}
    return loan.desk.run(service.record_receipt, matter_id, by=by, **named)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        act()
    assert caught.value.zh
    assert caught.value.en
    return caught.value.code


@pytest.mark.requirement("R57", "R58", refuses=True)
@pytest.mark.parametrize("lacking", [stage for stage, _ in DECIDERS])
def test_nothing_is_provided_without_each_signed_decision(loan: ProvidingDesk, lacking: str) -> None:
    matter_id = loan.asked()
    loan.agreed(matter_id, *(pair for pair in DECIDERS if pair[0] != lacking))
    with pytest.raises(NotPermitted, match=f"the stage {lacking} has not decided it"):
        loan.apply(matter_id)
    assert not loan.desk.all(Disclosure)
    with pytest.raises(NotFound):
        loan.desk.run(service.list_download, matter_id, loan.ids["copy_id"], address="x", by="reviewer2")


@pytest.mark.requirement("R26", "R58", refuses=True)
def test_important_footage_is_provided_by_management_alone(loan: ProvidingDesk) -> None:
    loan.desk.classed(loan.application_id, importance="important")
    matter_id = loan.asked()
    loan.agreed(matter_id, *DECIDERS)
    with pytest.raises(NotPermitted, match="the stage management has not decided it"):
        loan.apply(matter_id)
    loan.decide(matter_id, "management", "manager")
    assert loan.apply(matter_id)


@pytest.mark.requirement("R58", refuses=True)
def test_decisions_over_other_facts_provide_nothing(loan: ProvidingDesk) -> None:
    matter_id = loan.asked()
    loan.agreed(matter_id, *DECIDERS)

    def another_person(uow: UnitOfWork) -> None:
        row = uow.session.get_one(Matter, matter_id)
        people = row.facts["before"]["onBehalf"]
        row.facts = {**row.facts, "before": {**row.facts["before"], "onBehalf": {**people, "kind": "filmed-person"}}}

    loan.desk.run(another_person)
    with pytest.raises(NotPermitted, match="its facts are not those that were signed"):
        loan.apply(matter_id)
    assert not loan.desk.all(Disclosure)


@pytest.mark.requirement("R57", "R58", refuses=True)
def test_only_the_people_whom_the_application_names_are_asked_for(loan: ProvidingDesk) -> None:
    def outside(uow: UnitOfWork) -> str:
        row = Outsider(application_id=other, position=1, name="赵某", unit="某公司", added_by=DRAFTER, added_at=uow.now)
        row.card_kind, row.card_tail, row.card_sealed, row.contact = "passport", "4321", "", "x"
        uow.session.add(row)
        uow.session.flush()
        return row.id

    other = loan.desk.submitted(by=DRAFTER, custodian_id=DRAFTER)
    stranger = loan.desk.run(outside)
    for wrong in (
        {"outsiderIds": [*loan.officers, stranger]},
        {"outsiderIds": loan.officers[:1]},  # one officer of an authority
        {"opensWith": "medium"},  # in clear, and on no numbered medium
        {"opensWith": "medium", "seal": "0033"},
    ):
        assert code_of(lambda wrong=wrong: loan.asked(**wrong)) == "not-now"  # type: ignore[misc]
    for wrong in ({"outsiderIds": []}, {"notOriginalBecause": ""}, {"opensWith": "usb"}):
        assert code_of(lambda wrong=wrong: loan.asked(**wrong)) == "missing"  # type: ignore[misc]
    assert not loan.desk.all(Matter)


@pytest.mark.requirement("R58", refuses=True)
def test_what_was_asked_for_ourselves_is_not_provided_outside(any_database_url: str) -> None:
    desk = ReviewDesk(any_database_url)
    ids = lend(desk)
    named = {"reason": REASON, "outsiderIds": ["nobody"], "opensWith": "browser", "endsLoan": True}
    asked = {**named, "notOriginalBecause": "录像机仍在使用。"}
    for by in ("keeper", "reviewer2"):
        refused = code_of(
            lambda by=by: desk.run(matters.open_matter, "disclosure", ids["application_id"], asked, by=by)
        )  # type: ignore[misc]
        assert refused == "not-now"
    desk.close()


@pytest.mark.requirement("R57", "R58", refuses=True)
def test_who_asks_decides_nothing_and_others_do_not_ask(loan: ProvidingDesk) -> None:
    for stranger in ("operator2", "manager2", "admin", "drafter"):
        assert code_of(lambda by=stranger: loan.asked(by)) in ("not-yours", "not-found")  # type: ignore[misc]
    matter_id = loan.asked("reviewer2")
    loan.check(matter_id)
    assert code_of(lambda: loan.decide(matter_id, "security", "reviewer2")) in ("was-opener", "was-credentials")
    loan.decide(matter_id, "security", "reviewer", "rejected")
    with pytest.raises(NotPermitted):
        loan.apply(matter_id)


@pytest.mark.requirement("R58", refuses=True)
def test_legal_that_sees_others_in_the_picture_cannot_agree(loan: ProvidingDesk) -> None:
    matter_id = loan.asked()
    loan.agreed(matter_id, DECIDERS[0])
    answers = {"legal-basis": True, "no-redaction": False}
    assert code_of(lambda: loan.decide(matter_id, "legal", "counsel", answers=answers)) == "answer-contradicts"


@pytest.mark.requirement("R57", "R58", refuses=True)
def test_security_alone_fetches_what_was_signed_and_each_file_is_on_record(loan: ProvidingDesk) -> None:
    matter_id = loan.allowed()
    for by in (DRAFTER, "counsel", "operator", "admin"):
        assert code_of(lambda by=by: fetched(loan, matter_id, by)) in ("not-yours", "not-found")  # type: ignore[misc]
    with pytest.raises(NotFound):
        loan.desk.run(service.list_download, matter_id, "another-copy", address="x", by="reviewer2")
    download_id = fetched(loan, matter_id)
    with pytest.raises(NotFound):  # another person's
        loan.desk.run(service.start_download, download_id, by="reviewer")
    row = loan.desk.the(DisclosureDownload)
    assert (row.person_id, row.opens_with, row.reads) == ("reviewer2", "browser", 1)
    assert [entry.person_id for entry in loan.desk.all(CustodyEntry, event="prepared")] == ["reviewer2"]

    # frozen copies leave with nobody
    held = loan.ids["hand_over_id"]
    loan.desk.run(lambda uow: suspensions.open_once(uow, uow.session.get_one(HandOver, held), suspensions.PROBLEM).id)
    assert code_of(lambda: fetched(loan, matter_id)) == "suspended"


@pytest.mark.requirement("R57", "R58", refuses=True)
def test_the_receipt_is_of_the_people_named_and_after_the_files(loan: ProvidingDesk) -> None:
    matter_id = loan.allowed()
    assert code_of(lambda: receive(loan, matter_id)) == "not-fetched"
    fetched(loan, matter_id)
    for wrong in ({"outsider_ids": []}, {"outsider_ids": ["somebody"]}, {"outsider_ids": loan.officers[:1]}):
        assert code_of(lambda wrong=wrong: receive(loan, matter_id, **wrong)) == "missing"  # type: ignore[misc]
    letter = loan.desk.run(attached, loan.application_id, "letter", by="reviewer")
    assert code_of(lambda: receive(loan, matter_id, attachment_id=letter)) == "missing"
    assert code_of(lambda: receive(loan, matter_id, by=DRAFTER)) == "not-yours"
    assert loan.loan.ended_at is None

    loan.desk.run(holds.add, "reviewer2", "password-reset")
    assert code_of(lambda: receive(loan, matter_id)) == "signature-held"
    assert loan.loan.ended_at is None
    loan.desk.clock.turn(holds.DURATION)

    scan = loan.desk.run(attached, loan.application_id, "receipt", by="reviewer")
    received = receive(loan, matter_id, attachment_id=scan).received
    assert received is not None
    assert [person["name"] for person in received["people"]] == ["李警官", "周警官"]
    assert code_of(lambda: receive(loan, matter_id)) == "provided-already"
    assert code_of(lambda: fetched(loan, matter_id)) == "provided-already"


def past_the_due_date(loan: ProvidingDesk) -> None:
    loan.desk.clock.turn(timedelta(days=60))


def suspended(loan: ProvidingDesk) -> None:
    def act(uow: UnitOfWork) -> None:
        held = uow.session.get_one(HandOver, loan.ids["hand_over_id"])
        suspensions.open_once(uow, held, suspensions.VIOLATION)

    loan.desk.run(act)


def suspended_person(loan: ProvidingDesk) -> None:
    loan.desk.run(lambda uow: suspensions.open_for_person(uow, "reviewer2", suspensions.VIOLATION).id)


def recalled(loan: ProvidingDesk) -> None:
    matter_id = loan.ask("recall", "reviewer", ground="leak")
    loan.agreed(matter_id, ("recall", "security-head"))
    assert loan.apply(matter_id)


@pytest.mark.requirement("R58", refuses=True)
@pytest.mark.parametrize(
    ("meanwhile", "code", "ends"),
    [
        (past_the_due_date, "use-period-over", True),
        (suspended, "suspended", True),
        (suspended_person, "person-suspended", True),
        (recalled, "loan-ended", False),
    ],
)
def test_what_was_handed_out_is_recorded_and_nothing_more_is_handed_out(
    loan: ProvidingDesk, meanwhile: Callable[[ProvidingDesk], None], code: str, ends: bool
) -> None:
    matter_id = loan.allowed()
    fetched(loan, matter_id)
    meanwhile(loan)
    assert code_of(lambda: fetched(loan, matter_id)) == code
    view = loan.desk.run(queries.get, matter_id, by="reviewer2")
    assert (view.may_hand_out, view.may_record_receipt) == (False, True)

    assert receive(loan, matter_id).received_at is not None
    [entry] = loan.desk.all(CustodyEntry, event="provided")
    assert entry.detail["outsiders"] == ["李警官", "周警官"]
    assert [message.variables for message in loan.messages(LOAN_CLOSED)] == [{"loanOutcome": "provided"}] * ends
    assert (loan.loan.ended_at is not None) == ends
    if not ends:  # the process of the case is at the return, and stays there
        with pytest.raises(NotPermitted, match="nobody outside has signed"):
            loan.desk.run(closing.end_provided_loan, loan.application_id, loan.ids["hand_over_id"])
    assert code_of(lambda: receive(loan, matter_id)) == "provided-already"


@pytest.mark.requirement("R58", refuses=True)
@pytest.mark.parametrize("meanwhile", [past_the_due_date, recalled])
def test_no_receipt_is_recorded_of_what_nobody_has_fetched(
    loan: ProvidingDesk, meanwhile: Callable[[ProvidingDesk], None]
) -> None:
    matter_id = loan.allowed()
    meanwhile(loan)
    assert not loan.desk.run(queries.get, matter_id, by="reviewer2").may_record_receipt
    assert code_of(lambda: receive(loan, matter_id)) == "not-fetched"


@pytest.mark.requirement("R40", "R58", refuses=True)
def test_a_loan_ends_as_provided_by_the_receipt_alone(loan: ProvidingDesk) -> None:
    matter_id = loan.allowed()
    act, ids = closing.end_provided_loan, (loan.application_id, loan.ids["hand_over_id"])
    for step in (lambda: None, lambda: fetched(loan, matter_id)):
        step()
        with pytest.raises(NotPermitted, match="nobody outside has signed"):
            loan.desk.run(act, *ids)
    assert not loan.messages(LOAN_CLOSED)

    receive(loan, matter_id)
    assert [message.variables for message in loan.messages(LOAN_CLOSED)] == [{"loanOutcome": "provided"}]
    assert loan.loan.ended_at is not None
    assert not loan.messages("copy-returned")
    for kind in ("extension", "disclosure"):  # nothing more is asked about it
        assert code_of(lambda kind=kind: loan.ask(kind, DRAFTER, **loan.wish(dueAt=loan.later(1)))) in (  # type: ignore[misc]
            "not-now",
            "missing",
        )
    actions = loan.desk.run(act, *ids)
    assert actions.destroy_keys == (loan.ids["copy_id"],)
    loan.desk.run(act, *ids)
    asked = [order.facts["facts"]["downloads"] for order in loan.desk.all(WorkOrder, kind="download-account")]
    left = [row.id for row in loan.desk.all(Download)]
    assert [[one["id"] for one in downloads] for downloads in asked] == ([left] if left else [])
    assert loan.desk.the(Application, id=loan.application_id).closed_at is None  # the vault comes first


@pytest.mark.requirement("R47", "R58")
def test_where_copies_are_kept_the_people_outside_are_co_holders(loan: ProvidingDesk) -> None:
    with_medium(loan.desk, "JZ-007")
    matter_id = loan.allowed(endsLoan=False, opensWith="medium", medium="JZ-007", seal="0033")
    fetched(loan, matter_id)
    receive(loan, matter_id)
    assert not loan.messages(LOAN_CLOSED)
    assert loan.loan.ended_at is None
    [entry] = loan.desk.all(CustodyEntry, event="provided")
    assert (entry.detail["coHolder"], entry.detail["outsiders"]) == (True, ["李警官", "周警官"])
    with pytest.raises(NotPermitted, match="nobody outside has signed"):
        loan.desk.run(closing.end_provided_loan, loan.application_id, loan.ids["hand_over_id"])


@pytest.mark.requirement("R58")
def test_the_list_says_what_the_rules_of_evidence_ask_for(loan: ProvidingDesk) -> None:
    matter_id = loan.allowed()
    document = loan.desk.the(Document, number=loan.matter(matter_id).number)
    assert (document.kind, document.number[:2]) == ("disclosure", "TG")
    content = json.loads(document.content)
    [file] = content["list"]["files"]
    assert (file["sha256"], file["size"]) == ("a" * 64, 5000)
    page = document_layouts.render_page(document.kind, document.number, document.sha256, content)
    for said in ("录像提供清单", "不提供原始介质的原因", "原始介质须继续录像", "制作方法", "原件存放", "一式2份"):
        assert said in page
    for said in ("接收人签字（李警官，市公安局）", "持有人签字", "制作人签字", file["sha256"], "调取证据通知书"):
        assert said in page


@pytest.mark.requirement("R51")
def test_a_loan_that_was_provided_is_never_overdue(loan: ProvidingDesk) -> None:
    matter_id = loan.allowed()
    fetched(loan, matter_id)
    receive(loan, matter_id)
    loan.desk.clock.turn(timedelta(days=60))
    assert loan.desk.run(violations.open_overdue, loan.application_id, loan.ids["hand_over_id"]) is None


@pytest.mark.requirement("R51", "R65")
def test_a_loan_that_was_provided_after_the_grace_was_overdue_however_late_the_job_is(loan: ProvidingDesk) -> None:
    matter_id = loan.allowed()
    fetched(loan, matter_id)
    loan.desk.clock.turn(timedelta(days=60))
    receive(loan, matter_id)
    act, ids = closing.end_provided_loan, (loan.application_id, loan.ids["hand_over_id"])
    loan.desk.run(
        closing.confirm_loan_end, loan.application_id, loan.desk.run(act, *ids), closed_as="footage-provided", filed={}
    )
    assert loan.desk.the(Application, id=loan.application_id).closed_at is not None

    violation = loan.desk.run(violations.open_overdue, *ids)
    assert violation is not None
    assert (violation.kind, violation.due_at) == ("overdue", loan.loan.due_at)
    again = loan.desk.run(violations.open_overdue, *ids)
    assert again is not None
    assert again.id == violation.id

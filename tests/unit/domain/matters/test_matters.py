"""Matters: who may ask, who decides, and that nothing is done that the rows do not show as decided."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from loan_matter import LoanDesk, lent
from prepared_desk import prepared_desk
from review_desk import PASSWORD

from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application
from services.database.tables.consents import Consent, Consultation
from services.database.tables.copies import Grant
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.tables.returns import Return
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import attached
from services.domain.custody import grants, hand_overs, returns, use_period
from services.domain.custody.returns import AttestedFate
from services.domain.matters import tasks
from services.domain.matters.kinds import KINDS
from services.domain.process import outbox, permissions, relay
from services.domain.process.messages import MATTER_ASKED, MATTER_MOOT, REVIEW_DECIDED, USE_PERIOD_CHANGED
from services.domain.reviews.scopes import Granting
from services.domain.staffing import leaving
from services.runtime.errors import NotPermitted, Refused

NEW_KEEPER = "drafter"


@pytest.fixture
def loan(any_database_url: str) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(any_database_url, lent)
    yield LoanDesk(desk, ids)
    desk.close()


def refused(loan: LoanDesk, kind: str, by: str, **asked: Any) -> str:
    with pytest.raises(Refused) as caught:
        loan.ask(kind, by, **asked)
    assert caught.value.zh
    return caught.value.code


@pytest.mark.requirement("R49", "R50")
def test_an_extension_moves_the_due_date_once_security_has_agreed(loan: LoanDesk) -> None:
    wanted = loan.later(7)
    matter_id = loan.ask("extension", dueAt=wanted)
    assert [message.variables for message in loan.messages(MATTER_ASKED)] == [
        {"matterId": matter_id, "applicationId": loan.application_id}
    ]

    loan.agreed(matter_id, ("extension", "reviewer"))
    assert loan.apply(matter_id)

    matter, held = loan.matter(matter_id), loan.loan
    assert (matter.closed_as, held.due_at and held.due_at.isoformat()) == ("applied", wanted)
    assert {grant.until for grant in loan.desk.all(Grant) if grant.ended_at is None} == {held.due_at}
    assert loan.messages(USE_PERIOD_CHANGED)
    document = loan.desk.the(Document, number=matter.number)
    assert (document.kind, document.application_id, matter.number[:2]) == ("extension", loan.application_id, "YQ")
    assert [notice.code for notice in loan.desk.all(Notice, person_id="keeper", subject_id=matter_id)] == [
        "matter-applied"
    ]


@pytest.mark.requirement("R50")
def test_an_extension_of_important_footage_needs_management_too(loan: LoanDesk) -> None:
    loan.desk.classed(loan.application_id, importance="important")
    before = loan.loan.due_at
    matter_id = loan.ask("extension", dueAt=loan.later(3))
    loan.agreed(matter_id, ("extension", "reviewer"))

    with pytest.raises(NotPermitted, match="the stage management has not decided it"):
        loan.apply(matter_id)
    assert loan.loan.due_at == before

    loan.decide(matter_id, "management", "manager")
    assert loan.apply(matter_id)


@pytest.mark.requirement("R50")
def test_nothing_is_extended_beyond_the_longest_use_period(loan: LoanDesk) -> None:
    assert refused(loan, "extension", "keeper", dueAt=loan.later(400)) == "not-now"
    assert refused(loan, "extension", "keeper", dueAt=loan.later(-1)) == "not-now"


@pytest.mark.requirement("R50", refuses=True)
def test_an_overdue_loan_is_not_extended_into_the_past(loan: LoanDesk) -> None:
    wanted = loan.later(1)
    matter_id = loan.ask("extension", dueAt=wanted)
    loan.agreed(matter_id, ("extension", "reviewer"))
    before = loan.loan.due_at
    loan.desk.clock.turn(timedelta(days=17))  # of 15, and one more was asked for

    assert not loan.apply(matter_id)
    assert (loan.matter(matter_id).closed_as, loan.loan.due_at) == ("moot", before)
    assert refused(loan, "extension", "keeper", dueAt=wanted) == "not-now"


@pytest.mark.requirement("R46", "R50")
@pytest.mark.parametrize(
    ("kind", "by", "code"),
    [
        ("extension", "reviewer", "not-yours"),
        ("extension", "admin", "not-found"),
        ("purpose-change", "keeper", "not-yours"),
        ("custody-transfer", "reviewer", "not-yours"),
        ("nothing", "keeper", "not-found"),
    ],
)
def test_a_matter_is_not_asked_by_the_wrong_person(loan: LoanDesk, kind: str, by: str, code: str) -> None:
    asked = {"dueAt": loan.later(2)} if kind == "extension" else {}
    asked |= {"purpose": "另一用途", "wayOfUse": "view"} if kind == "purpose-change" else {}
    asked |= {"toPersonId": NEW_KEEPER} if kind == "custody-transfer" else {}
    assert refused(loan, kind, by, **asked) == code
    assert not loan.desk.all(Matter)


def test_the_same_is_not_asked_twice_at_once(loan: LoanDesk) -> None:
    loan.ask("extension", dueAt=loan.later(2))
    assert refused(loan, "extension", "head", dueAt=loan.later(3)) == "asked-already"


@pytest.mark.requirement("R50")
def test_whoever_asked_decides_nothing_in_it(loan: LoanDesk) -> None:
    matter_id = loan.ask("custody-transfer", "security-head", toPersonId=NEW_KEEPER)
    loan.check(matter_id)
    with pytest.raises(Refused) as caught:
        loan.decide(matter_id, "custody-receipt", "security-head")
    assert caught.value.code == "not-yours"


@pytest.mark.requirement("R43", "R50")
def test_a_decision_over_other_facts_is_refused(loan: LoanDesk) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(2))
    loan.check(matter_id)
    with pytest.raises(Refused) as caught:
        loan.decide(matter_id, "extension", "reviewer", proof=Proof("0" * 64, PASSWORD))
    assert caught.value.code == "form-changed"


@pytest.mark.requirement("R50")
def test_facts_that_were_changed_behind_the_decision_are_not_carried_out(loan: LoanDesk) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(2))
    loan.agreed(matter_id, ("extension", "reviewer"))

    before, later = loan.loan.due_at, loan.later(10)

    def forge(uow: UnitOfWork) -> None:
        matter = uow.session.get_one(Matter, matter_id)
        matter.facts = {**matter.facts, "asked": {**matter.facts["asked"], "dueAt": later}}

    loan.desk.run(forge)
    with pytest.raises(NotPermitted, match="not those that were signed"):
        loan.apply(matter_id)
    assert loan.loan.due_at == before


@pytest.mark.requirement("R43", "R46", "R50")
def test_p1_a_job_sent_by_hand_carries_out_nothing_that_nobody_has_decided(loan: LoanDesk) -> None:
    before = loan.loan.due_at
    matter_id = loan.ask("extension", dueAt=loan.later(2))
    loan.check(matter_id)
    with pytest.raises(NotPermitted, match="the stage extension has not decided it"):
        loan.apply(matter_id)
    loan.decide(matter_id, "extension", "reviewer", "rejected")
    with pytest.raises(NotPermitted, match="has decided against it"):
        loan.apply(matter_id)
    with pytest.raises(NotPermitted, match="has decided against it"):
        loan.open(matter_id, "extension")
    assert loan.loan.due_at == before

    loan.close(matter_id, "refused")
    loan.close(matter_id, "refused")
    assert loan.matter(matter_id).closed_as == "refused"
    with pytest.raises(NotPermitted, match="it was refused"):
        loan.apply(matter_id)


def test_a_matter_that_nobody_refused_is_not_closed_by_a_job(loan: LoanDesk) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(2))
    loan.check(matter_id)
    for closed_as in ("refused", "moot", "applied"):
        with pytest.raises(NotPermitted):
            loan.close(matter_id, closed_as)
    assert loan.matter(matter_id).closed_at is None


def test_what_is_done_is_done_once(loan: LoanDesk) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(2))
    loan.agreed(matter_id, ("extension", "reviewer"))
    assert loan.apply(matter_id)
    assert loan.apply(matter_id)
    assert len(loan.messages(USE_PERIOD_CHANGED)) == 1
    assert len(loan.desk.all(CustodyEntry, event="due-date-changed")) == 1


def test_a_stage_that_is_not_about_the_kind_is_not_asked(loan: LoanDesk) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(2))
    loan.check(matter_id)
    for stage in ("security", "recall", "storage-release", "no-such-stage"):
        with pytest.raises(NotPermitted, match="is not about extension"):
            loan.open(matter_id, stage)


def test_a_decision_about_a_matter_grants_nothing_of_the_application(loan: LoanDesk) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(2))
    loan.check(matter_id)
    with pytest.raises(Refused) as caught:
        loan.decide(matter_id, "extension", "reviewer", granting=Granting(use_period_days=300))
    assert caught.value.code == "not-the-application"


def test_decisions_about_a_matter_are_none_about_the_application(loan: LoanDesk) -> None:
    """Else a "no" to another purpose would end the case, and a "yes" approve a later round of it."""
    matter_id = loan.ask("purpose-change", "head", purpose="用于培训", wayOfUse="view")
    loan.check(matter_id)
    loan.decide(matter_id, "preliminary", "board-head")
    loan.decide(matter_id, "security", "reviewer", "rejected")

    state = loan.desk.run(permissions.read, loan.application_id)
    assert state.rejected_in("approval") is None
    assert state.decisions["security"].outcome == "approved"


@pytest.mark.requirement("R41", "R43")
def test_another_purpose_holds_for_the_loan_and_never_for_the_form(loan: LoanDesk) -> None:
    matter_id = loan.ask("purpose-change", "head", purpose="用于培训", wayOfUse="view")
    loan.agreed(
        matter_id, ("preliminary", "board-head"), ("security", "reviewer"), ("security-signature", "security-head")
    )
    opened = loan.desk.run(grants.check, loan.ids["copy_id"], "download", by="keeper")
    assert opened.purpose != "用于培训"

    assert loan.apply(matter_id)
    assert loan.desk.run(grants.check, loan.ids["copy_id"], "view", by="keeper").purpose == "用于培训"
    with pytest.raises(Refused):
        loan.desk.run(grants.check, loan.ids["copy_id"], "download", by="keeper")


@pytest.mark.requirement("R45", "R46", "R47")
def test_custody_goes_to_whoever_has_accepted_it(loan: LoanDesk) -> None:
    matter_id = loan.ask("custody-transfer", toPersonId=NEW_KEEPER, conditions="硬盘完好")
    loan.check(matter_id)
    with pytest.raises(Refused):
        loan.decide(matter_id, "custody-receipt", "keeper")
    [review] = loan.desk.all(Review, matter_id=matter_id)
    loan.answer(review.id, matter_id, "custody-receipt", NEW_KEEPER)
    assert loan.apply(matter_id)

    assert loan.loan.custodian_id == NEW_KEEPER
    loan.desk.run(grants.check, loan.ids["copy_id"], "view", by=NEW_KEEPER)
    with pytest.raises(Refused):
        loan.desk.run(grants.check, loan.ids["copy_id"], "view", by="keeper")
    received = loan.desk.all(CustodyEntry, event="received")
    assert [entry.person_id for entry in received] == ["keeper", NEW_KEEPER]
    assert received[1].detail["copies"] == received[0].detail["copies"]


@pytest.mark.requirement("R5", "R55", refuses=True)
def test_whoever_is_offered_custody_reads_no_identity_card_of_the_case(loan: LoanDesk) -> None:
    matter_id = loan.ask("custody-transfer", toPersonId=NEW_KEEPER, conditions="硬盘完好")
    loan.check(matter_id)
    loan.open(matter_id, "custody-receipt")

    def close_the_release(uow: UnitOfWork) -> None:
        for review in uow.session.query(Review).filter(Review.stage == "storage-release"):
            review.closed_at = uow.now

    loan.desk.run(close_the_release)

    read = loan.desk.run(attached.SUBJECT.read, loan.application_id, by=NEW_KEEPER)
    assert not read.identity_cards
    assert loan.desk.run(attached.SUBJECT.read, loan.application_id, by="reviewer").identity_cards


@pytest.mark.requirement("R46")
def test_custody_stays_where_the_new_custodian_declines(loan: LoanDesk) -> None:
    matter_id = loan.ask("custody-transfer", toPersonId=NEW_KEEPER)
    loan.check(matter_id)
    loan.decide(matter_id, "custody-receipt", NEW_KEEPER, "declined")
    loan.close(matter_id, "refused")
    assert (loan.loan.custodian_id, loan.matter(matter_id).closed_as) == ("keeper", "refused")


@pytest.mark.requirement("R2", "R46", "R59")
@pytest.mark.parametrize("person", ["admin", "reviewer", "deputy", "keeper"])
def test_custody_goes_to_nobody_who_may_not_hold_it(loan: LoanDesk, person: str) -> None:
    """An administrator, a decider of the case, a person concerned, and the custodian himself."""
    assert refused(loan, "custody-transfer", "head", toPersonId=person) == "not-now"


@pytest.mark.requirement("R46", "R57", refuses=True)
@pytest.mark.parametrize("by", ["keeper", "head"])
def test_only_the_head_of_security_transfers_custody_out_of_the_department(loan: LoanDesk, by: str) -> None:
    assert refused(loan, "custody-transfer", by, toPersonId="operator2") == "not-now"

    def offered(asker: str, search: str) -> set[str]:
        found = loan.desk.run(
            lambda uow: KINDS["custody-transfer"].find_people(uow, permissions.read(uow, loan.application_id), search),
            by=asker,
        )
        return {person.id for person, _ in found.people}

    assert [offered(by, search) for search in ("drafter", "operator2")] == [{"drafter"}, set()]
    assert [offered("security-head", search) for search in ("drafter", "operator2")] == [{"drafter"}, {"operator2"}]

    matter_id = loan.ask("custody-transfer", "security-head", toPersonId="operator2")
    loan.agreed(matter_id, ("custody-receipt", "operator2"))
    assert loan.apply(matter_id)
    assert loan.loan.custodian_id == "operator2"
    # who leads Security and holds the copies gives them to nobody elsewhere alone
    loan.desk.run(lambda uow: uow.session.query(HandOver).update({"custodian_id": "security-deputy"}))
    assert refused(loan, "custody-transfer", "security-deputy", toPersonId="operator2") == "not-now"


@pytest.mark.requirement("R17", "R46", "R57")
def test_custody_goes_to_a_department_that_has_consented_and_to_no_other(loan: LoanDesk) -> None:
    def joint(uow: UnitOfWork) -> None:
        """The form names two departments; the office has consented, the storage office has not answered."""
        application = uow.session.get_one(Application, loan.application_id)
        application.joint_department_ids = ["office", "storage"]
        asked = {"asked_by": "drafter", "asked_at": uow.now, "due_at": uow.now, "form": {}, "sha256": "none"}
        uow.session.add(Consultation(id="joint", application_id=application.id, round=1, **asked))
        uow.session.flush()
        for department, answer in (("office", "consented"), ("storage", None)):
            of = {"application_id": application.id, "consultation_id": "joint", "department_id": department}
            uow.session.add(Consent(**of, answer=answer))

    loan.desk.run(joint)
    assert refused(loan, "custody-transfer", "keeper", toPersonId="operator2") == "not-now"
    matter_id = loan.ask("custody-transfer", "keeper", toPersonId="office-head")
    loan.agreed(matter_id, ("custody-receipt", "office-head"))
    assert loan.apply(matter_id)


@pytest.mark.requirement("R46", "R57", "R59", refuses=True)
def test_who_has_left_the_department_meanwhile_accepts_no_transfer(loan: LoanDesk) -> None:
    matter_id = loan.ask("custody-transfer", toPersonId=NEW_KEEPER)
    loan.check(matter_id)
    review_id = loan.open(matter_id, "custody-receipt")

    def code(act: Callable[[], None]) -> str:
        with pytest.raises(Refused) as caught:
            act()
        return caught.value.code

    def accept() -> None:
        loan.answer(review_id, matter_id, "custody-receipt", NEW_KEEPER)

    loan.desk.run(lambda uow: setattr(uow.session.get_one(Person, NEW_KEEPER), "department_id", "storage"))
    assert code(accept) == "not-now"
    loan.desk.run(lambda uow: setattr(uow.session.get_one(Person, NEW_KEEPER), "department_id", "works"))
    loan.desk.run(lambda uow: uow.session.query(Agreement).filter_by(person_id=NEW_KEEPER).delete())
    assert code(accept) == "agreement-missing"
    loan.answer(review_id, matter_id, "custody-receipt", NEW_KEEPER, "declined")
    loan.close(matter_id, "refused")
    assert loan.loan.custodian_id == "keeper"


@pytest.mark.requirement("R46", "R47")
def test_the_head_hands_on_what_a_custodian_who_has_left_holds(loan: LoanDesk) -> None:
    loan.desk.run(leaving.leave, "keeper", by="admin")
    with pytest.raises(Refused) as caught:
        loan.desk.run(grants.check, loan.ids["copy_id"], "view", by="keeper")
    assert caught.value.code == "custodian-left"
    matter_id = loan.ask("custody-transfer", "head", toPersonId=NEW_KEEPER)
    loan.agreed(matter_id, ("custody-receipt", NEW_KEEPER))
    assert not loan.desk.run(leaving.settle)
    assert loan.apply(matter_id)
    assert loan.matter(matter_id).facts["before"]["forced"] is True
    # the copies open for the new custodian, and the account that was kept for them ends
    loan.desk.run(grants.check, loan.ids["copy_id"], "view", by=NEW_KEEPER)
    assert loan.desk.run(leaving.settle)
    assert not loan.desk.the(Person, id="keeper").active


@pytest.mark.requirement("R47")
def test_p11_a_loan_that_ends_ends_what_is_asked_about_it(loan: LoanDesk) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(2))
    loan.check(matter_id)
    review_id = loan.open(matter_id, "extension")
    loan.desk.run(hand_overs.report_loss, loan.ids["hand_over_id"], kind="lost", what_happened="丢失", by="keeper")

    assert loan.matter(matter_id).closed_as == "moot"
    with pytest.raises(Refused) as caught:
        loan.answer(review_id, matter_id, "extension", "reviewer")
    assert caught.value.code == "review-closed"
    assert not loan.apply(matter_id)
    loan.close(matter_id, "moot")
    assert [message.settled_because for message in loan.messages(MATTER_MOOT)] == ["the matter is closed"]


@pytest.mark.requirement("R50", refuses=True)
def test_p6_what_was_to_change_a_loan_hits_nobody_once_it_is_over(loan: LoanDesk) -> None:
    """An extension whose message is still on its way and a recall that is being signed meet the return."""
    extension_id = loan.ask("extension", dueAt=loan.later(2))
    loan.agreed(extension_id, ("extension", "reviewer"))
    assert loan.apply(extension_id)
    recall_id = loan.ask("recall", "reviewer", ground="other")
    loan.check(recall_id)
    review_id = loan.open(recall_id, "recall")
    fates = [AttestedFate(loan.ids["download_id"], "destroyed")]
    given = {"return_to": "security", "fates": fates, "no_other_copies": True, "proof": Proof("", PASSWORD)}
    loan.desk.run(returns.return_copies, loan.ids["hand_over_id"], **given, by="keeper")
    [changed] = loan.messages(USE_PERIOD_CHANGED)
    loan.desk.run(outbox.mark_published, changed.message_id, attempts=0, retry_after=timedelta(0))

    loan.desk.run(returns.get_inspection_task, loan.application_id, loan.ids["hand_over_id"])
    loan.desk.clock.turn(timedelta(minutes=5))

    sent = {message.name for message in loan.desk.run(relay.claim_due)}
    assert USE_PERIOD_CHANGED not in sent, "the relay sends it no more"
    assert loan.matter(recall_id).closed_as == "moot"
    with pytest.raises(Refused) as caught:
        loan.answer(review_id, recall_id, "recall", "security-head")
    assert caught.value.code == "review-closed"
    assert not loan.apply(recall_id)

    def change(uow: UnitOfWork) -> None:
        row = uow.session.get_one(HandOver, loan.ids["hand_over_id"])
        use_period.change_due_date(uow, row, uow.now + timedelta(days=1), because="extension")

    with pytest.raises(Refused) as caught:
        loan.desk.run(change)
    assert caught.value.code == "loan-not-running"
    assert [row.name for row in loan.messages(USE_PERIOD_CHANGED)] == [USE_PERIOD_CHANGED], "and no second one is made"


def test_p10_a_second_process_of_a_matter_handles_nothing(loan: LoanDesk) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(2))
    loan.check(matter_id)
    with pytest.raises(NotPermitted, match="another process instance handles it already"):
        loan.desk.run(tasks.check, matter_id, loan.instance + 1)
    assert loan.matter(matter_id).process_instance_key == loan.instance


def test_the_end_of_a_matter_reaches_its_process_although_it_is_closed(loan: LoanDesk) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(2))
    loan.desk.run(hand_overs.report_loss, loan.ids["hand_over_id"], kind="lost", what_happened="丢失", by="keeper")
    sent = [message for message in loan.desk.run(relay.claim_due) if message.correlation_key == matter_id]
    assert [message.name for message in sent] == [MATTER_MOOT]


def test_messages_of_a_matter_and_of_its_case_are_settled_apart(loan: LoanDesk) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(2))
    loan.check(matter_id)
    loan.decide(matter_id, "extension", "reviewer")
    [decided] = [row for row in loan.messages(REVIEW_DECIDED) if row.matter_id == matter_id]
    assert decided.settled_at is None
    loan.desk.run(outbox.mark_published, decided.message_id, attempts=0, retry_after=timedelta(minutes=1))
    assert loan.apply(matter_id)
    [decided] = [row for row in loan.messages(REVIEW_DECIDED) if row.matter_id == matter_id]
    assert decided.settled_because == "the matter is carried out"


@pytest.mark.requirement("R22", "R50")
def test_another_process_does_not_take_a_matter_over(loan: LoanDesk) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(2))
    loan.check(matter_id)
    loan.instance += 1
    with pytest.raises(NotPermitted, match="another process instance"):
        loan.check(matter_id)


@pytest.mark.requirement("R42")
@pytest.mark.requirement("R57", refuses=True)
def test_a_recall_stops_access_at_once_and_ends_the_loan_when_it_is_signed(loan: LoanDesk) -> None:
    matter_id = loan.ask("recall", "reviewer", ground="leak")
    with pytest.raises(Refused) as caught:
        loan.desk.run(grants.check, loan.ids["copy_id"], "view", by="keeper")
    assert caught.value.code == "copy-recalled"

    loan.check(matter_id)
    with pytest.raises(Refused):
        loan.decide(matter_id, "recall", "reviewer")
    [review] = loan.desk.all(Review, matter_id=matter_id)
    loan.answer(review.id, matter_id, "recall", "security-head")
    assert loan.apply(matter_id)

    held = loan.loan
    assert held.returned_at is not None
    [returned] = loan.desk.all(Return, hand_over_id=held.id)
    assert returned.attestation["noOtherCopies"] is False
    findings = loan.desk.run(returns.record_inspection, loan.application_id, held.id, {})
    assert findings == 1  # the download that nobody has accounted for


@pytest.mark.requirement("R42")
def test_a_recall_that_is_not_signed_gives_access_back(loan: LoanDesk) -> None:
    matter_id = loan.ask("recall", "supervisor", ground="misuse")
    loan.check(matter_id)
    loan.decide(matter_id, "recall", "security-head", "refused")
    loan.close(matter_id, "refused")
    loan.desk.run(grants.check, loan.ids["copy_id"], "view", by="keeper")

    loan.ask("recall", "supervisor", ground="misuse")
    loan.desk.clock.turn(timedelta(hours=24))
    loan.desk.run(grants.check, loan.ids["copy_id"], "view", by="keeper")


@pytest.mark.requirement("R42")
@pytest.mark.parametrize(("answered_after", "closed"), [(timedelta(hours=12), 12), (timedelta(hours=40), 24)])
def test_a_recall_that_is_refused_gives_the_time_back_for_which_it_has_stopped_access(
    loan: LoanDesk, answered_after: timedelta, closed: int
) -> None:
    before = loan.loan.due_at
    assert before is not None
    matter_id = loan.ask("recall", "supervisor", ground="misuse")
    loan.check(matter_id)
    loan.desk.clock.turn(answered_after)
    loan.decide(matter_id, "recall", "security-head", "refused")
    for _ in range(2):
        loan.close(matter_id, "refused")

    assert loan.loan.due_at == before + timedelta(hours=closed)
    assert len(loan.messages(USE_PERIOD_CHANGED)) == 1


@pytest.mark.requirement("R57", refuses=True)
@pytest.mark.parametrize("signed_after", [23, 25])  # after a day access was given back, and stops again
def test_a_recall_that_is_signed_keeps_the_copies_closed_until_it_is_carried_out(
    loan: LoanDesk, signed_after: int
) -> None:
    matter_id = loan.ask("recall", "reviewer", ground="leak")
    loan.check(matter_id)
    loan.desk.clock.turn(timedelta(hours=signed_after))
    loan.decide(matter_id, "recall", "security-head")
    loan.desk.clock.turn(timedelta(hours=2))  # the engine is away
    with pytest.raises(Refused) as caught:
        loan.desk.run(grants.check, loan.ids["copy_id"], "view", by="keeper")
    assert caught.value.code == "copy-recalled"

    assert loan.apply(matter_id)
    assert loan.loan.returned_at is not None


@pytest.mark.requirement("R57", refuses=True)
def test_a_recall_is_asked_again_once_the_earlier_one_stops_nothing_any_more(loan: LoanDesk) -> None:
    first = loan.ask("recall", "supervisor", ground="misuse")
    assert refused(loan, "recall", "reviewer", ground="leak") == "asked-already"
    loan.desk.clock.turn(timedelta(hours=24, minutes=1))  # nobody has signed it
    second = loan.ask("recall", "reviewer", ground="leak")
    with pytest.raises(Refused) as caught:
        loan.desk.run(grants.check, loan.ids["copy_id"], "view", by="keeper")
    assert caught.value.code == "copy-recalled"

    loan.check(second)
    loan.decide(second, "recall", "security-head")
    loan.desk.clock.turn(timedelta(hours=25))
    assert refused(loan, "recall", "reviewer", ground="leak") == "asked-already", "signed, and not carried out yet"
    assert loan.apply(second)
    assert [loan.matter(one).closed_as for one in (first, second)] == ["moot", "applied"]


@pytest.mark.requirement("R57", refuses=True)
def test_the_custodian_and_the_department_recall_nothing(loan: LoanDesk) -> None:
    for person in ("keeper", "head"):
        assert refused(loan, "recall", person, ground="other") == "not-yours"

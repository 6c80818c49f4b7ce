"""Copies that are offered and not accepted yet: Security recalls them, or finds a violation (R42, R46)."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from loan_matter import LoanDesk, awaiting
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import PASSWORD

from services.database.tables.audit import AuditEvent
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.notices import Notice
from services.database.tables.outbox import OutboxMessage
from services.database.tables.reviews import Review
from services.database.tables.violations import Violation
from services.domain.accounts.signatures.given import Proof
from services.domain.custody import closing, grants, hand_overs, violation_ends, violations
from services.domain.process.messages import REVIEW_DECIDED
from services.runtime.errors import NotPermitted, Refused

SIGNED = ("recall", "security-head")


@pytest.fixture
def loan(any_database_url: str) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(any_database_url, awaiting)
    yield LoanDesk(desk, ids)
    desk.close()


def accept(loan: LoanDesk) -> HandOver:
    [receipt] = loan.desk.all(Review, hand_over_id=loan.loan.id, closed_at=None)
    proof = Proof(loan.desk.form_sha256(receipt.id), PASSWORD)
    version = loan.desk.rules.policy_version
    return loan.desk.run(hand_overs.accept, loan.loan.id, conditions_version=version, proof=proof, by="keeper")


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value.code


def told(loan: LoanDesk, code: str) -> list[str]:
    return sorted(row.person_id for row in loan.desk.all(Notice, code=code))


@pytest.mark.requirement("R46", refuses=True)
def test_an_offer_that_is_recalled_is_accepted_by_nobody_and_ends_with_the_signature(loan: LoanDesk) -> None:
    matter_id = loan.ask("recall", "reviewer", ground="misuse")

    assert code_of(lambda: accept(loan)) == "offer-recalled"
    assert told(loan, "offer-recall-asked") == ["keeper"]

    loan.agreed(matter_id, SIGNED)
    loan.desk.clock.turn(timedelta(hours=25))  # the signature keeps it closed, however late the job comes
    assert code_of(lambda: accept(loan)) == "offer-recalled"
    assert loan.apply(matter_id)

    row = loan.loan
    assert (row.accepted_at, row.declined_at, row.ended_at) == (None, None, loan.desk.clock.now())
    [entry] = loan.desk.all(CustodyEntry, hand_over_id=row.id, event="ended")
    assert (entry.person_id, entry.detail["because"], entry.detail["matter"]) == (
        "security-head",
        "recalled",
        loan.matter(matter_id).number,
    )
    [receipt] = loan.desk.all(Review, hand_over_id=row.id, stage="receipt")
    assert receipt.closed_because == "offer-recalled"
    [message] = loan.desk.all(OutboxMessage, name=REVIEW_DECIDED, correlation_key=receipt.id)
    assert message.variables["decision"] == "declined"
    assert loan.desk.all(AuditEvent, action="custody-ended")
    assert told(loan, "offer-recalled") == ["drafter", "keeper"]
    assert [row.number for row in loan.desk.all(Document, subject_id=matter_id)] == [loan.matter(matter_id).number]
    with pytest.raises(Refused):
        loan.desk.run(hand_overs.decline, row.id, reason="不需要", proof=Proof("", PASSWORD), by="keeper")


@pytest.mark.requirement("R46", refuses=True)
def test_the_copies_of_a_recalled_offer_are_discarded_as_after_the_time_to_accept_them(loan: LoanDesk) -> None:
    def release() -> closing.VaultActions:
        return loan.desk.run(closing.release_case, loan.application_id, "not-taken-up")

    matter_id = loan.ask("recall", "reviewer", ground="no-longer-needed")
    with pytest.raises(NotPermitted):
        release()  # asked for, and not signed
    loan.agreed(matter_id, SIGNED)
    with pytest.raises(NotPermitted):
        release()  # signed, and not carried out
    assert loan.apply(matter_id)

    actions = release()

    assert actions.destroy_keys == (loan.ids["copy_id"],)
    assert actions.leftovers
    assert (loan.matter(matter_id).closed_as, told(loan, "offer-ended")) == ("applied", [])


@pytest.mark.requirement("R46")
def test_the_receipt_of_a_recalled_offer_is_asked_of_nobody_and_its_process_goes_on(loan: LoanDesk) -> None:
    """The recall is signed before the process has asked for the receipt."""
    matter_id = loan.ask("recall", "reviewer", ground="leak")
    loan.agreed(matter_id, SIGNED)
    assert loan.apply(matter_id)

    review_id = loan.desk.opened(loan.application_id, "receipt", hand_over_id=loan.loan.id)

    assert loan.desk.the(Review, id=review_id).closed_because == "offer-recalled"
    assert [row.variables["decision"] for row in loan.desk.all(OutboxMessage, correlation_key=review_id)] == [
        "declined"
    ]
    assert loan.desk.run(hand_overs.expire_offer, loan.application_id, loan.loan.id).accepted_meanwhile is False


@pytest.mark.requirement("R42")
@pytest.mark.parametrize("how", ["refused", "not signed in time"])
def test_an_offer_whose_recall_is_not_signed_is_accepted_after_all(loan: LoanDesk, how: str) -> None:
    matter_id = loan.ask("recall", "reviewer", ground="other")
    if how == "refused":
        loan.check(matter_id)
        loan.decide(matter_id, "recall", "security-head", "refused")
        loan.close(matter_id, "refused")
    else:
        loan.desk.clock.turn(timedelta(hours=25))

    held = accept(loan)

    assert held.due_at is not None
    assert held.due_at - loan.desk.clock.now() == timedelta(days=15), "nothing is given back of the time before"
    assert loan.desk.run(grants.check, loan.ids["copy_id"], "view", by="keeper")


@pytest.mark.requirement("R42")
def test_a_recall_that_is_signed_after_the_copies_were_accepted_ends_the_loan(loan: LoanDesk) -> None:
    matter_id = loan.ask("recall", "reviewer", ground="other")
    loan.desk.clock.turn(timedelta(hours=25))
    accept(loan)

    loan.agreed(matter_id, SIGNED)
    assert loan.apply(matter_id)

    assert (loan.loan.returned_at, loan.loan.ended_at) == (loan.desk.clock.now(), None)


@pytest.mark.requirement("R46", refuses=True)
@pytest.mark.parametrize("end", ["declined", "the time is over", "recalled"])
def test_an_offer_that_has_ended_is_recalled_by_nobody(loan: LoanDesk, end: str) -> None:
    if end == "declined":
        [receipt] = loan.desk.all(Review, hand_over_id=loan.loan.id, closed_at=None)
        proof = Proof(loan.desk.form_sha256(receipt.id), PASSWORD)
        loan.desk.run(hand_overs.decline, loan.loan.id, reason="不需要", proof=proof, by="keeper")
    elif end == "the time is over":
        loan.desk.clock.turn(loan.desk.rules.take_up_period)
        loan.desk.run(closing.release_case, loan.application_id, "not-taken-up")
    else:
        matter_id = loan.ask("recall", "reviewer", ground="other")
        loan.agreed(matter_id, SIGNED)
        loan.apply(matter_id)

    assert code_of(lambda: loan.ask("recall", "reviewer", ground="leak")) == "not-now"


@pytest.mark.requirement("R46", refuses=True)
def test_the_end_of_the_offer_ends_a_recall_that_nobody_has_signed(loan: LoanDesk) -> None:
    matter_id = loan.ask("recall", "reviewer", ground="other")
    loan.desk.clock.turn(loan.desk.rules.take_up_period)
    loan.desk.run(closing.release_case, loan.application_id, "not-taken-up")

    assert loan.matter(matter_id).closed_as == "moot"
    assert not loan.apply(matter_id)


async def test_the_case_offers_the_recall_to_security_and_its_form_says_what_happens(loan: LoanDesk) -> None:
    address = f"/matters/new/recall?case={loan.application_id}"
    async with Portal(loan.desk) as portal:
        reviewer, head = await portal.signed_in("reviewer"), await portal.signed_in("head")
        assert f'href="{address}"' in (await reviewer.get(f"/cases/{loan.application_id}")).text
        assert f'href="{address}"' not in (await head.get(f"/cases/{loan.application_id}")).text
        form = await reviewer.get(address)
        assert "尚未签收" in form.text
        body = {"kind": "recall", "applicationId": loan.application_id, "asked": {"reason": "误发", "ground": "other"}}
        assert (await head.post("/api/matters", json=body)).status_code == 403
        matter = (await reviewer.post("/api/matters", json=body)).json()
        assert "签收截止" in (await reviewer.get(f"/matters/{matter['id']}")).text
        keeper = await portal.signed_in("keeper")
        page = await keeper.get(f"/hand-overs/{loan.loan.id}")
        assert "安全保卫部门要求收回这些副本" in page.text
        assert 'id="accept"' not in page.text


@pytest.mark.requirement("R65")
@pytest.mark.parametrize("kind", ["leak", "breach"])
def test_nobody_can_misuse_copies_that_nobody_has_accepted(loan: LoanDesk, kind: str) -> None:
    assert code_of(lambda: loan.ask("violation", "security-head", violationKind=kind)) == "not-now"
    assert not loan.desk.all(Violation)


@pytest.mark.requirement("R41", refuses=True)
def test_copies_in_a_case_with_a_finding_are_accepted_and_stay_closed_until_it_is_cleared(loan: LoanDesk) -> None:
    loan.ask("violation", "security-head", violationKind="finding")
    loan.desk.clock.turn(timedelta(days=2))
    held = accept(loan)
    due_at = held.due_at
    assert due_at is not None
    assert code_of(lambda: loan.desk.run(grants.check, loan.ids["copy_id"], "view", by="keeper")) == "violation-open"

    loan.desk.clock.turn(timedelta(days=3))
    loan.desk.run(lambda uow: violation_ends.close(uow, uow.session.query(Violation).one(), violations.CLEARED))

    assert loan.loan.due_at == due_at + timedelta(days=3), "of the time before the acceptance nothing is given back"
    assert loan.desk.run(grants.check, loan.ids["copy_id"], "view", by="keeper")

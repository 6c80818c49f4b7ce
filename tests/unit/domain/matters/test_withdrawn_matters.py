"""Withdrawing what was asked about a loan: by who has asked or leads, undecided, and only what has done nothing."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loan_matter import LoanDesk, lent
from portal_client import Portal
from prepared_desk import prepared_desk

from services.database.tables.matters import Matter
from services.database.tables.notices import Notice
from services.database.tables.reviews import Review
from services.domain.change_requests import holds
from services.domain.matters import queries, service
from services.domain.process.messages import MATTER_MOOT
from services.runtime.errors import NotFound, NotPermitted, Refused

KEEPER, ANOTHER = "drafter", "operator2"
TRANSFER = ("custody-receipt", KEEPER)


@pytest.fixture
def loan(any_database_url: str) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(any_database_url, lent)
    yield LoanDesk(desk, ids)
    desk.close()


def offered(loan: LoanDesk, by: str = "head") -> str:
    """The copies are offered to somebody who does not answer; the matter's id."""
    matter_id = loan.ask("custody-transfer", by, toPersonId=KEEPER)
    loan.check(matter_id)
    return matter_id


def withdraw(loan: LoanDesk, matter_id: str, by: str) -> Matter:
    return loan.desk.run(service.withdraw, matter_id, by=by)


def refused(loan: LoanDesk, matter_id: str, by: str) -> str:
    with pytest.raises((Refused, NotFound)) as caught:
        withdraw(loan, matter_id, by)
    assert caught.value.zh
    if caught.value.code != "not-found":
        assert not loan.desk.run(queries.get, matter_id, by=by).may_withdraw
    return caught.value.code


@pytest.mark.requirement("R46", "R47")
@pytest.mark.parametrize("by", ["keeper", "head", "security-head", "security-deputy"])
def test_an_offer_that_nobody_answers_is_withdrawn_and_made_to_another_person(loan: LoanDesk, by: str) -> None:
    matter_id = offered(loan, "keeper")
    review_id = loan.open(matter_id, "custody-receipt")
    assert loan.desk.run(queries.get, matter_id, by=by).may_withdraw
    with pytest.raises(Refused) as caught:
        loan.ask("custody-transfer", "security-head", toPersonId=ANOTHER)
    assert caught.value.code == "asked-already"

    withdraw(loan, matter_id, by)
    matter, review = loan.matter(matter_id), loan.desk.the(Review, id=review_id)
    assert (matter.closed_as, matter.outcome) == ("moot", {"because": "asked-back", "by": by})
    assert (review.closed_at is not None, review.closed_because) == (True, "matter-moot")
    assert [(row.correlation_key, row.matter_id) for row in loan.messages(MATTER_MOOT)] == [(matter_id, matter_id)]
    asked = loan.desk.all(Notice, subject_id=review_id)
    assert asked
    assert all(notice.done_at for notice in asked), "nobody is asked for the receipt any more"
    told = {notice.person_id for notice in loan.desk.all(Notice, subject_id=matter_id, code="matter-withdrawn")}
    assert told == {"keeper", KEEPER} - {by}
    because = loan.desk.run(queries.get, matter_id, by="keeper").because_en
    assert because is not None
    assert by in because

    with pytest.raises(Refused) as late:
        loan.answer(review_id, matter_id, *TRANSFER)
    assert late.value.code == "review-closed"
    assert loan.apply(matter_id) is False, "the job is late"
    loan.close(matter_id, "moot")
    assert all(row.settled_at for row in loan.messages(MATTER_MOOT)), "the process has heard of it"
    assert loan.loan.custodian_id == "keeper"
    assert refused(loan, matter_id, by) == "matter-over"

    assert loan.ask("custody-transfer", "security-head", toPersonId=ANOTHER)


@pytest.mark.requirement("R50", "R57", refuses=True)
@pytest.mark.parametrize(
    ("by", "code"),
    [(KEEPER, "not-yours"), ("reviewer", "not-yours"), ("manager", "not-found"), ("admin", "not-found")],
)
def test_others_withdraw_nothing(loan: LoanDesk, by: str, code: str) -> None:
    matter_id = offered(loan)
    assert refused(loan, matter_id, by) == code
    assert loan.matter(matter_id).closed_at is None


@pytest.mark.requirement("R57", refuses=True)
@pytest.mark.parametrize(
    ("kind", "asked"),
    [("recall", {"ground": "leak"}), ("problem", {"problem": "gap"}), ("violation", {"violationKind": "finding"})],
)
def test_what_has_stopped_access_in_the_act_of_asking_is_not_withdrawn(
    loan: LoanDesk, kind: str, asked: dict[str, Any]
) -> None:
    matter_id = loan.ask(kind, "security-head", **asked)
    assert refused(loan, matter_id, "security-head") == "not-withdrawable"
    assert loan.matter(matter_id).closed_at is None


@pytest.mark.requirement("R50", refuses=True)
@pytest.mark.parametrize("outcome", ["accepted", "declined"])
def test_what_is_decided_is_carried_out_and_not_withdrawn(loan: LoanDesk, outcome: str) -> None:
    matter_id = offered(loan)
    loan.decide(matter_id, *TRANSFER, outcome)
    assert refused(loan, matter_id, "head") == "decided-already"
    if outcome == "accepted":
        assert loan.apply(matter_id)
        assert loan.loan.custodian_id == KEEPER


@pytest.mark.requirement("R50")
def test_what_waits_for_a_further_decision_is_withdrawn(loan: LoanDesk) -> None:
    matter_id = loan.ask("purpose-change", "head", purpose="用于培训", wayOfUse="download")
    loan.check(matter_id)
    loan.decide(matter_id, "preliminary", "board-head")
    withdraw(loan, matter_id, "head")
    with pytest.raises(NotPermitted, match="closed as moot"):
        loan.open(matter_id, "security")


async def test_the_page_and_the_api_withdraw(tmp_path: Path) -> None:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent)
    loan = LoanDesk(desk, ids)
    async with Portal(desk) as portal:
        head, keeper = await portal.signed_in("head"), await portal.signed_in("keeper")
        csrf = {"csrf_token": head.headers["X-CSRF-Token"]}
        matter_id = offered(loan)
        address = f"/matters/{matter_id}"
        assert f'action="{address}/withdraw"' in (await head.get(address)).text
        assert f"{address}/withdraw" not in (await keeper.get(address)).text
        refusal = await keeper.post(f"{address}/withdraw", data={"csrf_token": keeper.headers["X-CSRF-Token"]})
        assert refusal.status_code == 403
        sent = await head.post(f"{address}/withdraw", data=csrf)
        assert (sent.status_code, sent.headers["location"]) == (303, address)
        assert f"{address}/withdraw" not in (await head.get(address)).text

        second = offered(loan)
        assert (await keeper.post(f"/api/matters/{second}/withdraw")).status_code == 403
        answer = await head.post(f"/api/matters/{second}/withdraw")
        assert answer.status_code == 200, answer.text
        assert (answer.json()["state"], answer.json()["mayWithdraw"]) == ("moot", False)
    desk.close()


@pytest.mark.requirement("R46", "R52", refuses=True)
def test_whose_signatures_are_held_withdraws_nothing_meanwhile(loan: LoanDesk) -> None:
    matter_id = offered(loan)
    loan.desk.run(holds.add, "head", "password-reset")
    with pytest.raises(Refused) as caught:
        withdraw(loan, matter_id, "head")
    assert caught.value.code == "signature-held"
    loan.desk.clock.turn(holds.DURATION)
    assert withdraw(loan, matter_id, "head").closed_as == "moot"

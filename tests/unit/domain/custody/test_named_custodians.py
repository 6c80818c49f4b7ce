"""Another custodian is named after the approval, until somebody has accepted the copies (R46)."""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from lent_case import offered
from portal_client import Portal
from prepared_desk import prepared_desk
from review_desk import FORM, PASSWORD, ReviewDesk

from services.database.tables.applications import Application, Revision
from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.given import Proof
from services.domain.applications import service as application_service
from services.domain.cases import inbox
from services.domain.cases import queries as case_queries
from services.domain.change_requests import holds
from services.domain.custody import grants, hand_overs, naming, suspensions
from services.domain.notifications import service as notification_service
from services.domain.reviews import filing
from services.domain.reviews.classification import Classification
from services.domain.staffing import leaving
from services.runtime.errors import Fatal, NotFound, Refused

REASON = "原保管人病假，由申请人签收。"


def filed(desk: ReviewDesk) -> str:
    """An approved application whose form is filed; nothing is offered yet."""
    application_id = desk.submitted(subject_ids=("deputy",))
    desk.approved(application_id)
    desk.run(filing.file, application_id, Classification("ordinary", False, False, False, 15))
    desk.classed(application_id, granted_way_of_use="download", max_use_days=None)
    return application_id


@pytest.fixture
def case(any_database_url: str) -> Iterator["Waiting"]:
    desk, application_id = prepared_desk(any_database_url, filed)
    yield Waiting(desk, application_id)
    desk.close()


class Waiting:
    """An approved case whose copies nobody has accepted; ``keeper`` is the custodian of the form."""

    def __init__(self, desk: ReviewDesk, application_id: str) -> None:
        self.desk, self.id = desk, application_id

    def offer(self) -> tuple[str, str]:
        """Offer the copies and open the receipt: the ids of hand-over and review."""
        _, _, hand_over_id = self.desk.run(offered, self.id)
        return hand_over_id, self.desk.opened(self.id, "receipt", hand_over_id=hand_over_id)

    def name(self, person: str, by: str = "head", reason: str = REASON) -> None:
        self.desk.run(naming.name, self.id, person, reason=reason, by=by)

    def accept(self, hand_over_id: str, review_id: str, by: str) -> HandOver:
        proof = Proof(self.desk.form_sha256(review_id), PASSWORD)
        version = self.desk.rules.policy_version
        return self.desk.run(hand_overs.accept, hand_over_id, conditions_version=version, proof=proof, by=by)

    def told(self, code: str) -> list[tuple[str, bool]]:
        """Who has a notice of this code, and whether it is done."""
        rows = self.desk.all(Notice, code=code, application_id=self.id)
        return sorted((row.person_id, row.done_at is not None) for row in rows)


def code_of(act: Callable[..., Any], *arguments: Any, **named: Any) -> str:
    with pytest.raises((Refused, NotFound)) as caught:
        act(*arguments, **named)
    return caught.value.code


@pytest.mark.requirement("R46")
def test_before_the_offer_the_copies_go_to_the_person_who_is_named(case: Waiting) -> None:
    signed = case.desk.the(Revision, application_id=case.id).sha256
    case.name("drafter")

    hand_over_id, review_id = case.offer()

    assert case.desk.the(HandOver).custodian_id == "drafter"
    assert case.desk.candidates(review_id) == ["drafter"]
    assert code_of(case.accept, hand_over_id, review_id, by="keeper") == "not-found"
    assert case.accept(hand_over_id, review_id, by="drafter").accepted_at is not None
    assert case.desk.the(Application).custodian_id == "keeper", "the form stays as it was signed"
    assert case.desk.the(Revision, application_id=case.id).sha256 == signed
    assert case.desk.run(case_queries.get_case, case.id, by="head").custodian == "drafter"
    [event] = case.desk.all(AuditEvent, action="custodian-named")
    detail = json.loads(event.entry)["detail"]
    assert (event.actor_id, detail["former"], detail["custodian"]) == ("head", "keeper", "drafter")


@pytest.mark.requirement("R46", "R47")
@pytest.mark.requirement("R46", refuses=True)
def test_copies_that_are_offered_are_offered_to_the_person_who_is_named(case: Waiting) -> None:
    hand_over_id, review_id = case.offer()
    until = case.desk.the(HandOver).take_up_until

    case.name("drafter", by="security-head")

    assert case.told("copy-offered") == [("drafter", False), ("keeper", True)]
    told = [(row.person_id, row.done_at is not None) for row in case.desk.all(Notice, subject_id=review_id)]
    assert sorted(told) == [("drafter", False), ("keeper", True)]
    assert case.desk.the(HandOver).take_up_until == until, "the timer of the process stays"
    waiting = [case.desk.run(inbox.read_waiting, by=person).lines for person in ("drafter", "keeper")]
    assert [[line.id for line in lines] for lines in waiting] == [[review_id], []]
    entry = case.desk.all(CustodyEntry)[-1]
    assert (entry.event, entry.person_id) == ("custodian-named", "security-head")
    assert entry.detail == {"fromPerson": "keeper", "toPerson": "drafter"}
    for act in (hand_overs.accept, hand_overs.decline):
        more = {"reason": REASON} if act is hand_overs.decline else {"conditions_version": "1"}
        proof = Proof(case.desk.form_sha256(review_id), PASSWORD)
        assert code_of(case.desk.run, act, hand_over_id, by="keeper", proof=proof, **more) == "not-found"
    case.accept(hand_over_id, review_id, by="drafter")
    case.desk.run(grants.check, case.desk.the(Copy).id, "view", by="drafter")
    assert code_of(case.name, "keeper") == "not-now", "accepted copies are transferred by a matter"


@pytest.mark.requirement("R46", "R57", refuses=True)
@pytest.mark.parametrize(
    ("by", "person", "code"),
    [
        ("keeper", "drafter", "not-found"),
        ("drafter", "head", "not-yours"),
        ("reviewer", "drafter", "not-yours"),
        ("admin", "drafter", "not-found"),
        ("deputy", "drafter", "not-found"),  # whom the case concerns
        ("head", "keeper", "not-now"),
        ("head", "deputy", "not-now"),
        ("head", "head", "not-now"),
        ("head", "operator2", "not-now"),
        ("head", "admin", "not-now"),
        ("head", "nobody", "not-now"),
        ("security-head", "reviewer", "not-now"),
        ("security-deputy", "security-deputy", "not-now"),
    ],
)
@pytest.mark.parametrize("is_offered", [False, True], ids=["approved", "offered"])
def test_the_custodian_is_not_named_by_or_for_the_wrong_person(
    case: Waiting, by: str, person: str, code: str, is_offered: bool
) -> None:
    if is_offered:
        case.offer()
    # the custodian sees the case once the copies are offered
    expected = "not-yours" if (by, is_offered) == ("keeper", True) else code
    assert code_of(case.name, person, by=by) == expected
    assert not case.desk.all(AuditEvent, action="custodian-named")


@pytest.mark.requirement("R46", "R52", refuses=True)
def test_whose_signatures_are_held_names_no_custodian_until_the_hold_is_over(case: Waiting) -> None:
    """Who has just got the account of a head does not send the footage to an accomplice."""
    case.offer()
    case.desk.run(holds.add, "head", "password-reset")

    assert code_of(case.name, "drafter") == "signature-held"
    assert case.desk.the(HandOver).custodian_id == "keeper"
    case.desk.clock.turn(holds.DURATION)
    case.name("drafter")
    assert case.desk.the(HandOver).custodian_id == "drafter"


@pytest.mark.requirement("R57", refuses=True)
def test_who_asks_for_a_person_elsewhere_learns_nothing_of_a_suspension(case: Waiting) -> None:
    for person in ("operator2", "drafter"):
        case.desk.run(suspensions.open_for_person, person, suspensions.VIOLATION)
    told = {}
    for by, person in (
        ("head", "operator"),
        ("head", "operator2"),
        ("head", "drafter"),
        ("security-head", "operator2"),
    ):
        with pytest.raises(Refused) as caught:
            case.name(person, by=by)
        told[by, person] = caught.value.message
    assert told["head", "operator2"] == told["head", "operator"]
    assert "suspended" in str(told["head", "drafter"])
    assert told["security-head", "operator2"] == told["head", "drafter"]


@pytest.mark.requirement("R46", refuses=True)
def test_who_is_suspended_since_they_were_named_accepts_no_copies(case: Waiting) -> None:
    case.name("drafter")
    hand_over_id, review_id = case.offer()
    case.desk.run(suspensions.open_for_person, "drafter", suspensions.VIOLATION)
    assert code_of(case.accept, hand_over_id, review_id, by="drafter") == "access-suspended"
    assert case.desk.the(HandOver).accepted_at is None
    case.desk.run(lambda uow: [suspensions.lift(uow, row) for row in suspensions.of_person(uow, "drafter")])
    assert case.accept(hand_over_id, review_id, by="drafter").accepted_at is not None


@pytest.mark.requirement("R46", "R57")
def test_the_head_of_security_names_a_person_of_another_department(case: Waiting) -> None:
    case.name("operator2", by="security-head")
    hand_over_id, review_id = case.offer()
    assert case.accept(hand_over_id, review_id, by="operator2").custodian_id == "operator2"


@pytest.mark.requirement("R46", refuses=True)
def test_a_custodian_is_named_with_a_reason_from_the_filing_until_the_offer_is_over(case: Waiting) -> None:
    assert code_of(case.name, "drafter", reason=" ") == "missing"
    other = case.desk.submitted()
    assert code_of(case.desk.run, naming.name, other, "drafter", reason=REASON, by="head") == "not-now"
    hand_over_id, review_id = case.offer()
    case.desk.run(lambda uow: setattr(uow.session.get_one(Review, review_id), "claimed_by", "keeper"))
    case.name("drafter")
    assert case.desk.the(Review, id=review_id).claimed_by is None
    case.desk.clock.turn(case.desk.the(HandOver, id=hand_over_id).take_up_until - case.desk.clock.now())
    assert code_of(case.name, "keeper") == "not-now"


@pytest.mark.requirement("R46")
def test_a_form_that_is_corrected_names_its_custodian_anew(case: Waiting) -> None:
    case.name("drafter")
    case.desk.classed(case.id, correction_until=case.desk.clock.now() + timedelta(days=1))
    case.desk.run(application_service.correct, case.id, replace(FORM, subject_ids=("deputy",)), by="drafter")
    row = case.desk.the(Application)
    assert (row.round, row.custodian_id, row.named_custodian_id) == (1, "keeper", None)


@pytest.mark.requirement("R46", refuses=True)
def test_a_case_whose_custodian_has_left_before_the_hand_over_goes_on_with_another_one(case: Waiting) -> None:
    case.desk.run(leaving.leave, "keeper", by="admin")
    assert case.told("custodian-leaves") == [("head", False)]
    assert not case.desk.the(Person, id="keeper").active
    with pytest.raises(Fatal, match="name another custodian on the page of the case") as caught:
        case.offer()
    assert caught.value.runbook == "incidents-pending#no-custodian"
    case.name("drafter")
    assert case.told("custodian-leaves") == [("head", True)]
    hand_over_id, review_id = case.offer()
    assert case.accept(hand_over_id, review_id, by="drafter").custodian_id == "drafter"


@pytest.mark.requirement("R46", refuses=True)
def test_who_leaves_while_copies_wait_is_replaced_and_the_account_ends(case: Waiting) -> None:
    hand_over_id, review_id = case.offer()
    case.desk.run(leaving.leave, "keeper", by="admin")
    assert case.told("custodian-leaves") == [("head", False)]
    assert code_of(case.accept, hand_over_id, review_id, by="keeper") == "custodian-left"
    assert not case.desk.run(leaving.settle)
    case.name("drafter")
    assert case.told("custodian-leaves") == [("head", True)]
    assert case.desk.run(leaving.settle)
    assert not case.desk.the(Person, id="keeper").active
    case.accept(hand_over_id, review_id, by="drafter")


@pytest.mark.requirement("R30")
def test_who_was_told_of_new_copies_is_told_no_more_once_they_are_accepted(case: Waiting) -> None:
    for person in ("keeper", "drafter"):
        case.desk.run(notification_service.notify, person, "problem-replace", application_id=case.id)
    hand_over_id, review_id = case.offer()
    assert case.told("problem-replace") == [("drafter", False), ("keeper", False)]
    case.accept(hand_over_id, review_id, by="keeper")
    assert case.told("problem-replace") == [("drafter", True), ("keeper", True)]


@pytest.mark.requirement("R46", "R57", refuses=True)
async def test_the_page_of_the_case_leads_to_a_form_that_offers_whom_it_takes(case: Waiting) -> None:
    address = f"/cases/{case.id}/custodian"
    async with Portal(case.desk) as portal:
        head, drafter = await portal.signed_in("head"), await portal.signed_in("drafter")
        assert f'href="{address}"' in (await head.get(f"/cases/{case.id}")).text
        assert f'href="{address}"' not in (await drafter.get(f"/cases/{case.id}")).text
        assert (await drafter.get(address)).status_code == 403
        shown = (await head.get(address)).text
        assert 'name="personId" value="drafter"' in shown
        for person in ("operator2", "keeper", "deputy"):
            assert f'name="personId" value="{person}"' not in (await head.get(f"{address}?person={person}")).text
        typed = {"personId": "operator2", "reason": REASON, "csrf_token": head.headers["X-CSRF-Token"]}
        refused = await head.post(address, data=typed)
        assert (refused.status_code, REASON in refused.text) == (409, True)
        assert (await head.post(address, data={**typed, "personId": "drafter"})).status_code == 303
        assert case.desk.the(Application).named_custodian_id == "drafter"
        read = (await head.get(f"/api/cases/{case.id}")).json()
        assert (read["custodian"], read["mayNameCustodian"]) == ("drafter", True)
        hand_over_id, review_id = case.offer()
        case.accept(hand_over_id, review_id, by="drafter")
        assert not (await head.get(f"/api/cases/{case.id}")).json()["mayNameCustodian"]
        answer = await head.post(f"/api/applications/{case.id}/custodian", json={"personId": "keeper", "reason": "r"})
        assert answer.status_code == 409


@pytest.mark.requirement("R46")
async def test_of_two_people_of_one_name_the_chosen_one_is_named(case: Waiting) -> None:
    def add(uow: UnitOfWork) -> None:
        for login in ("wangwei", "wangwei2"):
            uow.session.add(Person(id=login, login=login, name="王伟", department_id="works", password_hash=""))

    case.desk.run(add)
    address = f"/cases/{case.id}/custodian"
    async with Portal(case.desk) as portal:
        head = await portal.signed_in("head")
        shown = (await head.get(f"{address}?person=王伟")).text
        found = re.findall(r'name="personId" value="(wangwei2?)"[^>]*> <span>(.*?) · ', shown)
        assert found == [("wangwei", "王伟 (wangwei)"), ("wangwei2", "王伟 (wangwei2)")]
        typed = {"personId": "wangwei2", "reason": REASON, "csrf_token": head.headers["X-CSRF-Token"]}
        assert (await head.post(address, data=typed)).status_code == 303
    assert case.desk.the(Application).named_custodian_id == "wangwei2"

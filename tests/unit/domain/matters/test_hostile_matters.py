"""Attempts on matters, disclosures and holds by people who have an interest of their own in them."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from behalf_case import DRAFTER, add_legal, drafted
from lent_case import Parts
from loan_matter import LoanDesk, lent
from portal_client import Portal, problem
from prepared_desk import prepared_desk
from provided_case import ProvidingDesk, lent_to_security
from review_desk import ReviewDesk

from services.database.tables.documents import Document
from services.database.tables.holds import Hold
from services.database.tables.notices import Notice
from services.database.tables.people import Person, Post
from services.database.tables.violations import Sanction
from services.database.unit_of_work import UnitOfWork
from services.domain.cases import queries as case_queries
from services.domain.custody import suspensions
from services.domain.disclosures import service as disclosures
from services.domain.holds import queries as hold_queries
from services.domain.holds import service as holds
from services.domain.matters import held
from services.domain.matters import queries as matter_queries
from services.domain.matters.violations import acts, tasks
from services.domain.matters.violations.assessment import Assessment
from services.domain.reviews.given_judgements import GivenSanction, Judgement
from services.domain.supervision import footage_viewers
from services.runtime.errors import Fatal, NotFound, Refused
from services.runtime.spans import Span

LEAK = Assessment("severe", "violation-management", suspend_person=True, referral_asked=True)
GRAVE = Judgement(sanctions=(GivenSanction("reprimand"),), loss=True, referral=True)
MANAGEMENT = "violation-management"


def unconcerned(desk: ReviewDesk) -> dict[str, str]:
    """A loan of a case that concerns nobody."""
    return lent(desk, Parts(subject_ids=()))


@pytest.fixture
def loan(any_database_url: str) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(any_database_url, unconcerned)
    yield LoanDesk(desk, ids)
    desk.close()


@pytest.fixture
def provided(any_database_url: str) -> Iterator[ProvidingDesk]:
    desk, ids = prepared_desk(any_database_url, lent_to_security)
    yield ProvidingDesk(desk, ids)
    desk.close()


def refused(desk: ReviewDesk, act: Any, *args: Any, by: str, **named: Any) -> str:
    with pytest.raises(Refused) as caught:
        desk.run(act, *args, by=by, **named)
    assert caught.value.zh
    assert caught.value.en
    return caught.value.code


def leaked(loan: LoanDesk, *accused: str) -> str:
    """A leak that supervision has recorded, served on the accused; the id of its matter."""
    named = {"accusedId": accused[0]} if accused else {}
    matter_id = loan.ask("violation", "supervisor", violationKind="leak", **named)
    loan.desk.run(tasks.assess, matter_id, loan.instance)
    loan.desk.run(tasks.serve, matter_id, LEAK)
    return matter_id


def leave(desk: ReviewDesk, person_id: str) -> None:
    def act(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, person_id).active = False

    desk.run(act)


@pytest.mark.requirement("R65")
async def test_nobody_learns_from_the_case_who_has_recorded_a_violation(tmp_path: Path) -> None:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", unconcerned)
    leaked(LoanDesk(desk, ids))
    async with Portal(desk) as portal:
        for person in ("keeper", "head", "drafter"):
            client = await portal.signed_in(person)
            for page in (f"/cases/{ids['application_id']}", f"/api/cases/{ids['application_id']}"):
                shown = await client.get(page)
                assert shown.status_code == 200
                assert "supervisor" not in shown.text, (person, page)
    for person in ("reviewer2", "supervisor"):
        events = desk.run(case_queries._time_line, ids["application_id"], by=person)
        assert [one.action for one in events if one.actor == "supervisor"]
    desk.close()


@pytest.mark.requirement("R65")
def test_who_has_replied_for_the_department_does_not_decide(loan: LoanDesk) -> None:
    def promote(uow: UnitOfWork) -> None:
        since = uow.now - timedelta(days=1)
        uow.session.add(Post(person_id="deputy", department_id="board", kind="manager", since=since))

    loan.desk.run(promote)
    matter_id = leaked(loan)
    leave(loan.desk, "head")
    for by in ("deputy", "keeper"):
        loan.desk.run(acts.reply, matter_id, "与我们无关。", by=by)
    review_id = loan.open(matter_id, MANAGEMENT)
    assert "deputy" not in loan.desk.candidates(review_id)
    with pytest.raises(Refused) as caught:
        loan.answer(review_id, matter_id, MANAGEMENT, "deputy", "unfounded")
    assert caught.value.code == "was-speaker"
    loan.answer(review_id, matter_id, MANAGEMENT, "manager", "unfounded")


@pytest.mark.requirement("R65", "R67")
def test_the_accused_have_no_hand_in_the_holds_of_the_evidence(loan: LoanDesk) -> None:
    desk = loan.desk
    leaked(loan, "security-head")
    add_legal(desk)
    number = desk.the(Document, kind="application-form", application_id=loan.application_id).number
    given = {"cause": "violation", "reason": "泄露的证据"}
    assert refused(desk, held.place, number, by="security-deputy", **given, owner_id="security-head") == "hold-owner"
    hold_id = desk.run(held.place, number, by="security-deputy", **given).id
    [shown] = desk.run(hold_queries.list_open, by="security-head").holds
    assert (shown.may_review, shown.may_ask_lift) == (False, False)
    assert refused(desk, holds.review, hold_id, "security-head", by="security-head") == "hold-accused"
    matter_id = str(desk.the(Hold, id=hold_id).matter_id)
    loan.agreed(matter_id, ("legal", "counsel"))
    loan.apply(matter_id)
    assert refused(desk, held.ask_lift, hold_id, "不再需要", by="security-head") == "hold-accused"
    lift_id = desk.run(held.ask_lift, hold_id, "不再需要", by="security-deputy").id
    loan.agreed(lift_id, ("legal", "counsel"))
    review_id = loan.open(lift_id, "security-signature")
    assert "security-head" not in desk.candidates(review_id)
    with pytest.raises(Refused) as caught:
        loan.answer(review_id, lift_id, "security-signature", "security-head")
    assert caught.value.code == "was-accused"


@pytest.mark.requirement("R67")
def test_a_hold_is_not_lifted_by_who_was_accused_since_the_decision(loan: LoanDesk) -> None:
    desk = loan.desk
    add_legal(desk)
    number = desk.the(Document, kind="application-form", application_id=loan.application_id).number
    hold = desk.run(held.place, number, by="security-deputy", cause="manual", reason="复核中")
    loan.agreed(str(hold.matter_id), ("legal", "counsel"))
    loan.apply(str(hold.matter_id))
    lift_id = desk.run(held.ask_lift, hold.id, "不再需要", by="security-deputy").id
    loan.agreed(lift_id, ("legal", "counsel"), ("security-signature", "security-head"))
    leaked(loan, "security-head")
    assert not loan.apply(lift_id)
    assert (loan.matter(lift_id).closed_as, desk.the(Hold, id=hold.id).lifted_at) == ("moot", None)
    assert desk.the(Hold, id=hold.id).lift_asked_at is None, "it can be asked for again"


@pytest.mark.requirement("R65", "R67")
def test_a_violation_that_nobody_is_left_to_handle_is_an_incident(loan: LoanDesk) -> None:
    desk, matter_id = loan.desk, leaked(loan, "security-head")
    loan.desk.run(acts.reply, matter_id, "与我无关。", by="security-head")
    loan.decide(matter_id, MANAGEMENT, "manager", judgement=GRAVE)
    leave(desk, "security-deputy")
    with pytest.raises(Fatal, match="nobody may record the settlement"):
        desk.run(tasks.record_sanctions, matter_id)
    assert not desk.all(Sanction)

    def return_(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "security-deputy").active = True

    desk.run(return_)
    desk.run(tasks.record_sanctions, matter_id)
    loan.decide(matter_id, "referral", "manager2", judgement=Judgement(authority="市公安局"))
    leave(desk, "security-deputy")
    with pytest.raises(Fatal, match="nobody may hand the evidence over"):
        desk.run(tasks.begin_referral, matter_id)
    assert not desk.all(Hold)
    with pytest.raises(Fatal, match="nobody may record the referral"):
        desk.run(tasks.remind, matter_id, 77)
    desk.run(return_)
    desk.run(tasks.begin_referral, matter_id)
    assert [one.person_id for one in desk.all(Notice, code="violation-refer")] == ["security-deputy"]


@pytest.mark.requirement("R57", "R58", refuses=True)
def test_nothing_is_handed_out_after_the_use_period_though_no_job_has_suspended_it(provided: ProvidingDesk) -> None:
    matter_id, copy_id = provided.allowed(), provided.ids["copy_id"]
    act, desk = disclosures.list_download, provided.desk
    download_id = desk.run(act, matter_id, copy_id, address="x", by="reviewer2").id
    due_at = provided.loan.due_at
    assert due_at is not None
    desk.clock.turn(due_at - desk.clock.now())
    assert refused(desk, act, matter_id, copy_id, address="x", by="reviewer2") == "use-period-over"
    for other in (disclosures.start_download, disclosures.file_of):
        assert refused(desk, other, download_id, by="reviewer2") == "use-period-over"


@pytest.mark.requirement("R57", refuses=True)
def test_who_has_lost_access_to_footage_hands_none_out(provided: ProvidingDesk) -> None:
    matter_id, copy_id = provided.allowed(), provided.ids["copy_id"]
    provided.desk.run(lambda uow: suspensions.open_for_person(uow, "reviewer2", suspensions.VIOLATION))
    act = disclosures.list_download
    assert refused(provided.desk, act, matter_id, copy_id, address="x", by="reviewer2") == "person-suspended"
    provided.desk.run(act, matter_id, copy_id, address="x", by="reviewer")


@pytest.mark.requirement("R57", "R58", refuses=True)
async def test_no_text_for_people_outside_hides_or_breaks_what_is_signed(tmp_path: Path) -> None:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent_to_security)
    matter_id, draft = ProvidingDesk(desk, ids).allowed(), drafted(desk)
    async with Portal(desk) as portal:
        client = await portal.signed_in(DRAFTER)
        for hidden in ("1\u202e2", "1\x002", "1\n2", "1\u20282"):
            for field in ("title", "number"):
                letter = {"title": "通知书", "number": "1", "date": "2031-03-03", "sealChecked": True, field: hidden}
                body = {"kind": "authority", "letter": letter}
                answer = await client.put(f"/api/applications/{draft}/on-behalf", json=body)
                assert answer.status_code == 422, (field, hidden)
        lead = await portal.signed_in("reviewer2")
        typed = {"csrf_token": lead.headers["X-CSRF-Token"], "note": "a\u202eb", "outsiderIds": "nobody"}
        page = await lead.post(f"/disclosures/{matter_id}/receipt", data=typed)
        assert page.status_code == 422
    desk.close()


@pytest.mark.requirement("R65")
def test_an_accused_administrator_is_heard_and_sees_no_other_violation(loan: LoanDesk) -> None:
    matter_id, other = leaked(loan, "admin"), loan.ask("violation", "supervisor", violationKind="finding")
    loan.desk.run(acts.reply, matter_id, "不是我导出的。", by="admin")
    [shown] = loan.desk.run(matter_queries.read, by="admin").lines
    assert (shown.id, shown.opened_by) == (matter_id, None)
    assert loan.matter(matter_id).facts["replies"][0]["by"] == "admin"
    with pytest.raises(NotFound):
        loan.desk.run(matter_queries.get, other, by="admin")


@pytest.mark.requirement("R65")
def test_whom_the_case_concerns_is_not_told_of_it_by_an_accusation(any_database_url: str) -> None:
    desk, ids = prepared_desk(any_database_url, lent)
    loan = LoanDesk(desk, ids)
    with pytest.raises(Refused) as caught:
        loan.ask("violation", "supervisor", violationKind="finding", accusedId="deputy")
    assert (caught.value.code, caught.value.field) == ("accused-concerned", "accusedId")
    assert not desk.all(Notice, person_id="deputy", application_id=loan.application_id)
    desk.close()


@pytest.mark.requirement("R47", refuses=True)
def test_custody_is_not_given_to_who_has_lost_access_to_footage(loan: LoanDesk) -> None:
    loan.desk.run(lambda uow: suspensions.open_for_person(uow, "operator2", suspensions.VIOLATION))
    with pytest.raises(Refused) as caught:
        loan.ask("custody-transfer", toPersonId="operator2")
    assert caught.value.code == "not-now"


async def test_about_a_draft_there_is_nothing_to_ask(tmp_path: Path) -> None:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'books.db'}")
    draft, asked = drafted(desk), {"reason": "还要用。", "dueAt": "2031-04-01T00:00:00Z"}
    async with Portal(desk) as portal:
        client = await portal.signed_in(DRAFTER)
        body = {"kind": "extension", "applicationId": draft, "asked": asked}
        answer = await client.post("/api/matters", json=body)
        assert problem(answer) == (409, "not-now", None)
        assert (await client.get(f"/matters/new/extension?case={draft}")).status_code == 409
    desk.close()


@pytest.mark.requirement("R57")
def test_what_was_fetched_to_be_handed_out_is_among_who_saw_the_footage(provided: ProvidingDesk) -> None:
    matter_id, copy_id, desk = provided.allowed(), provided.ids["copy_id"], provided.desk
    download_id = desk.run(disclosures.list_download, matter_id, copy_id, address="203.0.113.9", by="reviewer2").id
    desk.run(disclosures.start_download, download_id, by="reviewer2")
    now = desk.clock.now()
    seen = desk.run(footage_viewers.list_all, "camera", Span(now - timedelta(days=2), now), by="supervisor")
    assert [(one.how, one.person_id, one.address) for one in seen] == [
        ("fetched", "reviewer2", "203.0.113.9"),
        ("received", DRAFTER, None),
    ]

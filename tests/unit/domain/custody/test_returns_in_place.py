"""A custodian who has left returns nothing: the head of the department does, and attests for nobody (R38, R39, R45)."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from loan_matter import LoanDesk, lent
from on_site_case import COMPANION, OnSiteDesk, lent_on_site
from portal_client import Portal, problem
from prepared_desk import prepared_desk
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.custody import CustodyEntry, HandOver
from services.database.tables.documents import Document
from services.database.tables.people import Person
from services.database.tables.returns import Inspection, Return
from services.database.tables.work_orders import WorkOrder
from services.domain.access import parts
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures.given import Proof
from services.domain.cases import review_sheets
from services.domain.custody import loan_documents, return_sheet, returns
from services.domain.custody.returns import AttestedFate
from services.domain.staffing import leaving
from services.rendering.formatting import JsonView
from services.runtime.errors import NotFound, Refused

NOTHING = {"returnTo": "security", "noOtherCopies": False, "downloads": [], "password": PASSWORD}


def left(desk: ReviewDesk) -> dict[str, str]:
    ids = lent(desk)
    desk.run(leaving.leave, "keeper", by="admin")
    return ids


@pytest.fixture
def loan(any_database_url: str) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(any_database_url, left)
    yield LoanDesk(desk, ids)
    desk.close()


def give_back(loan: LoanDesk, by: str = "head", *fates: AttestedFate, no_other_copies: bool = False) -> Return:
    return loan.desk.run(
        returns.return_copies,
        loan.ids["hand_over_id"],
        return_to="security",
        fates=list(fates),
        no_other_copies=no_other_copies,
        proof=Proof("", PASSWORD),
        by=by,
    )


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(Refused) as caught:
        act()
    return caught.value.code


@pytest.mark.requirement("R38", "R39")
def test_the_head_returns_the_copies_and_each_download_is_a_finding_that_somebody_answers(loan: LoanDesk) -> None:
    returned = give_back(loan)

    assert (returned.returned_by, returned.attestation) == (
        "head",
        {"downloads": {}, "noOtherCopies": False, "inPlaceOf": "keeper"},
    )
    [entry] = loan.desk.all(CustodyEntry, event="returned")
    assert (entry.person_id, entry.detail["inPlaceOf"]) == ("head", "keeper")
    [signed] = loan.desk.all(AuditEvent, action="return-signed")
    assert signed.actor_id == "head"
    loan.desk.run(returns.record_inspection, loan.application_id, loan.ids["hand_over_id"], {})
    assert loan.desk.the(Inspection).findings == [
        {"code": "download-not-attested", "download": loan.ids["download_id"]}
    ]
    assert [row.kind for row in loan.desk.all(WorkOrder)] == ["download-account"]


@pytest.mark.requirement("R38", refuses=True)
def test_nobody_attests_for_the_custodian_who_has_left(loan: LoanDesk) -> None:
    fate = AttestedFate(loan.ids["download_id"], "destroyed")

    assert code_of(lambda: give_back(loan, "head", fate)) == "attestation-not-yours"
    assert code_of(lambda: give_back(loan, no_other_copies=True)) == "attestation-not-yours"
    assert code_of(lambda: give_back(loan, "head", fate, no_other_copies=True)) == "attestation-not-yours"
    assert not loan.desk.all(Return)


@pytest.mark.requirement("R38", refuses=True)
@pytest.mark.parametrize("by", ["drafter", "reviewer", "security-head", "operator", "manager", "admin", "supervisor"])
def test_nobody_but_the_head_of_the_department_returns_them_in_their_place(loan: LoanDesk, by: str) -> None:
    with pytest.raises(NotFound):
        give_back(loan, by)
    assert not loan.desk.all(Return)


@pytest.mark.requirement("R38", refuses=True)
def test_a_deputy_whom_the_case_concerns_does_not_return_them(loan: LoanDesk) -> None:
    with pytest.raises(NotFound):
        give_back(loan, "deputy")  # a subject of the case


@pytest.mark.requirement("R38", refuses=True)
def test_while_the_custodian_is_there_nobody_else_returns_them(any_database_url: str) -> None:
    desk, ids = prepared_desk(any_database_url, lent)
    loan = LoanDesk(desk, ids)
    with pytest.raises(NotFound):
        give_back(loan)
    desk.close()


@pytest.mark.requirement("R44", refuses=True)
def test_frozen_copies_stay_where_they_are_in_the_place_of_the_custodian_too(loan: LoanDesk) -> None:
    loan.report("head", "gap")

    assert code_of(lambda: give_back(loan)) == "copy-frozen"


@pytest.mark.requirement("R39", refuses=True)
def test_who_returned_them_decides_nothing_about_the_return(loan: LoanDesk) -> None:
    give_back(loan)

    facts = loan.desk.run(access_queries.load_facts, loan.application_id)
    directory = loan.desk.run(access_queries.load_directory)
    assert "head" in facts.custodians
    assert parts.duty_refusal(directory, facts, "return-inspection", "head") is not None


@pytest.mark.requirement("R46")
def test_the_account_of_who_has_left_ends_once_the_copies_are_back(loan: LoanDesk) -> None:
    give_back(loan)
    loan.desk.run(returns.record_inspection, loan.application_id, loan.ids["hand_over_id"], {})
    loan.desk.run(leaving.settle)

    assert not loan.desk.the(Person, id="keeper").active
    assert code_of(lambda: loan.ask("custody-transfer", "head", toPersonId="drafter")) == "not-now"


@pytest.mark.requirement("R39")
def test_inspector_and_sheet_read_who_has_returned_them_and_that_nobody_has_attested(loan: LoanDesk) -> None:
    give_back(loan)
    hand_over_id = loan.ids["hand_over_id"]
    loan.desk.run(returns.record_inspection, loan.application_id, hand_over_id, {})
    review_id = loan.desk.opened(loan.application_id, "return-inspection", hand_over_id=hand_over_id)

    sheet = loan.desk.run(review_sheets.get_return, review_id, by="reviewer")
    assert (sheet.custodian, sheet.returned_by) == ("keeper", "head")
    assert [row.fate for row in sheet.downloads] == [None]

    loan.desk.decide(review_id, "inspector", "discrepancy", reason="保管人离职，一次下载无人说明。")
    loan.desk.run(lambda uow: loan_documents.write_at_end(uow, uow.session.get_one(HandOver, hand_over_id)))
    [document] = loan.desk.all(Document, kind="return-inspection")
    content = json.loads(document.content)
    assert (content["returnedBy"]["name"], content["inPlaceOf"]["name"]) == ("head", "keeper")
    [facts, *_] = return_sheet.lay_out(JsonView(content, "Asia/Shanghai"))
    said = str(facts)
    assert "head（代已离职的保管人keeper）" in said
    assert "无人声明" in said
    assert "归还人声明没有保留" not in said


@pytest.mark.requirement("R38", refuses=True)
async def test_the_case_offers_it_to_the_head_alone_and_its_form_takes_no_attestation(loan: LoanDesk) -> None:
    case, form = f"/cases/{loan.application_id}", f"/hand-overs/{loan.ids['hand_over_id']}/return"
    async with Portal(loan.desk) as portal:
        head, reviewer = await portal.signed_in("head"), await portal.signed_in("reviewer")
        assert f'href="{form}"' in (await head.get(case)).text
        assert (await head.get(f"/api{case}")).json()["mayReturnInPlace"]
        assert f'href="{form}"' not in (await reviewer.get(case)).text
        assert (await reviewer.get(form)).status_code == 404
        assert (await head.get(f"/hand-overs/{loan.ids['hand_over_id']}")).status_code == 404
        page = (await head.get(form)).text
        assert "代已离职的keeper归还" in page
        assert "noOtherCopies" not in page

        api = f"/api{form}"
        attested = {**NOTHING, "downloads": [{"downloadId": loan.ids["download_id"], "fate": "destroyed"}]}
        assert problem(await head.post(api, json=attested)) == (422, "attestation-not-yours", "downloads")
        assert (await reviewer.post(api, json=NOTHING)).status_code == 404
        typed = {"returnTo": "storage", "password": PASSWORD, "csrf_token": head.headers["X-CSRF-Token"]}
        answer = await head.post(form, data=typed)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, case)
        assert f'href="{form}"' not in (await head.get(case)).text
    assert loan.desk.the(Return).return_to == "storage"


@pytest.mark.requirement("R38", refuses=True)
def test_a_viewing_on_site_of_who_has_left_ends_by_itself_before_the_copies_are_returned(any_database_url: str) -> None:
    desk, ids = prepared_desk(any_database_url, lent_on_site)
    room = OnSiteDesk(desk, ids)
    room.begin()
    desk.run(leaving.leave, COMPANION, by="admin")

    assert code_of(lambda: give_back(room, "security-head")) == "sitting-open"
    desk.clock.turn(timedelta(minutes=11))
    assert give_back(room, "security-head").attestation["inPlaceOf"] == COMPANION
    desk.close()

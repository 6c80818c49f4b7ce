"""Violations over the API and on the pages: recorded, replied to, decided, referred and settled."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from behalf_case import add_legal
from loan_matter import LoanDesk, lent
from portal_client import Portal, problem
from prepared_desk import prepared_desk
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.database.tables.violations import Hearing, Sanction, Violation
from services.database.unit_of_work import UnitOfWork
from services.domain.custody import violations
from services.domain.matters.violations import tasks
from services.domain.matters.violations.assessment import Assessment

MINOR = Assessment("minor", "violation-security", suspend_person=False, referral_asked=False)


def violated(desk: ReviewDesk) -> dict[str, str]:
    ids = lent(desk)
    desk.clock.turn(timedelta(days=15) + desk.rules.grace_period + timedelta(hours=1))
    violation = desk.run(violations.open_overdue, ids["application_id"], ids["hand_over_id"])
    assert violation is not None
    matter_id = str(violation.matter_id)
    desk.run(tasks.assess, matter_id, 1)
    desk.run(tasks.serve, matter_id, MINOR)
    return {**ids, "matter_id": matter_id, "violation_id": violation.id}


@pytest.fixture
def loan(tmp_path: Path) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", violated)
    yield LoanDesk(desk, ids)
    desk.close()


@pytest.fixture
async def portal(loan: LoanDesk) -> AsyncIterator[Portal]:
    async with Portal(loan.desk) as portal:
        yield portal


@pytest.mark.requirement("R65", "R66", "R67")
async def test_a_violation_goes_from_the_reply_to_its_settlement_on_the_pages(portal: Portal, loan: LoanDesk) -> None:
    address = f"/matters/{loan.ids['matter_id']}"
    keeper = await portal.signed_in("keeper")
    csrf = {"csrf_token": keeper.headers["X-CSRF-Token"]}
    shown = await keeper.get(address)
    assert shown.status_code == 200
    assert f"{address}/reply" in shown.text
    assert f'href="{address}"' in (await keeper.get(f"/cases/{loan.application_id}")).text
    empty = await keeper.post(f"{address}/reply", data={"text": "", **csrf})
    assert empty.status_code == 422
    sent = await keeper.post(f"{address}/reply", data={"text": "当时在医院。", **csrf})
    assert sent.status_code == 303, sent.text
    assert "当时在医院。" in (await keeper.get(address)).text
    assert (await keeper.post(f"{address}/reply", data={"text": "再说", **csrf})).status_code == 409

    review_id = loan.open(loan.ids["matter_id"], "violation-security")
    decider = await portal.signed_in("security-deputy")
    form = await decider.get(f"/reviews/{review_id}")
    assert form.status_code == 200
    assert "judgement-sanctions-0-kind" in form.text
    typed = {
        "csrf_token": decider.headers["X-CSRF-Token"],
        "formSha256": loan.matter(loan.ids["matter_id"]).facts_sha256,
        "outcome": "upheld",
        "answers-facts-clear": "true",
        "answers-heard": "true",
        "reason": "经核实。",
        "password": PASSWORD,
        "judgement-severity": "moderate",
        "judgement-loss": "true",
        "judgement-lossAmount": "120.50",
        "judgement-referral": "true",
    }
    refused = await decider.post(f"/reviews/{review_id}/decide", data=typed)
    assert refused.status_code == 422, "an upheld violation has a sanction"
    ticked = {"judgement-sanctions-0-kind": "warning", "judgement-sanctions-0-personId": "keeper"}
    decided = await decider.post(f"/reviews/{review_id}/decide", data={**typed, **ticked})
    assert decided.status_code == 303, decided.text
    loan.desk.run(tasks.record_sanctions, loan.ids["matter_id"])
    assert [(row.kind, row.person_id) for row in loan.desk.all(Sanction)] == [("warning", "keeper")]

    referral = loan.open(loan.ids["matter_id"], "referral")
    manager = await portal.signed_in("manager")
    asked = await manager.get(f"/reviews/{referral}")
    assert "judgement-authority" in asked.text
    answer = await manager.post(
        f"/reviews/{referral}/decide",
        data={
            **{"csrf_token": manager.headers["X-CSRF-Token"], "formSha256": typed["formSha256"]},
            **{"outcome": "approved", "opinion": "应当移送。", "password": PASSWORD},
            "judgement-authority": "三号区公安分局",
        },
    )
    assert answer.status_code == 303, answer.text
    loan.desk.run(tasks.begin_referral, loan.ids["matter_id"])
    loan.desk.clock.turn(timedelta(hours=2))
    lead = await portal.signed_in("security-deputy")
    assert f"{address}/referral" in (await lead.get(address)).text
    assert f'href="{address}#referral"' in (await lead.get("/")).text
    assert f'href="{address}#referral"' not in (await manager.get("/")).text
    local = (loan.desk.clock.now() + timedelta(hours=8) - timedelta(minutes=30)).strftime("%Y-%m-%dT%H:%M")
    mark = {"csrf_token": lead.headers["X-CSRF-Token"]}
    handed = {"authority": "公安", "handedAt": local, "receipt": "一号", "packageSha256": "ab" * 32, **mark}
    unknown = await lead.post(f"{address}/referral", data=handed)
    assert unknown.status_code == 422
    assert "这不是本系统为本案制作的证据包" in unknown.text
    said = {**handed, "unknownPackageBecause": "由公安机关制作。"}
    answer = await lead.post(f"{address}/referral", data=said)
    assert answer.status_code == 303, answer.text
    assert "非本系统制作的证据包" in (await lead.get(address)).text
    assert f"{address}/settlement" in (await lead.get(address)).text
    assert f'href="{address}#settlement"' in (await lead.get("/")).text
    settled = await lead.post(f"{address}/settlement", data={"account": "已赔偿", "amount": "120.50", **mark})
    assert settled.status_code == 303, settled.text
    assert "120.50 CNY" in (await lead.get(address)).text
    loan.close(loan.ids["matter_id"], "handled")
    sheet = json.loads(loan.desk.the(Document, subject_id=loan.ids["matter_id"], kind="violation").content)
    assert (sheet["settlement"]["amount"], sheet["settlement"]["currency"]) == ("120.50", "CNY")
    [judged] = [one["judgement"] for one in sheet["decisions"] if "loss" in (one["judgement"] or {})]
    assert (judged["lossAmount"], judged["lossCurrency"]) == ("120.50", "CNY")
    for path in (address, "/matters", "/matters?kind=violation&state=closed"):
        assert loan.matter(loan.ids["matter_id"]).number in (await lead.get(path)).text


@pytest.mark.requirement("R65")
async def test_security_records_a_violation_and_starts_an_older_one(portal: Portal, loan: LoanDesk) -> None:
    security = await portal.signed_in("reviewer2")
    csrf = {"csrf_token": security.headers["X-CSRF-Token"]}
    new = f"/matters/new/violation?case={loan.application_id}"
    assert (await security.get(new)).status_code == 200
    assert (await security.get(f"{new}&person=operator")).status_code == 200
    recorded = await security.post(new, data={"violationKind": "breach", "reason": "外借他人。", **csrf})
    assert recorded.status_code == 303, recorded.text
    assert len(loan.desk.all(Matter, kind="violation")) == 2

    def as_before(uow: UnitOfWork) -> None:
        uow.session.get_one(Violation, loan.ids["violation_id"]).matter_id = None

    loan.desk.run(as_before)
    start = f"/matters/violations/{loan.ids['violation_id']}/start"
    assert start in (await security.get(f"/cases/{loan.application_id}")).text
    assert (await security.post(start, data=csrf)).status_code == 303
    keeper = await portal.signed_in("keeper")
    api = f"/api/violations/{loan.ids['violation_id']}/start"
    assert problem(await keeper.post(api))[:2] == (403, "violation-handlers-only")


@pytest.mark.requirement("R41", refuses=True)
@pytest.mark.requirement("R65")
async def test_legal_records_a_violation_by_number_and_sees_no_more_of_the_case(portal: Portal, loan: LoanDesk) -> None:
    add_legal(loan.desk)
    application = loan.desk.the(Application, id=loan.application_id)
    legal = await portal.signed_in("counsel")
    csrf = {"csrf_token": legal.headers["X-CSRF-Token"]}
    assert (await legal.get(f"/cases/{application.id}")).status_code == 404
    assert (await legal.get(f"/matters/new/violation?case={application.id}")).status_code == 404
    assert "/matters/violations/new" in (await legal.get("/matters")).text
    form = {"violationKind": "finding", "reason": "<b>外传</b>", **csrf}
    assert (await legal.get("/matters/violations/new")).status_code == 200
    unknown = await legal.post("/matters/violations/new", data={**form, "number": "SQ-1999-000001"})
    assert (unknown.status_code, "没有此编号的申请或文书" in unknown.text) == (422, True)
    assert "&lt;b&gt;外传" in unknown.text

    document = loan.desk.all(Document, application_id=application.id)[0].number
    recorded = await legal.post("/matters/violations/new", data={**form, "number": f" {document.lower()} "})
    assert recorded.status_code == 303, recorded.text
    [matter] = [one for one in loan.desk.all(Matter, kind="violation") if one.opened_by is not None]
    for path in (recorded.headers["location"], "/matters"):
        page = (await legal.get(path)).text
        assert str(application.number) in page
        assert f"/cases/{application.id}" not in page
        assert not application.title or application.title not in page
    view = (await legal.get(f"/api/matters/{matter.id}")).json()
    assert (view["title"], view["caseVisible"]) == (None, False)

    api = {"number": str(application.number), "violationKind": "breach", "reason": "x"}
    for login in ("keeper", "head", "operator2", "admin"):
        stranger = await portal.signed_in(login)
        assert problem(await stranger.post("/api/violations", json=api))[:2] == (403, "not-yours")
        assert (await stranger.get("/matters/violations/new")).status_code == 403
        assert "/matters/violations/new" not in (await stranger.get("/matters")).text

    def concern(uow: UnitOfWork) -> None:
        uow.session.get_one(Application, application.id).subject_ids = ["counsel"]

    loan.desk.run(concern)  # who must not learn of it gets the answer for a number that there is not
    assert problem(await legal.post("/api/violations", json=api))[:2] == (422, "number-unknown")


@pytest.mark.requirement("R62", refuses=True)
async def test_who_is_accused_finds_no_title_by_its_letters_that_no_line_shows(portal: Portal, loan: LoanDesk) -> None:
    loan.desk.classed(loan.application_id, title="三号门货物丢失")

    def accuse(uow: UnitOfWork) -> None:
        uow.session.add(Hearing(matter_id=loan.ids["matter_id"], person_id="manager2", part="accused"))

    loan.desk.run(accuse)
    accused, keeper = await portal.signed_in("manager2"), await portal.signed_in("keeper")
    matter = loan.matter(loan.ids["matter_id"])

    async def finds(browser: httpx.AsyncClient, text: str) -> tuple[bool, bool]:
        page = (await browser.get("/matters", params={"text": text})).text
        return f'href="/matters/{matter.id}"' in page, "三号门货物丢失" in page

    for text, found in (("", True), (matter.number, True), ("三", False), ("三号门", False)):
        assert await finds(accused, text) == (found, False), text
    assert await finds(keeper, "三号门") == (True, True)


@pytest.mark.requirement("R65", "R66", "R67")
async def test_the_api_has_the_same_acts(portal: Portal, loan: LoanDesk) -> None:
    address = f"/api/matters/{loan.ids['matter_id']}"
    keeper = await portal.signed_in("keeper")
    view = (await keeper.get(address)).json()
    assert (view["openedBy"], view["violation"]["mayReply"], view["document"]) == (None, True, None)
    assert problem(await keeper.post(f"{address}/settlement", json={"account": "x"}))[:2] == (
        403,
        "violation-leaders-only",
    )
    replied = await keeper.post(f"{address}/reply", json={"text": "当时在医院。"})
    assert replied.json()["violation"]["mayReply"] is False
    stranger = await portal.signed_in("operator2")
    assert problem(await stranger.get(address))[0] == 404
    lead = await portal.signed_in("security-deputy")
    body = {"authority": "x", "handedAt": "2031-03-22T14:00:00Z", "receipt": "x", "packageSha256": "ab" * 32}
    assert problem(await lead.post(f"{address}/referral", json=body))[:2] == (409, "not-referred")
    assert problem(await lead.post(f"{address}/settlement", json={"account": "x"}))[:2] == (409, "no-loss")

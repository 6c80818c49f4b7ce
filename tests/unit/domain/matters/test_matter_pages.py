"""Matters over the API and on the pages: asked on the page of a loan, read by whoever may, decided in the inbox."""

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from loan_matter import LoanDesk, lent
from portal_client import Portal, problem
from prepared_desk import prepared_desk
from review_desk import PASSWORD

from services.database.tables.documents import Document
from services.database.tables.matters import Matter
from services.domain.accounts.signatures import signed_acts
from services.domain.matters import problems
from services.domain.stages.catalogue import STAGES

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.fixture
def loan(tmp_path: Path) -> Iterator[LoanDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent)
    yield LoanDesk(desk, ids)
    desk.close()


@pytest.fixture
async def portal(loan: LoanDesk) -> AsyncIterator[Portal]:
    async with Portal(loan.desk) as portal:
        yield portal


def body(loan: LoanDesk, **changes: object) -> dict[str, object]:
    asked = {"dueAt": loan.later(7), "reason": "原用途尚未完成。"}
    return {"kind": "extension", "applicationId": loan.application_id, "asked": asked, **changes}


@pytest.mark.requirement("R50")
async def test_an_extension_is_asked_and_read_over_the_api(portal: Portal, loan: LoanDesk) -> None:
    keeper = await portal.signed_in("keeper")
    answer = await keeper.post("/api/matters", json=body(loan))
    assert answer.status_code == 201, answer.text
    matter = answer.json()
    assert (matter["kind"], matter["state"], matter["openedBy"]) == ("extension", "open", "keeper")
    assert {line["nameEn"] for line in matter["lines"]} >= {"Due now", "To be due", "Reason"}

    listed = (await keeper.get("/api/matters?mine=true")).json()
    assert [line["id"] for line in listed["matters"]] == [matter["id"]]
    assert (await keeper.get(f"/api/matters/{matter['id']}")).json()["number"] == matter["number"]
    offers = (await keeper.get(f"/api/cases/{loan.application_id}/matters/offers")).json()
    assert [offer["kind"] for offer in offers["offers"]] == ["extension", "custody-transfer", "problem", "redaction"]


@pytest.mark.requirement("R2", "R50")
async def test_strangers_ask_and_read_nothing(portal: Portal, loan: LoanDesk) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(7))
    for login in ("admin", "deputy"):
        client = await portal.signed_in(login)
        assert problem(await client.post("/api/matters", json=body(loan)))[0] == 404
        assert problem(await client.get(f"/api/matters/{matter_id}"))[0] == 404
        assert (await client.get("/api/matters")).json()["matters"] == []
    reviewer = await portal.signed_in("reviewer2")
    assert problem(await reviewer.post("/api/matters", json=body(loan)))[:2] == (403, "not-yours")


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"kind": "nothing"}, (404, "not-found", None)),
        ({"asked": {"dueAt": "tomorrow", "reason": "r"}}, (422, "missing", "dueAt")),
        ({"asked": {"dueAt": "2031-03-25T00:00:00Z", "reason": " "}}, (422, "missing", "reason")),
        ({"asked": {"dueAt": "2031-03-25T00:00:00Z", "reason": "r", "more": 1}}, (422, "missing", "more")),
    ],
)
async def test_what_is_filled_in_wrongly_is_named(
    portal: Portal, loan: LoanDesk, changes: dict[str, object], expected: tuple[int, str, str | None]
) -> None:
    keeper = await portal.signed_in("keeper")
    assert problem(await keeper.post("/api/matters", json=body(loan, **changes))) == expected
    assert not loan.desk.all(Matter)


@pytest.mark.requirement("R50")
async def test_an_extension_takes_a_link_and_a_button(portal: Portal, loan: LoanDesk) -> None:
    keeper = await portal.signed_in("keeper")
    page = await keeper.get(f"/hand-overs/{loan.ids['hand_over_id']}")
    assert f"/matters/new/extension?case={loan.application_id}" in page.text
    form = await keeper.get(f"/matters/new/extension?case={loan.application_id}")
    assert form.status_code == 200
    assert "checked" in form.text

    answer = await keeper.post(
        f"/matters/new/extension?case={loan.application_id}",
        data={"dueAt": loan.later(7), "reason": "原用途尚未完成。", "csrf_token": keeper.headers["X-CSRF-Token"]},
    )
    assert answer.status_code == 303, answer.text
    [matter] = loan.desk.all(Matter)
    assert answer.headers["location"] == f"/matters/{matter.id}"
    for path in (answer.headers["location"], "/matters", "/matters?kind=extension&state=open&mine=true"):
        shown = await keeper.get(path)
        assert shown.status_code == 200
        assert matter.number in shown.text


async def test_each_form_opens_and_a_refusal_keeps_what_was_typed(portal: Portal, loan: LoanDesk) -> None:
    head = await portal.signed_in("head")
    for kind in ("extension", "purpose-change", "custody-transfer"):
        assert (await head.get(f"/matters/new/{kind}?case={loan.application_id}")).status_code == 200
    found = await head.get(f"/matters/new/custody-transfer?case={loan.application_id}&person=operator2")
    assert 'name="toPersonId"' not in found.text  # of another department
    assert "drafter" in (await head.get(f"/matters/new/custody-transfer?case={loan.application_id}")).text
    answer = await head.post(
        f"/matters/new/purpose-change?case={loan.application_id}",
        data={"purpose": "用于培训", "wayOfUse": "view", "reason": "", "csrf_token": head.headers["X-CSRF-Token"]},
    )
    assert answer.status_code == 422
    assert "用于培训" in answer.text


@pytest.mark.requirement("R46", refuses=True)
async def test_the_form_of_a_transfer_offers_nobody_who_is_refused_afterwards(portal: Portal, loan: LoanDesk) -> None:
    head = await portal.signed_in("security-deputy")
    form = f"/matters/new/custody-transfer?case={loan.application_id}"
    token = {"reason": "r", "csrf_token": head.headers["X-CSRF-Token"], "password": PASSWORD}
    # who has decided, the custodian, a person concerned, an administrator, and whoever asks
    for person in ("reviewer", "security-head", "keeper", "deputy", "admin", "security-deputy"):
        assert f'name="toPersonId" value="{person}"' not in (await head.get(f"{form}&person={person}")).text
        answer = await head.post(form, data={"toPersonId": person, **token})
        assert answer.status_code == 409, answer.text
    shown = (await head.get(f"{form}&person=operator2")).text
    assert 'name="toPersonId" value="operator2"' in shown
    assert 'name="password"' in shown
    assert not loan.desk.all(Matter)


@pytest.mark.requirement("R25", "R47", refuses=True)
async def test_a_transfer_is_asked_for_with_a_signature(portal: Portal, loan: LoanDesk) -> None:
    keeper = await portal.signed_in("keeper")
    form = f"/matters/new/custody-transfer?case={loan.application_id}"
    typed = {"reason": "r", "toPersonId": "drafter", "csrf_token": keeper.headers["X-CSRF-Token"]}
    for password in ({}, {"password": "wrong"}):
        refused = await keeper.post(form, data={**typed, **password})
        assert refused.status_code in (403, 422), refused.text
    asked = {"kind": "custody-transfer", "applicationId": loan.application_id}
    asked["asked"] = {"reason": "r", "toPersonId": "drafter"}  # type: ignore[assignment]  # of JSON
    assert problem(await keeper.post("/api/matters", json=asked))[:2] == (422, "signature-missing")
    assert not loan.desk.all(Matter)

    assert (await keeper.post(form, data={**typed, "password": PASSWORD})).status_code == 303
    [matter] = loan.desk.all(Matter)
    statement = matter.signature["statement"]  # type: ignore[index]  # it is signed
    assert (statement["person"], statement["toPerson"]) == ("keeper", "drafter")
    assert statement["copies"] == matter.facts["before"]["copies"]
    loan.agreed(matter.id, ("custody-receipt", "drafter"))
    assert loan.apply(matter.id)
    sheet = json.loads(loan.desk.the(Document, number=matter.number).content)
    assert [call["by"]["id"] for call in sheet["calls"]] == ["keeper"]
    kinds = [act.kind for act in loan.desk.run(signed_acts.of_application, loan.application_id)]
    assert kinds.count("custody-offer") == 1


async def test_the_custodian_finds_the_way_from_a_matter_to_the_loan(portal: Portal, loan: LoanDesk) -> None:
    matter_id, page = loan.ask("extension", dueAt=loan.later(7)), f"/hand-overs/{loan.ids['hand_over_id']}"
    keeper, reviewer = await portal.signed_in("keeper"), await portal.signed_in("reviewer")
    assert f'href="{page}"' in (await keeper.get(f"/matters/{matter_id}")).text
    assert page not in (await reviewer.get(f"/matters/{matter_id}")).text
    assert (await reviewer.get(f"/api/matters/{matter_id}")).json()["holder"] is False


@pytest.mark.requirement("R22", "R25", "R50")
async def test_the_review_of_a_matter_shows_its_facts_and_is_signed_over_them(portal: Portal, loan: LoanDesk) -> None:
    matter_id = loan.ask("extension", dueAt=loan.later(7))
    loan.check(matter_id)
    review_id = loan.open(matter_id, "extension")
    matter = loan.matter(matter_id)
    reviewer = await portal.signed_in("reviewer")

    inbox = await reviewer.get("/inbox")
    assert matter.number in inbox.text
    page = await reviewer.get(f"/reviews/{review_id}")
    assert matter.facts_sha256 in page.text
    assert "scope-0" not in page.text
    answer = await reviewer.post(
        f"/api/reviews/{review_id}/decide",
        json={
            "outcome": "approved",
            "answers": {"same-purpose": True, "needed": True, "within-maximum": True},
            "formSha256": matter.facts_sha256,
            "password": PASSWORD,
        },
    )
    assert answer.status_code == 200, answer.text
    assert loan.apply(matter_id)
    case = await reviewer.get(f"/cases/{loan.application_id}")
    assert matter.number in case.text
    assert (await reviewer.get(f"/api/documents/{matter.number}/print")).status_code == 200
    assert (await reviewer.get(f"/matters/{matter_id}")).status_code == 200


@pytest.mark.requirement("R44")
async def test_who_answers_reads_before_that_the_copies_would_be_recalled(portal: Portal, loan: LoanDesk) -> None:
    review_id = loan.open(loan.report(), "problem")
    loan.desk.clock.turn(timedelta(days=30))
    reviewer = await portal.signed_in("reviewer")

    for language, told in (
        ("zh", ("本申请的副本不能更换：最长使用期限已用满。", "选择“重新调取并更换副本”，副本将被收回，借用结束")),
        ("en", ("under this application: its longest use period is used up.", "replace the copies” recalls them and")),
    ):
        reviewer.cookies.set("footage_desk_language", language)
        page = (await reviewer.get(f"/reviews/{review_id}")).text
        assert all(sentence in page for sentence in told)
        assert "judgement-replacements" not in page


@pytest.mark.requirement("R43")
async def test_a_problem_is_reported_with_a_button_and_answered_in_the_inbox(portal: Portal, loan: LoanDesk) -> None:
    keeper = await portal.signed_in("keeper")
    hand_over = f"/hand-overs/{loan.ids['hand_over_id']}"
    form = f"/matters/new/problem?case={loan.application_id}"
    assert form in (await keeper.get(hand_over)).text
    assert form in (await keeper.get(f"{hand_over}/report-loss")).text
    shown = await keeper.get(form)
    assert shown.status_code == 200
    for code in ("wrong-camera", "leaked", "other"):
        assert f'value="{code}"' in shown.text
    typed = {"position": "14:03:27", "expected": "三号门", "csrf_token": keeper.headers["X-CSRF-Token"]}
    again = await keeper.post(form, data={**typed, "problem": "wrong-camera", "reason": ""})
    assert (again.status_code, "三号门" in again.text) == (422, True)
    answer = await keeper.post(form, data={**typed, "problem": "wrong-camera", "reason": "是二号门的画面"})
    assert answer.status_code == 303, answer.text

    [matter] = loan.desk.all(Matter)
    frozen = (await keeper.get(hand_over)).text
    assert form not in frozen
    assert f'href="/matters/{matter.id}"' in frozen
    assert "/return" not in frozen.partition('class="acts"')[2].partition("</div>")[0]
    loan.desk.run(problems.freeze, matter.id, loan.instance)
    review_id = loan.open(matter.id, "problem")
    reviewer = await portal.signed_in("reviewer")
    page = (await reviewer.get(f"/reviews/{review_id}")).text
    assert "是二号门的画面" in page
    assert all(f'value="{outcome}"' in page for outcome in STAGES["problem"].outcomes)
    assert 'name="judgement-replacements-0-itemId"' in page
    assert "不能更换副本" not in page
    decision = {
        "answers-differs": "true",
        "answers-retrieve-anew": "true",
        "reason": "摄像头编号登记有误",
        "outcome": "replace",
        "judgement-replacements-0-itemId": loan.ids["item_id"],
        "formSha256": matter.facts_sha256,
        "password": PASSWORD,
        "csrf_token": reviewer.headers["X-CSRF-Token"],
    }
    unexplained = await reviewer.post(f"/reviews/{review_id}/decide", data={**decision, "reason": ""})
    assert unexplained.status_code == 422
    answered = await reviewer.post(f"/reviews/{review_id}/decide", data=decision)
    assert answered.status_code == 303, answered.text.partition("callout refused")[2][:600]
    loan.desk.run(problems.answer, matter.id, "recall the copies", ("replace",))

    for language, told in (
        ("zh", "按原批准重新调取并移交"),
        ("en", "retrieved and handed over again on the same approval"),
    ):
        keeper.cookies.set("footage_desk_language", language)
        read = (await keeper.get(f"/matters/{matter.id}")).text
        assert told in read
    api = (await keeper.get(f"/api/matters/{matter.id}")).json()
    assert (api["state"], api["document"]) == ("answered", matter.number)
    assert {line["nameEn"] for line in api["results"]} >= {"Answer of Security", "Frozen from", "Frozen until"}
    printed = (await keeper.get(f"/api/documents/{matter.number}/print")).text
    assert "重新调取" in printed
    assert (await keeper.get("/matters?kind=problem&state=closed")).status_code == 200
    history = (await reviewer.get(f"/cases/{loan.application_id}")).text
    assert matter.number in history


async def test_what_the_system_reports_has_nobody_s_name(portal: Portal, loan: LoanDesk) -> None:
    damaged = [{"kind": "copy", "id": loan.ids["copy_id"], "of": "1", "faults": ["bytes"]}]
    matter = loan.desk.run(problems.report_damage, loan.application_id, damaged)
    assert matter is not None
    review_id = loan.open(matter.id, "problem")
    keeper, reviewer = await portal.signed_in("keeper"), await portal.signed_in("reviewer")
    for client, path in (
        (keeper, f"/matters/{matter.id}"),
        (keeper, "/matters"),
        (keeper, f"/cases/{loan.application_id}"),
        (reviewer, f"/reviews/{review_id}"),
        (reviewer, "/inbox"),
    ):
        shown = await client.get(path)
        assert shown.status_code == 200, path
        assert "None" not in shown.text, path
    assert (await keeper.get(f"/api/matters/{matter.id}")).json()["openedBy"] is None
    assert (await keeper.get("/matters?csv=true")).status_code == 200
    loan.respond(matter.id, "explained")
    assert "系统" in (await keeper.get(f"/api/documents/{matter.number}/print")).text

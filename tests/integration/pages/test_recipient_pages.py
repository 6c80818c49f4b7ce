"""Who else sees the footage: chosen on the form, said when nobody is, and told wherever the use is told."""

import re

import httpx
import pytest
from apply_browser import HURRIED, filled, saved, value_of
from portal_client import Portal
from review_desk import ReviewDesk
from review_pages import text_of
from sqlalchemy import event, insert

from services.database.tables.applications import Application, Revision
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import directory
from services.domain.cases.document_layouts import render_page


async def offered(browser: httpx.AsyncClient, field: str, text: str, **named: list[str]) -> set[str]:
    """Whom the search beside a field of the form finds, beside those who are named already."""
    answer = await browser.get("/apply/people", params={"field": field, f"{field}Search": text, **named})
    assert answer.status_code == 200
    return set(re.findall(rf'name="act" value="person-{field}-([^"]+)"', answer.text))


def chosen(page: str) -> set[str]:
    """Who stands on the form already."""
    return set(re.findall(r'name="recipientIds" type="checkbox" value="([^"]+)" checked', page))


@pytest.mark.requirement("R21", "R57")
async def test_the_form_keeps_who_else_sees_the_footage_and_offers_the_others(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")

    application_id = await saved(browser, filled(recipientIds=["deputy", ""], subjectIds=["operator"]))
    typed = (await browser.get(f"/applications/{application_id}/edit")).text
    read = text_of(await browser.get(f"/applications/{application_id}/summary"))

    assert chosen(typed) == {"deputy"}
    named = {"recipientIds": ["deputy"], "custodianId": ["keeper"], "subjectIds": ["operator"]}
    assert await offered(browser, "recipientIds", "works", **named) == {"head", "drafter"}
    assert await offered(browser, "recipientIds", "reviewer", **named) == {"reviewer", "reviewer2"}
    for other in ("deputy", "keeper", "operator", "admin"):
        assert other not in await offered(browser, "recipientIds", other, **named)
    assert re.search(r"知悉人员\s*deputy", read)
    assert desk.the(Application).recipient_ids == ["deputy"]


@pytest.mark.requirement("R57")
async def test_without_a_name_the_custodian_alone_sees_the_footage(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")

    application_id = await saved(browser, filled(recipientIds=[""]))

    assert "仅保管人本人" in text_of(await browser.get(f"/applications/{application_id}/summary"))


@pytest.mark.requirement("R21", "R57", refuses=True)
async def test_who_may_not_see_it_is_said_with_a_link_and_is_not_handed_in(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    form = filled(recipientIds=["operator"], subjectIds=["operator"])

    answer = await browser.post("/apply/save", data=form, headers=HURRIED)
    handed_in = await browser.post(f"/applications/{form['applicationId']}/submit", data={"version": "1"})

    assert "operator是本案涉及人员" in answer.text
    assert 'href="#f-recipientIds"' in answer.text
    assert handed_in.status_code == 422
    assert desk.the(Application).submitted_at is None


@pytest.mark.requirement("R57")
async def test_a_copy_names_the_same_people_and_lets_who_has_left_be_taken_off(
    desk: ReviewDesk, portal: Portal
) -> None:
    earlier = desk.submitted(recipient_ids=("deputy", "head"))
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "head"), "active", False))
    browser = await portal.signed_in("drafter")

    copied = (await browser.get(f"/apply?from={earlier}")).text

    assert chosen(copied) == {"deputy", "head"}
    assert "head已离职" in copied


@pytest.mark.requirement("R21", "R57", refuses=True)
async def test_the_api_takes_the_list_and_gives_it_again(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")

    begun = await browser.post("/api/applications", json={"recipientIds": ["deputy", "head"]})
    draft = (await browser.get(f"/api/applications/{begun.json()['id']}/form")).json()
    unknown = await browser.post("/api/applications", json={"recipientIds": ["nobody"]})

    assert draft["form"]["recipientIds"] == ["deputy", "head"]
    assert (unknown.status_code, unknown.json()["field"]) == (422, "recipient_ids")


@pytest.mark.requirement("R57")
async def test_the_case_tells_who_may_be_shown_the_footage(desk: ReviewDesk, portal: Portal) -> None:
    application_id = desk.submitted(recipient_ids=("deputy", "office-head"))
    security = await portal.signed_in("reviewer")

    shown = text_of(await security.get(f"/cases/{application_id}"))
    told = (await security.get(f"/api/cases/{application_id}")).json()

    assert re.search(r"知悉人员\s*deputy[,，、]\s*office-head", shown)
    assert [one["id"] for one in told["form"]["recipients"]] == ["deputy", "office-head"]


@pytest.mark.requirement("R21", "R28", "R57")
@pytest.mark.parametrize(("named", "printed"), [(("deputy", "head"), "deputy、head"), ((), "仅保管人本人")])
def test_the_form_that_is_filed_prints_them(desk: ReviewDesk, named: tuple[str, ...], printed: str) -> None:
    desk.submitted(recipient_ids=named)
    form = desk.the(Revision).form
    granted = {"wayOfUse": "view", "useDays": 5, "items": []}
    filing = {"filedAt": form["submittedAt"], "importance": "ordinary", "granted": granted}

    content = {**form, **filing, "demo": False, "findings": [], "decisions": []}

    assert f'<th>知悉人员</th><td colspan="3">{printed}</td>' in render_page(
        "application-form", "SQ-1", "a" * 64, content
    )


@pytest.mark.requirement("R2", "R20", "R57")
async def test_people_are_searched_for_by_name_or_department_as_the_field_allows(
    desk: ReviewDesk, portal: Portal
) -> None:
    browser = await portal.signed_in("drafter")

    assert await offered(browser, "custodianId", "") == {"drafter", "keeper", "head", "deputy"}  # of the own department
    assert await offered(browser, "custodianId", "reviewer") == set()
    assert await offered(browser, "custodianId", "EEP", custodianId=["keeper"]) == set()
    assert await offered(browser, "recipientIds", "storage") == {"operator", "operator2"}
    assert await offered(browser, "recipientIds", "admin") == set()  # sees no footage
    assert await offered(browser, "subjectIds", "admin") == {"admin"}
    assert await offered(browser, "subjectIds", "%") == set()
    assert (await browser.get("/apply/people?field=recipientIds&recipientIdsSearch=%00")).status_code == 422
    assert (await browser.get("/apply/people?field=logins")).status_code == 422
    nobody = await browser.get("/apply/people", params={"field": "subjectIds", "subjectIdsSearch": "nobody"})
    assert "没有找到相应人员" in nobody.text


@pytest.mark.requirement("R21", "R57")
async def test_people_are_found_and_named_without_a_script(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    form = filled(act="find-recipientIds", recipientIds=["deputy"], recipientIdsSearch="operator2")

    found = await browser.post("/apply", data=form, follow_redirects=True)
    named = await browser.post(
        "/apply",
        data=filled(form["applicationId"], 1, act="person-recipientIds-operator2", recipientIds=["deputy"]),
        follow_redirects=True,
    )
    kept = await browser.post(
        "/apply",
        data=filled(form["applicationId"], 2, act="person-custodianId-head", recipientIds=["deputy", "operator2"]),
        follow_redirects=True,
    )

    assert re.findall(r'name="act" value="person-recipientIds-([^"]+)"', found.text) == ["operator2"]
    assert 'name="recipientIdsSearch" type="search" value="operator2"' in found.text
    assert chosen(found.text) == {"deputy"}
    assert chosen(named.text) == chosen(kept.text) == {"deputy", "operator2"}
    assert (value_of(named.text, "custodianId"), value_of(kept.text, "custodianId")) == ("keeper", "head")
    assert "<b>head</b>" in kept.text
    assert desk.the(Application).recipient_ids == ["deputy", "operator2"]


@pytest.mark.requirement("R21", "R57")
async def test_who_is_named_stays_on_a_form_that_could_not_be_saved(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    application_id = await saved(browser, filled())
    await saved(browser, filled(application_id, 1))

    older = filled(application_id, 0, act="person-subjectIds-operator", custodianId="head", recipientIds=["deputy"])
    refused = await browser.post("/apply", data=older)

    assert refused.status_code == 409
    assert value_of(refused.text, "custodianId") == "head"
    assert chosen(refused.text) == {"deputy"}
    assert re.search(r'name="subjectIds" type="checkbox" value="operator" checked', refused.text)


@pytest.mark.requirement("R20")
async def test_a_camera_is_searched_for_without_a_script(portal: Portal) -> None:
    browser = await portal.signed_in("drafter")

    nothing = await browser.post(
        "/apply", data=filled(act="search-0", items__0__cameraId="", cameraSearch="停车场"), follow_redirects=True
    )

    assert 'name="cameraSearch" type="search" value="停车场"' in nothing.text
    assert "camera-0-camera" not in nothing.text


@pytest.mark.requirement("R20")
async def test_the_form_reads_the_people_that_it_names_and_a_few_to_choose_from(
    desk: ReviewDesk, portal: Portal
) -> None:
    def hire(uow: UnitOfWork) -> None:
        rows = [
            {"id": f"p{n}", "login": f"p{n}", "name": f"某{n}", "department_id": "works", "password_hash": ""}
            for n in range(300)
        ]
        uow.session.execute(insert(Person), rows)

    desk.run(hire)
    browser = await portal.signed_in("drafter")
    read: list[object] = []

    def note(row: object, _context: object) -> None:
        read.append(row)

    event.listen(Person, "load", note)
    try:
        page = await browser.get("/apply")
        table = await browser.get("/apply/people", params={"field": "subjectIds", "subjectIdsSearch": "某"})
    finally:
        event.remove(Person, "load", note)

    assert page.status_code == 200
    assert len(read) <= 2 * directory.PEOPLE_SHOWN + 10
    assert "另有 292 人" in table.text

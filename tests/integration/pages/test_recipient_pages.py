"""Who else sees the footage: chosen on the form, said when nobody is, and told wherever the use is told."""

import re

import pytest
from apply_browser import HURRIED, filled, saved
from portal_client import Portal
from review_desk import ReviewDesk
from review_pages import text_of

from services.database.tables.applications import Application, Revision
from services.database.tables.people import Person
from services.domain.cases.document_layouts import render_page


def offered(page: str) -> set[str]:
    """Who can be added on the form."""
    found = re.search(r'<select id="f-recipientIds".*?</select>', page, re.DOTALL)
    assert found is not None
    return set(re.findall(r'value="([^"]+)"', found[0]))


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
    assert {"head", "reviewer", "drafter"} <= offered(typed)
    assert offered(typed).isdisjoint({"deputy", "keeper", "operator", "admin"})
    assert re.search(r"知悉人员\s*deputy", read)
    assert desk.the(Application).recipient_ids == ["deputy"]


@pytest.mark.requirement("R57")
async def test_without_a_name_the_custodian_alone_sees_the_footage(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")

    application_id = await saved(browser, filled(recipientIds=[""]))

    assert "仅保管人本人" in text_of(await browser.get(f"/applications/{application_id}/summary"))


@pytest.mark.requirement("R21", "R57")
async def test_who_may_not_see_it_is_said_with_a_link_and_is_not_handed_in(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    form = filled(recipientIds=["operator"], subjectIds=["operator"])

    answer = await browser.post("/apply/save", data=form, headers=HURRIED)
    handed_in = await browser.post(f"/applications/{form['applicationId']}/submit", data={"version": "1"})

    assert "operator是事件当事人" in answer.text
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


@pytest.mark.requirement("R21", "R57")
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

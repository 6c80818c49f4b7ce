"""Drafts, checks, copies and the own list through the API."""

from typing import Any

import pytest
from portal_client import Portal, problem
from review_desk import ReviewDesk

from services.database.tables.applications import Application, Item

ITEM = {
    "cameraId": "camera",
    "start": "2031-03-04T10:00:00Z",
    "end": "2031-03-04T11:00:00Z",
    "zone": "Asia/Shanghai",
}
FORM: dict[str, Any] = {
    "reason": "三号门货物丢失，需要确认经过",
    "purpose": "核对出入库人员与时间的记录",
    "purposeCategory": "security-incident",
    "legalBasis": "internal-management",
    "placeOfUse": "办公室",
    "requestedUseDays": 5,
    "custodianId": "keeper",
    "items": [ITEM],
}


@pytest.mark.requirement("R22")
async def test_a_form_is_checked_without_being_kept(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    long = {**ITEM, "start": "2031-03-02T10:00:00Z"}

    complete = (await browser.post("/api/applications/check", json=FORM)).json()
    empty = (await browser.post("/api/applications/check", json={})).json()
    too_long = (await browser.post("/api/applications/check", json={**FORM, "items": [ITEM, long]})).json()

    assert complete == {"complete": True, "findings": []}
    assert empty["complete"] is False
    assert {"reason", "purpose", "placeOfUse", "purposeCategory", "legalBasis", "custodianId", "items"} == {
        finding["field"] for finding in empty["findings"]
    }
    blocking = {(one["code"], one["position"]) for one in too_long["findings"] if one["severity"] == "blocks"}
    assert blocking == {("span-too-long", 2), ("items-overlap", 2)}
    assert desk.all(Application) == []


async def test_a_draft_may_be_empty_and_is_changed_by_its_version(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    draft = (await browser.post("/api/applications", json={})).json()["id"]
    path = f"/api/applications/{draft}"

    first = await browser.put(path, json={**FORM, "version": 0})
    late = await browser.put(path, json={**FORM, "reason": "另一份", "version": 0})
    form = (await browser.get(f"{path}/form")).json()
    again = await browser.put(path, json={**form["form"], "version": form["version"]})

    assert first.status_code == again.status_code == 200
    assert problem(late)[:2] == (409, "draft-changed")
    assert form["version"] == 1
    assert form["form"]["items"] == [{**ITEM, "uploadId": None}]
    assert len(desk.all(Item)) == 1


async def test_a_draft_whose_times_are_changed_keeps_no_trace_of_the_old_ones(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    draft = (await browser.post("/api/applications", json=FORM)).json()["id"]

    for minute in range(1, 5):
        item = {**ITEM, "start": f"2031-03-04T10:0{minute}:00Z"}
        await browser.put(f"/api/applications/{draft}", json={**FORM, "items": [item]})

    assert [item.asked_start.minute for item in desk.all(Item)] == [4]


async def test_an_application_is_copied_appealed_and_its_draft_deleted(desk: ReviewDesk, portal: Portal) -> None:
    earlier = desk.submitted()
    browser = await portal.signed_in("drafter")

    copied = (await browser.post(f"/api/applications/{earlier}/copy", json={})).json()["id"]
    appeal = (await browser.post(f"/api/applications/{earlier}/copy", json={"appeal": True})).json()["id"]
    gone = await browser.delete(f"/api/applications/{copied}")
    refused = await browser.delete(f"/api/applications/{earlier}")

    assert gone.status_code == 204
    assert problem(refused)[:2] == (409, "already-submitted")
    previous = {row.id: row.previous_id for row in desk.all(Application)}
    assert previous == {earlier: None, appeal: earlier}


async def test_the_own_list_is_filtered_searched_and_sorted(desk: ReviewDesk, portal: Portal) -> None:
    later = desk.submitted(reason="仓库门口的碰撞事故经过")
    browser = await portal.signed_in("drafter")
    draft = (await browser.post("/api/applications", json=FORM)).json()["id"]
    head = await portal.signed_in("head")

    async def ids(who: Any, query: str) -> list[str]:
        return [line["id"] for line in (await who.get(f"/api/applications/own?{query}")).json()]

    assert set(await ids(browser, "")) == {later, draft}
    assert await ids(browser, "state=draft") == [draft]
    assert await ids(browser, "state=open") == [later]
    assert await ids(browser, "search=碰撞") == [later]
    assert set(await ids(browser, "search=大门")) == {later, draft}
    assert await ids(browser, "limit=1&sort=state&descending=false") == [draft]
    assert await ids(head, "department=true") == [later]
    assert await ids(head, "") == []


async def test_a_check_of_what_is_not_there_is_refused_with_its_field(portal: Portal) -> None:
    browser = await portal.signed_in("drafter")

    for change, field in (({"items": [{**ITEM, "cameraId": "none"}]}, "items"), ({"custodianId": "x"}, "custodian_id")):
        answer = await browser.post("/api/applications/check", json={**FORM, **change})
        assert problem(answer) == (422, "unknown", field)

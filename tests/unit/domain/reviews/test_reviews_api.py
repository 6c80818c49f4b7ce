"""Reviews over HTTP: inbox, one review, claim, decide, confirm; directory, cameras, notices."""

from typing import Any

import httpx
import pytest
from portal_client import Portal, problem
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.applications import Item
from services.database.tables.outbox import OutboxMessage


async def _decision(client: httpx.AsyncClient, review_id: str, **changes: Any) -> dict[str, Any]:
    review = (await client.get(f"/api/reviews/{review_id}")).json()
    return {
        "outcome": review["outcomes"][0],
        "formSha256": review["formSha256"],
        "password": PASSWORD,
        "answers": {question["code"]: True for question in review["questions"]},
        **changes,
    }


@pytest.mark.requirement("R22")
async def test_a_head_finds_reads_claims_and_decides_a_review(desk: ReviewDesk, portal: Portal) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    head = await portal.signed_in("head")

    (line,) = (await head.get("/api/reviews")).json()
    claimed = (await head.post(f"/api/reviews/{review_id}/claim")).json()
    decided = await head.post(f"/api/reviews/{review_id}/decide", json=await _decision(head, review_id))

    assert (line["id"], line["stage"], line["toConfirm"]) == (review_id, "preliminary", False)
    assert (claimed["claimedBy"], claimed["claimedByMe"], claimed["whyNot"]) == ("head", True, None)
    assert claimed["form"]["title"] == "视频录像调取申请表"
    assert decided.json() == {"reviewId": review_id, "outcome": "approved", "published": True}
    assert (await head.get("/api/reviews")).json() == []
    again = await head.post(f"/api/reviews/{review_id}/decide", json=await _decision(head, review_id))
    assert problem(again) == (409, "review-closed", None)


@pytest.mark.requirement("R4", "R26", "R49")
async def test_security_narrows_and_raises_over_the_api(desk: ReviewDesk, portal: Portal) -> None:
    application_id = desk.submitted()
    review_id = desk.opened(application_id, "security")
    reviewer = await portal.signed_in("reviewer")
    (granted,) = (await reviewer.get(f"/api/reviews/{review_id}")).json()["granted"]
    scope = [{"itemId": granted["item"], "start": "2031-03-04T18:10:00+08:00", "end": "2031-03-04T10:50:00Z"}]

    decided = await reviewer.post(
        f"/api/reviews/{review_id}/decide",
        json=await _decision(
            reviewer, review_id, scope=scope, usePeriodDays=5, wayOfUse="view", sensitiveEvent=True, reason="涉及隐私"
        ),
    )

    assert decided.status_code == 200, decided.text
    assert desk.the(Item, application_id=application_id).granted_start.isoformat() == "2031-03-04T10:10:00+00:00"
    assert desk.the(OutboxMessage, correlation_key=review_id).variables["sensitiveEvent"] is True


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"password": "wrong"}, (403, "password-wrong", "password")),
        ({"formSha256": "0" * 64}, (409, "form-changed", "formSha256")),
        ({"formSha256": "short"}, (422, "string-pattern-mismatch", "formSha256")),
        ({"outcome": "signed"}, (422, "outcome", "outcome")),
        ({"answers": {}}, (422, "missing", "answers.rules-met")),
        ({"usePeriodDays": 99}, (422, "use-days", "usePeriodDays")),
        ({"scope": [{"itemId": "x", "start": "2031-03-04T10:10:00", "end": "2031-03-04T10:50:00Z"}]},
         (422, "timezone-aware", "scope.0.start")),
    ],
)  # fmt: skip
async def test_a_refused_decision_names_the_field_and_changes_nothing(
    desk: ReviewDesk, portal: Portal, changes: dict[str, Any], refusal: tuple[int, str, str]
) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    reviewer = await portal.signed_in("reviewer")

    answer = await reviewer.post(
        f"/api/reviews/{review_id}/decide", json=await _decision(reviewer, review_id, **changes)
    )

    assert problem(answer) == refusal
    assert desk.all(OutboxMessage, correlation_key=review_id) == []


async def test_whoever_may_not_decide_reads_why(desk: ReviewDesk, portal: Portal) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    drafter = await portal.signed_in("drafter")

    review = (await drafter.get(f"/api/reviews/{review_id}")).json()
    refused = await drafter.post(f"/api/reviews/{review_id}/decide", json=await _decision(drafter, review_id))

    assert review["whyNot"]["code"] == "was-applicant"
    assert problem(refused) == (403, "was-applicant", None)


async def test_a_stranger_finds_no_review(desk: ReviewDesk, portal: Portal) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    admin = await portal.signed_in("admin")

    assert problem(await admin.get(f"/api/reviews/{review_id}"))[:2] == (404, "not-found")
    assert (await admin.get("/api/reviews")).json() == []


@pytest.mark.requirement("R34")
async def test_the_second_person_confirms_over_the_api(desk: ReviewDesk, portal: Portal) -> None:
    application_id = desk.submitted()
    desk.classed(application_id, second_person=True)
    review_id = desk.opened(application_id, "storage-release")
    first, second = await portal.signed_in("operator"), await portal.signed_in("operator2")

    proposed = await first.post(f"/api/reviews/{review_id}/decide", json=await _decision(first, review_id))
    (line,) = (await second.get("/api/reviews")).json()
    waiting = (await second.get(f"/api/reviews/{review_id}")).json()
    word = {"agrees": True, "formSha256": waiting["formSha256"], "password": PASSWORD}
    confirmed = await second.post(f"/api/reviews/{review_id}/confirm", json=word)

    assert proposed.json()["published"] is False
    assert line["toConfirm"] is True
    assert (waiting["proposal"]["by"], waiting["secondPerson"]) == ("operator", True)
    assert confirmed.json() == {"reviewId": review_id, "outcome": "approved", "published": True}
    assert desk.the(OutboxMessage, correlation_key=review_id).variables == {"decision": "approved"}


async def test_a_claim_is_put_back(desk: ReviewDesk, portal: Portal) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    reviewer, other = await portal.signed_in("reviewer"), await portal.signed_in("reviewer2")
    await reviewer.post(f"/api/reviews/{review_id}/claim")

    assert problem(await other.post(f"/api/reviews/{review_id}/unclaim")) == (409, "not-claimed", None)
    assert (await reviewer.post(f"/api/reviews/{review_id}/unclaim")).json()["claimedBy"] is None


async def test_notices_are_ones_own_and_are_marked_as_read(desk: ReviewDesk, portal: Portal) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    head, deputy = await portal.signed_in("head"), await portal.signed_in("deputy")

    (notice,) = (await head.get("/api/notices", params={"unread": True})).json()
    elsewhere = await deputy.post(f"/api/notices/{notice['id']}/read")
    read = await head.post(f"/api/notices/{notice['id']}/read")

    assert (notice["code"], notice["subjectId"], notice["readAt"]) == ("review-opened", review_id, None)
    assert problem(elsewhere)[:2] == (404, "not-found")
    assert read.json()["readAt"] is not None
    assert (await head.get("/api/notices", params={"unread": True})).json() == []


@pytest.mark.requirement("R7", "R18", "R46")
async def test_the_directory_shows_people_and_cameras_but_no_login_or_address(portal: Portal) -> None:
    drafter = await portal.signed_in("drafter")

    directory = (await drafter.get("/api/directory")).json()
    cameras = (await drafter.get("/api/cameras")).json()

    people = {person["id"]: person for person in directory["people"]}
    assert people["keeper"] == {
        "id": "keeper", "name": "keeper", "departmentId": "works", "agreement": True, "mayBeCustodian": True,
        "username": None,
    }  # fmt: skip
    assert people["admin"]["mayBeCustodian"] is False
    assert {department["kind"] for department in directory["departments"]} >= {"security", "storage", "management"}
    assert (cameras[0]["id"], cameras[0]["zone"], cameras[0]["retentionDays"]) == ("camera", "UTC", 30)
    assert "configuration" not in cameras[0]

"""Signing by passkey through the API and the pages: shown first, then signed; never at a bare address (R25)."""

from typing import Any

import httpx
import pytest
from portal_client import Portal, problem
from review_desk import PASSWORD, ReviewDesk
from second_person import newest
from soft_passkey import SoftPasskey

from services.database.tables.audit import AuditEvent
from services.database.tables.change_requests import ChangeRequest, SignatureHold
from services.database.tables.passkeys import Passkey
from services.database.tables.reviews import Decision
from services.domain.accounts.signatures.challenges import relying_party_of
from services.domain.change_requests import service as change_requests
from services.domain.stages.catalogue import STAGES
from services.runtime.settings import Settings

pytestmark = pytest.mark.requirement("R25")


@pytest.fixture
def passkey() -> SoftPasskey:
    return SoftPasskey(rp_id="footage.example", origin="https://footage.example")


async def added(client: httpx.AsyncClient, passkey: SoftPasskey) -> dict[str, Any]:
    begun = (await client.post("/api/account/passkeys/begin", json={"password": PASSWORD})).json()
    body = {"id": begun["id"], "name": "phone", **passkey.attestation(begun["options"]["challenge"])}
    answer = await client.post("/api/account/passkeys", json=body)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def decision(desk: ReviewDesk, review_id: str, **more: Any) -> dict[str, Any]:
    answers = {question.code: True for question in STAGES["preliminary"].questions}
    return {"outcome": "approved", "answers": answers, "formSha256": desk.form_sha256(review_id), **more}


@pytest.mark.requirement("R25", refuses=True)
async def test_a_decision_is_shown_and_then_signed(desk: ReviewDesk, portal: Portal, passkey: SoftPasskey) -> None:
    head = await portal.signed_in("head")
    await added(head, passkey)
    review_id = desk.opened(desk.submitted(), "preliminary")
    path = f"/api/reviews/{review_id}/decide"

    told = await head.post(path, json=decision(desk, review_id, prepare=True))
    assert told.status_code == 202, told.text
    assert desk.all(Decision) == []
    shown = told.json()
    assert {"nameZh": "结论", "nameEn": "Outcome", "zh": "同意", "en": "approved"} in shown["words"]
    assert shown["options"]["userVerification"] == "required"
    assert shown["options"]["rpId"] == "footage.example"

    signed = {"pending": shown["pending"], **passkey.assertion(shown["options"]["challenge"])}
    done = await head.post(path, json=decision(desk, review_id, passkey=signed))
    assert done.status_code == 200, done.text
    assert desk.the(Decision).statement_sha256 == shown["sha256"]
    again = await head.post(path, json=decision(desk, review_id, passkey=signed))
    assert again.status_code == 409


async def test_the_page_prepares_by_the_same_form(desk: ReviewDesk, portal: Portal, passkey: SoftPasskey) -> None:
    head = await portal.signed_in("head")
    await added(head, passkey)
    review_id = desk.opened(desk.submitted(), "preliminary")
    page = await head.get(f"/reviews/{review_id}")
    assert 'data-origin="https://footage.example"' in page.text
    typed = {
        "outcome": "approved",
        "formSha256": desk.form_sha256(review_id),
        **{f"answers-{question.code}": "true" for question in STAGES["preliminary"].questions},
    }

    shown = (await head.post(f"/reviews/{review_id}/decide", data={**typed, "prepare": "true"})).json()
    signed = {f"passkey-{name}": value for name, value in passkey.assertion(shown["options"]["challenge"]).items()}
    signed["passkey-pending"] = shown["pending"]
    done = await head.post(f"/reviews/{review_id}/decide", data={**typed, **signed})

    assert done.status_code == 303
    assert desk.the(Decision).signature["method"] == "passkey"


@pytest.mark.requirement("R25", refuses=True)
async def test_whoever_has_no_passkey_is_told_so_and_nothing_signs_by_itself(desk: ReviewDesk, portal: Portal) -> None:
    head = await portal.signed_in("head")
    review_id = desk.opened(desk.submitted(), "preliminary")
    path = f"/api/reviews/{review_id}/decide"
    assert problem(await head.post(path, json=decision(desk, review_id, prepare=True))) == (
        409,
        "no-passkey",
        "passkey",
    )
    assert problem(await head.post(path, json=decision(desk, review_id))) == (422, "missing", "password")
    assert desk.all(Decision) == []
    assert "passkeys.js" not in (await head.get(f"/reviews/{review_id}")).text


@pytest.mark.requirement("R25", refuses=True)
async def test_passkeys_are_renamed_and_removed_and_an_administrator_ends_them(
    desk: ReviewDesk, portal: Portal, passkey: SoftPasskey
) -> None:
    head, admin = await portal.signed_in("head"), await portal.signed_in("admin")
    made = await added(head, passkey)
    assert (made["rpId"], made["provedBy"]) == ("footage.example", "password")
    path = f"/api/account/passkeys/{made['id']}"
    assert (await head.post(f"{path}/rename", json={"name": "my phone"})).json()["name"] == "my phone"
    assert [one["name"] for one in (await head.get("/api/account/passkeys")).json()] == ["my phone"]
    assert "my phone" in (await head.get("/account/passkeys")).text
    assert problem(await head.post(f"{path}/remove", json={"password": "guess"})) == (403, "password-wrong", "password")
    page = await head.post(f"/account/passkeys/{made['id']}/remove", data={})
    assert page.status_code == 403
    assert f'id="password-{made["id"]}"' in page.text
    assert len((await head.get("/api/account/passkeys")).json()) == 1
    assert (await head.post(f"{path}/remove", json={"password": PASSWORD})).status_code == 200
    assert (await head.get("/api/account/passkeys")).json() == []
    await added(head, SoftPasskey(rp_id="footage.example", origin="https://footage.example"))

    assert (await admin.get("/api/people/head")).json()["passkeys"] == 1
    assert (await admin.post("/api/people/head/end-passkeys")).json()["code"] == "second-person-needed"
    desk.run(change_requests.confirm, newest(desk), by="security-head")
    assert (await admin.post("/api/people/head/end-passkeys")).json()["passkeys"] == 0

    assert all(row.ended_at is not None for row in desk.all(Passkey))
    assert (await head.get("/api/me")).status_code == 401
    assert {event.action for event in desk.all(AuditEvent) if event.subject_kind == "passkey"} == {
        "passkey-added",
        "passkey-renamed",
        "passkey-removed",
        "passkey-ended",
    }


@pytest.mark.requirement("R25", refuses=True)
async def test_at_a_bare_address_the_page_says_how_to_open_the_portal(desk: ReviewDesk, portal: Portal) -> None:
    head = await portal.signed_in("head")
    portal.app.state.dependencies["settings"] = Settings.load(portal={"public_url": "https://192.0.2.7"})
    page = await head.get("/account/passkeys")
    assert "localhost" in page.text
    assert "add-passkey" not in page.text
    refused = await head.post("/api/account/passkeys/begin", json={"password": PASSWORD})
    assert problem(refused) == (409, "passkeys-nowhere", None)


def test_passkeys_belong_to_the_address_that_people_type() -> None:
    def place(url: str | None) -> tuple[str, str] | None:
        found = relying_party_of(Settings.load(portal={"public_url": url}))
        return None if found is None else (found.rp_id, found.origin)

    assert place("https://Footage.example:8443/") == ("footage.example", "https://footage.example:8443")
    assert place("https://footage.example:443") == ("footage.example", "https://footage.example")
    port = Settings().portal.port
    assert place(None) == ("localhost", f"http://localhost:{port}")
    assert place("http://[::1]:8080") is None
    assert place("http://127.0.0.1:8080") is None


@pytest.mark.requirement("R2", "R52", refuses=True)
async def test_a_second_person_proves_that_it_is_them(desk: ReviewDesk, portal: Portal, passkey: SoftPasskey) -> None:
    """An unlocked screen of Security's head confirms no change, and lets nobody sign who was reset."""
    admin, second = await portal.signed_in("admin"), await portal.signed_in("security-head")
    await added(second, passkey)
    assert (await admin.post("/api/people/head/initial-password")).json()["code"] == "second-person-needed"
    request_id = newest(desk)
    path = f"/api/change-requests/{request_id}/confirm"

    assert problem(await second.post(path, json={})) == (422, "missing", "password")
    assert problem(await second.post(path, json={"password": "guess"})) == (403, "password-wrong", "password")
    assert (await second.post(f"/requests/{request_id}/confirm")).status_code == 422
    assert desk.the(ChangeRequest).confirmed_at is None
    shown = (await second.post(path, json={"prepare": True})).json()
    assert (shown["words"][0]["zh"], shown["words"][1]["zh"]) == ("作为第二人复核更改", "重设初始密码")
    signed = {"pending": shown["pending"], **passkey.assertion(shown["options"]["challenge"])}
    assert (await second.post(path, json={"passkey": signed})).status_code == 200
    request = desk.the(ChangeRequest)
    assert (request.confirmed_by, request.signature["method"]) == ("security-head", "passkey")
    assert request.signature["statement"]["request"] == request_id

    assert (await admin.post("/api/people/head/initial-password")).status_code == 200
    hold = desk.the(SignatureHold)
    path = f"/api/signature-holds/{hold.id}/release"
    assert problem(await second.post(path, json={"password": "guess"})) == (403, "password-wrong", "password")
    assert (await second.post(f"/requests/{hold.id}/release", data={"password": "guess"})).status_code == 403
    assert desk.the(SignatureHold).lifted_at is None
    assert (await second.post(f"/requests/{hold.id}/release", data={"password": PASSWORD})).status_code == 303
    assert desk.the(SignatureHold).signature["statement"]["concerns"] == "head"

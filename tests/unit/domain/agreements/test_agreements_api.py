"""Signing the confidentiality agreement, and what wrong passwords at signatures lead to."""

from datetime import timedelta

import pytest
from portal_client import Portal, problem
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.people import Person


@pytest.mark.requirement("R59", refuses=True)
async def test_whoever_signs_the_agreement_may_decide_again(desk: ReviewDesk, portal: Portal) -> None:
    desk.clock.turn(timedelta(days=366))  # every agreement of the desk has expired
    client = await portal.signed_in("head")
    before = (await client.get("/api/agreements")).json()

    old = await client.post("/api/agreements", json={"version": "2020", "password": PASSWORD})
    signed = await client.post("/api/agreements", json={"version": before["version"], "password": PASSWORD})

    assert before["valid"] is False
    assert problem(old) == (409, "agreement-outdated", "version")
    assert signed.status_code == 201
    assert (await client.get("/api/agreements")).json()["valid"] is True
    assert desk.the(AuditEvent, action="agreement-signed").subject_id == signed.json()["id"]
    assert desk.opened(desk.submitted(), "preliminary")


@pytest.mark.requirement("R52", refuses=True)
async def test_five_wrong_passwords_at_signatures_lock_the_account_and_end_the_session(
    desk: ReviewDesk, portal: Portal
) -> None:
    client = await portal.signed_in("head")
    version = (await client.get("/api/agreements")).json()["version"]

    for _ in range(5):
        answer = await client.post("/api/agreements", json={"version": version, "password": "guess"})
        assert problem(answer) == (403, "password-wrong", "password")

    assert problem(await client.get("/api/me")) == (401, "logged-out", None)
    again = await portal.anonymous().post("/api/login", json={"login": "head", "password": PASSWORD})
    assert problem(again) == (429, "account-locked", "password")
    assert desk.the(Person, id="head").locked_until is not None

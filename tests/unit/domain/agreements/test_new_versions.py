"""A new text of the agreement puts nobody out of office: it counts after notice, or two people want it at once."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from portal_client import Portal
from review_desk import PASSWORD, ReviewDesk
from second_person import asked, confirmed

from services.database.tables.audit import AuditEvent
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.notices import Notice
from services.database.unit_of_work import Actor
from services.domain.access import queries as access_queries
from services.domain.accounts.signatures.given import Proof
from services.domain.agreements import queries, requested_acts, service, texts
from services.domain.change_requests import queries as change_request_queries
from services.domain.change_requests import service as change_requests
from services.runtime.errors import Refused
from services.runtime.rules import Rules

pytestmark = pytest.mark.requirement("R59")
ZH, EN = "新的保密协议，请逐条阅读并遵守其中各项义务。", "A new agreement with duties to keep."
DAY = timedelta(days=1)


def issue(desk: ReviewDesk, version: str = "2032", **more: Any) -> texts.VersionText:
    return desk.run(texts.issue_version, version, ZH, EN, reason="a test", by="admin", **more)


def agreed(desk: ReviewDesk, person_id: str) -> bool:
    return desk.run(lambda uow: access_queries.get_valid_agreement(uow, person_id)) is not None


@pytest.mark.requirement("R59", refuses=True)
def test_who_has_signed_the_old_text_decides_until_the_new_one_counts(desk: ReviewDesk) -> None:
    issued = issue(desk)

    assert issued.counts_from == desk.clock.now() + 14 * DAY
    assert agreed(desk, "head")
    assert {notice.person_id for notice in desk.all(Notice, code="agreement-issued")} >= {"head", "keeper", "reviewer"}
    states = desk.run(queries.list_signers, by="admin")
    assert {signer.state for signer in states} == {"valid"}
    with pytest.raises(Refused) as refused:
        desk.run(service.sign, desk.rules.agreement_version, Proof(password=PASSWORD), by="head")
    assert refused.value.code == "agreement-outdated"
    desk.run(service.sign, "2032", Proof(password=PASSWORD), by="head")

    desk.clock.turn(14 * DAY)
    assert agreed(desk, "head")
    assert not agreed(desk, "deputy")
    assert {signer.state for signer in desk.run(queries.list_signers, by="admin")} == {"valid", "outdated"}


def test_the_rule_says_for_how_long_the_old_text_counts(tmp_path: Path) -> None:
    rules = Rules(max_use_days=30, agreement_grace=8 * DAY)
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}", rules)
    assert issue(desk).grace_days == 8
    desk.clock.turn(8 * DAY)
    assert not agreed(desk, "head")
    desk.close()


@pytest.mark.requirement("R59", refuses=True)
@pytest.mark.parametrize("days", [0, 6, 15])
def test_a_text_that_counts_at_once_or_later_than_the_rule_says_needs_two(desk: ReviewDesk, days: int) -> None:
    asked(desk, texts.issue_version, "2032", ZH, EN, reason="a test", grace_days=days)

    assert agreed(desk, "head")
    assert desk.run(texts.get_current_text, by="head").version == desk.rules.agreement_version
    [request] = desk.run(change_request_queries.list_open, by="security-head").requests
    assert ZH in request.what_zh
    assert EN in request.what_en


@pytest.mark.requirement("R59", refuses=True)
async def test_the_confirmed_text_is_issued_under_requests(desk: ReviewDesk) -> None:
    request = asked(desk, texts.issue_version, "2032", ZH, EN, reason="a test", grace_days=0)
    admin = Actor("person", "admin")
    with pytest.raises(Refused):
        await requested_acts.carry_out(desk.database, admin, request)
    desk.run(change_requests.confirm, request, by="security-head")

    await requested_acts.carry_out(desk.database, admin, request)

    assert not agreed(desk, "head")
    assert desk.the(AuditEvent, action="agreement-issued").subject_id == "2032"


def test_a_text_that_counts_ends_the_grace_of_all_before(desk: ReviewDesk) -> None:
    confirmed(desk, texts.issue_version, "2032", ZH, EN, reason="a test", grace_days=100)
    desk.run(service.sign, "2032", Proof(password=PASSWORD), by="head")
    issue(desk, "2033", grace_days=7)
    assert agreed(desk, "head")
    assert agreed(desk, "deputy")

    desk.clock.turn(7 * DAY)

    assert not agreed(desk, "head")
    assert not agreed(desk, "deputy")


def test_an_agreement_that_has_expired_gets_no_grace(desk: ReviewDesk) -> None:
    desk.clock.turn(364 * DAY)
    issue(desk)
    desk.clock.turn(2 * DAY)
    assert not agreed(desk, "head")


def test_another_text_by_the_same_words_is_asked_for_anew(desk: ReviewDesk) -> None:
    confirmed(desk, texts.issue_version, "2032", ZH, EN, reason="a test", grace_days=0)
    asked(desk, texts.issue_version, "2033", ZH, EN, reason="a test", grace_days=0)


async def test_people_see_until_when_their_signature_counts(desk: ReviewDesk, portal: Portal) -> None:
    head = await portal.signed_in("head")
    issue(desk)

    answer = (await head.get("/api/agreements")).json()
    assert (answer["version"], answer["valid"]) == ("2032", True)
    assert answer["signBy"].startswith("2031-03-1")
    for page in ("/account", "/account/agreement"):
        assert "2031-03-1" in (await head.get(page)).text, page
    assert ZH in (await head.get("/account/agreement")).text
    await head.post("/api/agreements", json={"version": "2032", "password": PASSWORD})
    assert (await head.get("/api/agreements")).json()["signBy"] is None


@pytest.mark.requirement("R59", refuses=True)
@pytest.mark.parametrize("version", ["2032", "2033"])
async def test_a_text_is_issued_in_place_of_the_one_that_was_confirmed(desk: ReviewDesk, version: str) -> None:
    """Another text came first: the request is over, and what it was about can be asked for anew."""
    request = asked(desk, texts.issue_version, "2032", ZH, EN, reason="a test", grace_days=0)
    [shown] = desk.run(change_request_queries.list_open, by="security-head").requests
    assert f"取代第 {desk.rules.agreement_version} 版" in shown.what_zh
    desk.run(change_requests.confirm, request, by="security-head")
    issue(desk, version)

    with pytest.raises(Refused) as refused:
        await requested_acts.carry_out(desk.database, Actor("person", "admin"), request)

    assert refused.value.code == ("agreement-version-used" if version == "2032" else "request-outdated")
    assert desk.the(ChangeRequest).outcome == "withdrawn"
    assert desk.run(texts.get_current_text, by="head").version == version

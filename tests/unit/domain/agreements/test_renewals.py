"""Whose agreement ends soon is told in time, once, and until it is signed anew (R59)."""

from datetime import timedelta
from typing import Any

import pytest
from portal_client import Portal
from review_desk import PASSWORD, ReviewDesk
from second_person import confirmed
from sqlalchemy import update

from services.database.tables.agreements import Agreement
from services.database.tables.notices import Notice
from services.domain.access import queries as access_queries
from services.domain.accounts import staff
from services.domain.accounts.signatures.given import Proof
from services.domain.agreements import renewals, service, texts

pytestmark = pytest.mark.requirement("R59")
ZH, EN = "新的保密协议，请逐条阅读并遵守其中各项义务。", "A new agreement with duties to keep."
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def issue(desk: ReviewDesk, version: str = "2032", **more: Any) -> None:
    desk.run(texts.issue_version, version, ZH, EN, reason="a test", by="admin", **more)


def sign(desk: ReviewDesk, person_id: str, version: str) -> None:
    desk.run(service.sign, version, Proof(password=PASSWORD), by=person_id)


def told(desk: ReviewDesk, code: str) -> list[str]:
    """Who has an open notice of this kind; a person with two is there twice."""
    return sorted(notice.person_id for notice in desk.all(Notice, code=code) if notice.done_at is None)


def reminded(desk: ReviewDesk, code: str) -> list[str]:
    while desk.run(renewals.remind):
        pass
    return told(desk, code)


def test_people_are_told_thirty_days_before_their_agreement_expires_and_once(desk: ReviewDesk) -> None:
    everybody = sorted(row.person_id for row in desk.all(Agreement))
    desk.clock.turn(335 * DAY - HOUR)
    assert reminded(desk, "agreement-expires-soon") == []

    desk.clock.turn(2 * HOUR)

    assert reminded(desk, "agreement-expires-soon") == everybody
    desk.clock.turn(DAY)
    assert reminded(desk, "agreement-expires-soon") == everybody


def test_after_days_without_a_portal_those_are_told_whose_agreement_still_runs(desk: ReviewDesk) -> None:
    everybody = sorted(row.person_id for row in desk.all(Agreement))
    desk.run(lambda uow: uow.session.execute(update(Agreement).where(Agreement.person_id == "head").values(
        expires_at=uow.now + 350 * DAY)))  # fmt: skip
    desk.clock.turn(355 * DAY)
    assert reminded(desk, "agreement-expires-soon") == [person for person in everybody if person != "head"]


def test_the_notice_ends_as_the_agreement_is_signed_again(desk: ReviewDesk) -> None:
    desk.clock.turn(340 * DAY)
    assert "head" in reminded(desk, "agreement-expires-soon")

    sign(desk, "head", desk.rules.agreement_version)

    assert "head" not in reminded(desk, "agreement-expires-soon")
    desk.clock.turn(30 * DAY)
    assert "head" not in reminded(desk, "agreement-expires-soon")
    assert desk.run(lambda uow: access_queries.get_valid_agreement(uow, "head")) is not None
    assert desk.run(lambda uow: access_queries.get_valid_agreement(uow, "deputy")) is None


def test_nobody_is_told_who_has_left_or_has_a_later_agreement(desk: ReviewDesk) -> None:
    desk.run(staff.deactivate, "drafter", by="admin")
    desk.clock.turn(200 * DAY)
    sign(desk, "head", desk.rules.agreement_version)
    desk.clock.turn(140 * DAY)

    people = reminded(desk, "agreement-expires-soon")

    assert "keeper" in people
    assert not {"drafter", "head"} & {*people}


def test_a_few_are_told_in_one_transaction(desk: ReviewDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(renewals, "AT_ONCE", 5)
    desk.clock.turn(340 * DAY)
    assert desk.run(renewals.remind)
    assert len(told(desk, "agreement-expires-soon")) == 5
    assert len(reminded(desk, "agreement-expires-soon")) == len(desk.all(Agreement))


def test_who_has_not_signed_the_new_text_is_told_again_three_days_before_it_counts(desk: ReviewDesk) -> None:
    issue(desk)
    assert {"head", "deputy"} <= {*told(desk, "agreement-issued")}
    sign(desk, "head", "2032")
    desk.clock.turn(10 * DAY)
    assert reminded(desk, "agreement-replaced-soon") == []

    desk.clock.turn(DAY)

    people = reminded(desk, "agreement-replaced-soon")
    assert "deputy" in people
    assert "head" not in people
    desk.clock.turn(DAY)
    assert reminded(desk, "agreement-replaced-soon") == people
    sign(desk, "deputy", "2032")
    assert "deputy" not in told(desk, "agreement-replaced-soon")


def test_a_text_at_very_short_notice_is_told_of_once(desk: ReviewDesk) -> None:
    confirmed(desk, texts.issue_version, "2032", ZH, EN, reason="a test", grace_days=2)
    assert reminded(desk, "agreement-replaced-soon") == []


def test_a_later_text_that_counts_sooner_ends_all_before(desk: ReviewDesk) -> None:
    confirmed(desk, texts.issue_version, "2032", ZH, EN, reason="a test", grace_days=60)
    sign(desk, "head", "2032")
    issue(desk, "2033", grace_days=10)
    sign(desk, "deputy", "2033")
    desk.clock.turn(8 * DAY)

    people = reminded(desk, "agreement-replaced-soon")

    assert {"head", "keeper"} <= {*people}
    assert "deputy" not in people


def test_a_term_that_a_new_text_cuts_short_is_not_told_of(desk: ReviewDesk) -> None:
    desk.clock.turn(340 * DAY)
    issue(desk)
    assert reminded(desk, "agreement-expires-soon") == []


async def test_an_agreement_that_expires_soon_is_signed_again_on_its_page(desk: ReviewDesk, portal: Portal) -> None:
    head = await portal.signed_in("head")
    assert 'name="password"' not in (await head.get("/account/agreement")).text
    desk.clock.turn(340 * DAY)

    page = (await head.get("/account/agreement")).text

    assert 'name="password"' in page
    assert "/account/agreement" in (await head.get("/account")).text

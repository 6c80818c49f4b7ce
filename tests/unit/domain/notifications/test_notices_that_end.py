"""A notice about work is done when the work is, whoever did it (R30)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from portal_client import Portal
from review_desk import ReviewDesk

from services.database.tables.deliveries import Delivery
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.domain.notifications import dispatch, queries, service, texts
from services.domain.notifications.channels import payloads
from services.domain.notifications.deliveries import MAIL
from services.domain.reviews import tasks
from services.runtime.rules import Rules


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}", Rules(max_use_days=30, notice_channels=(MAIL,)))
    yield desk
    desk.close()


def unread(desk: ReviewDesk, person_id: str) -> list[str]:
    return [line.code for line in desk.run(queries.list_own, unread_only=True, by=person_id)]


@pytest.mark.requirement("R30")
def test_a_review_that_one_has_decided_waits_for_none_of_the_others(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    asked = [notice.person_id for notice in desk.all(Notice) if notice.subject_id == review_id]
    assert len(asked) > 1
    assert all(unread(desk, person_id) == ["review-opened"] for person_id in asked)

    desk.decide(review_id, "reviewer", "approved")

    assert {
        notice.done_at
        for notice in desk.all(Notice)
        if notice.subject_id == review_id and notice.code == "review-opened"
    } == {desk.clock.now()}
    assert all("review-opened" not in unread(desk, person_id) for person_id in asked)
    assert all(desk.run(service.count_unread, by=person_id) == 0 for person_id in asked)
    assert "decided:security:approved" in unread(desk, "drafter")  # tells of no work, and waits to be read


@pytest.mark.requirement("R30")
def test_what_is_withdrawn_waits_for_nobody(desk: ReviewDesk) -> None:
    application_id = desk.submitted()
    review_id = desk.opened(application_id, "preliminary")
    [head] = {notice.person_id for notice in desk.all(Notice) if notice.subject_id == review_id}
    desk.run(tasks.close_open, application_id, "withdrawn")
    assert unread(desk, head) == []


def test_a_mail_about_what_is_done_is_not_sent(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "reviewer"), "email", "reviewer@footage.example"))
    desk.decide(review_id, "reviewer", "approved")

    while (parcel := desk.run(dispatch.claim_next, MAIL)) is not None:
        assert parcel.code != "review-opened"
    left = [row for row in desk.all(Delivery) if row.last_error == "done"]
    assert left
    assert {row.state for row in left} == {"unneeded"}
    assert {row.escalated_at for row in left} == {None}


@pytest.mark.requirement("R30")
async def test_the_list_says_the_stage_and_what_is_done_and_the_link_leads_to_the_decision(desk: ReviewDesk) -> None:
    review_id = desk.opened(desk.submitted(), "security")
    async with Portal(desk) as portal:
        reviewer = await portal.signed_in("reviewer")
        assert "安全审核：有一项审核待您办理。" in (await reviewer.get("/notices?unread=true")).text
        desk.decide(review_id, "reviewer", "approved")

        assert "待您办理" not in (await reviewer.get("/notices?unread=true")).text
        assert "已办结" in (await reviewer.get("/notices")).text
        [line] = [one for one in (await reviewer.get("/api/notices")).json() if one["code"] == "review-opened"]
        assert line["doneAt"] is not None
        assert line["readAt"] is None

        drafter = await portal.signed_in("drafter")
        [told] = [one for one in (await drafter.get("/api/notices")).json() if one["code"].startswith("decided:")]
        path, _, place = told["link"].partition("#")
        assert place == f"review-{review_id}"
        assert f'id="{place}"' in (await drafter.get(path)).text


def test_a_mail_says_the_stage_and_nothing_of_the_case(desk: ReviewDesk) -> None:
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "reviewer"), "email", "reviewer@footage.example"))
    desk.opened(desk.submitted(), "security")
    parcel = desk.run(dispatch.claim_next, MAIL)
    assert parcel is not None
    mail = payloads.build_mail(parcel, sender="desk@footage.example", portal_url="https://footage.example")
    assert "安全审核：有一项审核待您办理。" in str(mail["Subject"])


def test_every_work_is_that_of_some_notice() -> None:
    assert all(texts.codes_of(work) for work in texts.Work.__args__)  # type: ignore[attr-defined]

"""A notice about work is done when the work is, whoever did it (R30)."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from portal_client import Portal
from review_desk import ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.deliveries import Delivery
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import own_account
from services.domain.notifications import digest, dispatch, queries, service, texts
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
def test_of_an_applications_decisions_the_newest_alone_is_news(desk: ReviewDesk) -> None:
    application_id, other = desk.submitted(), desk.submitted()
    desk.decide(desk.opened(other, "preliminary"), "head")
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    desk.decide(desk.opened(application_id, "security"), "reviewer")

    assert sorted(unread(desk, "drafter")) == ["decided:preliminary:approved", "decided:security:approved"]
    [open_still] = [notice for notice in desk.all(Notice, code="decided:preliminary:approved") if not notice.done_at]
    assert open_still.application_id == other


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


@pytest.mark.requirement("R30")
def test_one_mail_a_day_lists_what_is_open_and_nothing_twice(desk: ReviewDesk) -> None:
    def choose(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "reviewer").email = "reviewer@footage.example"
        own_account.choose_digest(uow, daily=True)

    desk.run(choose, by="reviewer")
    done, waiting = (desk.opened(desk.submitted(), "security") for _ in range(2))
    desk.decide(done, "reviewer", "approved")
    mine = {notice.id for notice in desk.all(Notice, person_id="reviewer")}
    assert not [row for row in desk.all(Delivery, channel=MAIL) if row.notice_id in mine]  # none of its own

    assert desk.run(digest.write_digests) == 1
    assert desk.run(digest.write_digests) == 0
    parcels = list(iter(lambda: desk.run(dispatch.claim_next, MAIL), None))
    [parcel] = [one for one in parcels if one.code == texts.DIGEST]
    mail = payloads.build_mail(parcel, sender="desk@footage.example", portal_url="https://footage.example")
    text = mail.get_content()
    assert f"https://footage.example/reviews/{waiting}" in text
    assert done not in text
    assert desk.the(Application, id=desk.the(Review, id=waiting).application_id).number in text
    assert not [line for line in desk.run(queries.list_own, by="reviewer") if line.code == texts.DIGEST]
    desk.clock.turn(timedelta(days=1))
    assert desk.run(digest.write_digests) == 1
    desk.decide(waiting, "reviewer", "approved")
    desk.clock.turn(timedelta(days=1))
    assert desk.run(digest.write_digests) == 0  # nothing is open


def test_whoever_wants_one_mail_a_day_is_told_of_the_own_account_at_once(desk: ReviewDesk) -> None:
    def tell(uow: UnitOfWork) -> str:
        uow.session.get_one(Person, "reviewer").digest = True
        return service.notify(uow, "reviewer", "own-account-changed", application_id=None).id

    assert desk.the(Delivery, notice_id=desk.run(tell)).channel == MAIL


async def test_the_account_page_chooses_the_mails(desk: ReviewDesk) -> None:
    async with Portal(desk) as portal:
        reviewer = await portal.signed_in("reviewer")
        assert 'name="mails" value="each" checked' in (await reviewer.get("/account")).text
        await reviewer.post("/account/mails", data={"mails": "daily"})
        assert 'name="mails" value="daily" checked' in (await reviewer.get("/account")).text


def test_every_work_is_that_of_some_notice() -> None:
    assert all(texts.codes_of(work) for work in texts.Work.__args__)  # type: ignore[attr-defined]

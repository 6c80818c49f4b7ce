"""The pages of notices: a person's own, and for administrators how they leave the portal."""

import re
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from portal_client import Portal
from review_desk import NOON, ReviewDesk

from services.database.tables.applications import Application
from services.database.tables.audit import AuditEvent
from services.database.tables.deliveries import Delivery
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.applications.forms import ItemAsked
from services.domain.notifications import dispatch as notification_dispatch
from services.domain.notifications import robots
from services.domain.notifications import service as notification_service
from services.domain.notifications.deliveries import MAIL, WEBHOOK
from services.domain.notifications.robots import NewRobot
from services.runtime.rules import Rules


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(
        f"sqlite:///{tmp_path / 'database.sqlite3'}", Rules(max_use_days=30, notice_channels=(MAIL, WEBHOOK))
    )
    yield desk
    desk.close()


@pytest.fixture
async def portal(desk: ReviewDesk) -> AsyncIterator[Portal]:
    async with Portal(desk) as portal:
        yield portal


def told(desk: ReviewDesk, person_id: str = "drafter", *codes: str) -> list[str]:
    application_id = desk.submitted()

    def tell(uow: UnitOfWork) -> list[str]:
        given = codes or ("application-incomplete",)
        return [notification_service.notify(uow, person_id, code, application_id=application_id).id for code in given]

    return desk.run(tell)


def given_up(desk: ReviewDesk, notice_id: str, error: str = "recipient-refused", detail: str = "550 no <b>") -> str:
    """The notice's mail has failed for good; the delivery's id."""

    def act(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "drafter").email = "drafter@footage.example"

    desk.run(act)
    while (parcel := desk.run(notification_dispatch.claim_next, MAIL)) is not None:
        if parcel.notice_id == notice_id:
            desk.run(
                notification_dispatch.record_failure, parcel.delivery_id, parcel.attempt, error, detail, for_good=True
            )
    return desk.the(Delivery, notice_id=notice_id, channel=MAIL).id


def bell(page: httpx.Response) -> int:
    found = re.search(r'class="bell"[^>]*aria-label="(\d+) ', page.text)
    assert found is not None
    return int(found[1])


async def test_a_notice_that_is_done_leads_only_to_a_case_that_the_person_may_still_see(
    desk: ReviewDesk, portal: Portal
) -> None:
    application_id = desk.submitted()

    def tell_and_end(uow: UnitOfWork) -> None:
        for person_id in ("operator", "drafter"):
            notification_service.notify(uow, person_id, "storage-prepare", application_id=application_id)
        notification_service.mark_done(uow, "preparation", application_id=application_id)

    desk.run(tell_and_end)
    for person_id, leads in (("operator", False), ("drafter", True)):
        client = await portal.signed_in(person_id)
        listed = await client.get("/notices")
        assert "申请已批准，请存储部门做好调取准备。" in listed.text
        assert (f'href="/cases/{application_id}' in listed.text) is leads
        assert (await client.get(f"/cases/{application_id}")).is_success is leads


async def test_the_bell_counts_what_is_unread_and_opening_a_notice_reads_it(desk: ReviewDesk, portal: Portal) -> None:
    first, _ = told(desk, "drafter", "application-incomplete", "decided:preliminary:approved")
    client = await portal.signed_in("drafter")
    listed = await client.get("/notices")
    number = bell(listed)
    assert "申请内容不完整，请在期限内补正。" in listed.text

    opened = await client.post(f"/notices/{first}/read", data={"open": "true"})

    notice = desk.the(Notice, id=first)
    assert (opened.status_code, opened.headers["location"]) == (303, f"/cases/{notice.application_id}")
    assert notice.read_at is not None
    assert bell(await client.get("/notices")) == number - 1


async def test_all_are_read_at_once_and_the_unread_are_a_list_of_their_own(desk: ReviewDesk, portal: Portal) -> None:
    told(desk, "drafter", "application-incomplete", "decided:preliminary:approved")
    client = await portal.signed_in("drafter")

    assert "部门初审已有结论" in (await client.get("/notices?unread=true")).text
    await client.post("/notices/read")
    after = await client.get("/notices?unread=true")

    assert "没有未读通知" in after.text
    assert "已全部标为已读" in after.text
    assert "部门初审已有结论" in (await client.get("/notices")).text


async def test_a_long_list_has_pages(desk: ReviewDesk, portal: Portal) -> None:
    told(desk, "drafter", *["application-incomplete"] * 21)
    client = await portal.signed_in("drafter")

    assert "?page=2" in (await client.get("/notices")).text
    second = (await client.get("/notices?page=2")).text
    assert "?page=1" in second
    assert second.count("申请内容不完整") == 2  # one row: its link, and the name of its button
    assert (await client.get("/notices?page=0")).status_code == 422


async def test_notices_of_others_are_not_there(desk: ReviewDesk, portal: Portal) -> None:
    [theirs] = told(desk, "drafter")
    head = await portal.signed_in("head")

    assert (await head.post(f"/notices/{theirs}/read")).status_code == 404
    assert desk.the(Notice, id=theirs).read_at is None


async def test_the_pages_speak_english(desk: ReviewDesk, portal: Portal) -> None:
    told(desk, "drafter")
    client = await portal.signed_in("drafter")
    client.cookies.set("footage_desk_language", "en")

    page = (await client.get("/notices")).text

    assert "Your application is incomplete: correct it in time." in page
    assert "Mark all as read" in page
    # the only Chinese is the switch to it
    assert "".join(re.findall(r"[\u4e00-\u9fff]+", page)) == "中文"


async def test_an_administrator_sees_why_a_notice_did_not_arrive_and_sends_it_anew(
    desk: ReviewDesk, portal: Portal
) -> None:
    [notice_id] = told(desk)
    delivery_id = given_up(desk, notice_id)
    admin = await portal.signed_in("admin")
    page = (await admin.get("/admin/notices?state=failed")).text

    assert "邮件服务器不接受收件地址，请在人员资料中改正。" in page
    assert "550 no &lt;b&gt;" in page
    assert "SQ-2031" not in page  # which case it is, is none of the administrator's business

    answer = await admin.post(f"/admin/notices/{delivery_id}/retry")
    assert (answer.status_code, answer.headers["location"]) == (303, "/admin/notices")
    row = desk.the(Delivery, id=delivery_id)
    assert (row.state, row.attempts, row.last_error) == ("waiting", 0, None)
    assert len(desk.all(AuditEvent, action="delivery-retried")) == 1
    parcel = desk.run(notification_dispatch.claim_next, MAIL)
    assert parcel is not None


async def test_everything_that_failed_is_sent_anew_together(desk: ReviewDesk, portal: Portal) -> None:
    [notice_id] = told(desk)
    given_up(desk, notice_id)
    admin = await portal.signed_in("admin")
    failed = (await admin.get("/api/deliveries?state=failed")).json()

    answer = await admin.post("/admin/notices/retry")

    assert answer.status_code == 303
    assert failed["failed"] >= 1
    assert failed["deliveries"][0]["errorZh"]
    assert (await admin.get("/api/deliveries")).json()["failed"] == 0


async def test_what_has_arrived_is_not_sent_again(desk: ReviewDesk, portal: Portal) -> None:
    [notice_id] = told(desk)
    delivery_id = desk.the(Delivery, notice_id=notice_id, channel=WEBHOOK).id
    desk.run(notification_dispatch.mark_delivered, delivery_id)
    admin = await portal.signed_in("admin")

    answer = await admin.post(f"/admin/notices/{delivery_id}/retry")

    assert answer.status_code == 409
    assert "无需重发" in answer.text
    assert (await admin.post("/admin/notices/none/retry")).status_code == 404


async def test_an_administrator_tries_each_channel_on_themselves(desk: ReviewDesk, portal: Portal) -> None:
    admin = await portal.signed_in("admin")

    refused = await admin.post("/admin/notices/test", data={"channel": "mail"})
    assert refused.status_code == 409
    assert "您没有邮箱地址" in refused.text

    def address(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "admin").email = "admin@footage.example"

    desk.run(address)
    for channel in (MAIL, WEBHOOK):
        assert (await admin.post("/admin/notices/test", data={"channel": channel})).status_code == 303
        parcel = desk.run(notification_dispatch.claim_next, channel)
        assert parcel is not None
        assert (parcel.code, parcel.number) == ("test-notice", None)
    assert {notice.person_id for notice in desk.all(Notice, code="test-notice")} == {"admin"}
    assert (await admin.post("/admin/notices/test", data={"channel": "pigeon"})).status_code == 422


async def test_a_channel_that_is_not_set_cannot_be_tried(tmp_path: Path) -> None:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'other.db'}")
    async with Portal(desk) as portal:
        admin = await portal.signed_in("admin")
        page = await admin.get("/admin/notices")
        assert "尚未设置邮件服务器和消息推送" in page.text
        answer = await admin.post("/api/deliveries/test", json={"channel": "webhook"})
        assert (answer.status_code, answer.json()["code"]) == (409, "channel-not-set")
    desk.close()


async def test_a_delivery_to_a_chat_group_names_its_robot_also_one_that_has_ended(
    desk: ReviewDesk, portal: Portal
) -> None:
    groups = {"安保群": "TOKEN-aaaa", "Storage <group>": "TOKEN-bbbb"}
    added = {
        name: desk.run(
            robots.add,
            NewRobot("wecom", name, "zh", f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={token}", None),
            by="admin",
        )
        for name, token in groups.items()
    }
    [notice_id] = told(desk)
    desk.run(robots.end, added["安保群"].id, by="admin")
    client = await portal.signed_in("admin")

    rows = (await client.get("/api/deliveries?state=open&limit=100")).json()["deliveries"]
    of_notice = [row for row in rows if row["channel"].startswith("robot:") and row["code"] == "application-incomplete"]
    assert {(row["robot"], row["robotAddress"]) for row in of_notice} == {
        ("Storage <group>", "qyapi.weixin.qq.com …bbbb")
    }
    assert {row["robot"] for row in rows if row["channel"] in (MAIL, WEBHOOK)} == {None}
    page = (await client.get("/admin/notices?text=Storage")).text
    assert "Storage &lt;group&gt;<br><small>群聊, qyapi.weixin.qq.com …bbbb</small>" in page
    assert "安保群" not in page
    assert "安保群" in (await client.get("/admin/notices?text=安保群")).text  # what tells the group of its end
    assert "Storage <group> (qyapi.weixin.qq.com …bbbb)" in (await client.get("/admin/notices?form=csv")).text
    for text in (page, str(rows)):
        assert "TOKEN" not in text
    delivery = desk.the(Delivery, notice_id=notice_id, channel=f"robot:{added['Storage <group>'].id}")
    again = await client.post(f"/api/deliveries/{delivery.id}/retry")
    assert again.json()["robot"] == "Storage <group>"


@pytest.mark.parametrize("login", ["drafter", "head", "security-head", "supervisor"])
async def test_the_delivery_of_notices_is_the_administrators_alone(portal: Portal, login: str) -> None:
    client = await portal.signed_in(login)

    for answer in (
        await client.get("/admin/notices"),
        await client.post("/admin/notices/retry"),
        await client.post("/admin/notices/test", data={"channel": "mail"}),
        await client.post("/admin/notices/none/retry"),
    ):
        assert answer.status_code == 403


async def test_no_act_without_its_token(portal: Portal) -> None:
    client = await portal.signed_in("admin")
    del client.headers["X-CSRF-Token"]

    for path in ("/notices/read", "/admin/notices/retry", "/admin/notices/test"):
        assert (await client.post(path)).status_code == 403, path


async def test_the_list_shows_number_and_title_to_whoever_may_see_the_case(desk: ReviewDesk, portal: Portal) -> None:
    case = desk.submitted(title="三号门货物丢失")

    def tell(uow: UnitOfWork) -> None:
        for person in ("drafter", "office-head"):  # whose post ended since, say
            notification_service.notify(uow, person, "application-incomplete", application_id=case)

    desk.run(tell)
    shown = {}
    for login in ("drafter", "office-head"):
        browser = await portal.signed_in(login)
        texts = [(await browser.get(path)).text for path in ("/notices", "/notices?form=csv", "/api/notices")]
        shown[login] = ["三号门货物丢失" in text for text in texts], all("SQ-2031-000001" in text for text in texts)
    assert shown == {"drafter": ([True] * 3, True), "office-head": ([False] * 3, True)}


@pytest.mark.requirement("R30")
@pytest.mark.parametrize("by", ["drafter", "office-head"])
async def test_notices_are_found_by_what_their_lines_show_and_by_nothing_else(
    desk: ReviewDesk, portal: Portal, by: str
) -> None:
    """The case is the drafter's; somebody who may not see it was told of it too, and finds it by its number alone."""
    desk.add_north_gate()
    north = (ItemAsked("north", NOON - timedelta(hours=2), NOON - timedelta(hours=1), "UTC"),)
    gate, other = desk.submitted(title="仓库丢货 A"), desk.submitted(title="走廊 B", items=north)
    numbers = [desk.the(Application, id=one).number for one in (gate, other)]
    for application_id in (gate, other):
        desk.run(notification_service.notify, by, "recorder-changed-security", application_id=application_id)
    client = await portal.signed_in(by)

    async def found(text: str) -> list[str]:
        answer = await client.get("/api/notices", params={"text": text})
        page = (await client.get("/notices", params={"text": text})).text
        lines = [line["number"] for line in answer.json()]
        assert [number for number in numbers if f">{number}" in page] == [one for one in numbers if one in lines]
        return lines

    sees = by == "drafter"
    assert await found(str(numbers[0])) == [numbers[0]]
    for text in ("仓库丢货", "丢货 a", "大门", "一层"):
        assert await found(text) == ([numbers[0]] if sees else []), text
    for text in ("走廊", "北门", "north gate", "北区"):
        assert await found(text) == ([numbers[1]] if sees else []), text
    assert await found("地下车库") == []

"""Notices by the robots of chat groups, to a web server on the loopback in the place of the service."""

import base64
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from notice_servers import Answer, Site, says, web_server
from review_desk import ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.deliveries import Delivery
from services.database.tables.notice_robots import NoticeRobot
from services.database.tables.notices import Notice
from services.database.unit_of_work import UnitOfWork
from services.domain.notifications import robots
from services.domain.notifications import service as notification_service
from services.domain.notifications.channels.errors import Undelivered
from services.domain.notifications.channels.robots import Robots, check_answer, sign
from services.domain.notifications.channels.sender import Sender
from services.domain.notifications.robots import NewRobot, Robot
from services.runtime.errors import NotFound, Refused
from services.runtime.settings import Settings

LOOPBACK = "127.0.0.0/8"
PATHS = {
    "wecom": "/cgi-bin/webhook/send?key=TOKEN-1234",
    "dingtalk": "/robot/send?access_token=TOKEN-1234",
    "feishu": "/open-apis/bot/v2/hook/TOKEN-1234",
}
SECRETS = {"wecom": None, "dingtalk": "SECsecret", "feishu": "secret"}
TAKEN = {kind: {"code": 0} if kind == "feishu" else {"errcode": 0, "errmsg": "ok"} for kind in PATHS}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    yield desk
    desk.close()


def new(kind: Any, port: int, **changed: Any) -> NewRobot:
    values = {
        "kind": kind,
        "name": "安保群",
        "language": "zh",
        "address": f"http://127.0.0.1:{port}{PATHS[kind]}",
        "secret": SECRETS[kind],
        "networks": LOOPBACK,
    }
    return NewRobot(**{**values, **changed})


def sender(desk: ReviewDesk) -> Sender:
    settings = Settings.load(allowed_networks=LOOPBACK, portal={"public_url": "https://footage.example"})
    return Sender(desk.database, {}, Robots(settings).send)


def answers(content: Mapping[str, Any]) -> Answer:
    body = json.dumps(content).encode()

    async def answer(writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    return answer


def offered(desk: ReviewDesk, loan: str = "loan-1") -> str:
    application_id = desk.submitted()
    desk.run(notification_service.notify, "keeper", "copy-offered", application_id=application_id, subject_id=loan)
    return application_id


@pytest.mark.requirement("R30")
@pytest.mark.parametrize("kind", PATHS)
async def test_a_group_is_told_a_sentence_a_number_and_a_link_signed_as_its_service_wants(
    desk: ReviewDesk, kind: str
) -> None:
    site = Site(answer=answers(TAKEN[kind]))
    async with web_server(site) as port:
        robot = desk.run(robots.add, new(kind, port), by="admin")
        desk.run(_no_more)
        application_id = offered(desk)
        assert await sender(desk).send_by_robots()

    [call] = site.calls
    number = desk.run(lambda uow: notification_service.get_numbers(uow, [application_id]))[application_id]
    text = call.body.decode()
    assert "有一份副本待您签收。" in text
    assert number in text
    assert "https://footage.example/hand-overs/loan-1" in text
    for secret in ("keeper", "王", "SECsecret", "TOKEN"):
        assert secret not in text
    body, address = json.loads(text), urlsplit(call.line.split()[1])
    if kind == "dingtalk":
        [stamp], [given] = parse_qs(address.query)["timestamp"], parse_qs(address.query)["sign"]
        right = hmac.digest(b"SECsecret", f"{stamp}\nSECsecret".encode(), "sha256")
        assert base64.b64decode(given) == right
        assert len(stamp) == 13
    if kind == "feishu":
        right = hmac.digest(f"{body['timestamp']}\nsecret".encode(), b"", "sha256")
        assert base64.b64decode(body["sign"]) == right
    assert {row.state for row in desk.all(Delivery, channel=f"robot:{robot.id}")} == {"delivered"}


def _no_more(uow: UnitOfWork) -> None:
    """Nothing waits: what told of the robot itself is done."""
    for row in uow.session.query(Delivery):
        row.delivered_at = uow.now


def test_signatures_are_those_of_the_published_examples() -> None:
    ding = Robot("1", "dingtalk", "zh", "https://oapi.dingtalk.com/robot/send?access_token=x", "this is secret")
    address, body = sign(ding, {"msgtype": "markdown"}, 1577262236.757)
    query = parse_qs(urlsplit(address).query)
    assert query["timestamp"] == ["1577262236757"]
    expected = hmac.new(b"this is secret", b"1577262236757\nthis is secret", "sha256").digest()
    assert query["sign"] == [base64.b64encode(expected).decode()]
    assert body == {"msgtype": "markdown"}
    wecom = Robot("1", "wecom", "zh", "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=x", None)
    assert sign(wecom, {"a": 1}, 0.0) == (wecom.address, {"a": 1})


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"ok",
        b"[]",
        b"null",
        b"{}",
        b'{"errcode": "0"}',
        b'{"errcode": false}',
        b'{"errcode": 0.0}',
        b"[" * 9999,
        b"\xff",
    ],
)
@pytest.mark.parametrize("kind", PATHS)
def test_what_is_no_answer_of_such_a_robot_is_no_success(kind: str, content: bytes) -> None:
    with pytest.raises(Undelivered):
        check_answer(kind, 200, content)


async def test_nothing_is_sent_faster_than_the_service_takes_it(desk: ReviewDesk) -> None:
    site = Site(answer=answers(TAKEN["dingtalk"]))
    async with web_server(site) as port:
        desk.run(robots.add, new("dingtalk", port), by="admin")
        desk.run(_no_more)
        for loan in ("loan-1", "loan-2"):
            offered(desk, loan)
        one, other = sender(desk), sender(desk)
        assert await one.send_by_robots()
        assert not await one.send_by_robots()
        assert not await other.send_by_robots()
        desk.clock.turn(timedelta(seconds=4))
        site.answer = answers({"errcode": 130101, "errmsg": "send too fast"})
        assert await other.send_by_robots()
        desk.clock.turn(timedelta(minutes=9))
        assert not await other.send_by_robots()
        site.answer = answers(TAKEN["dingtalk"])
        desk.clock.turn(timedelta(minutes=2))
        assert await one.send_by_robots()
    assert len(site.calls) == 3
    assert all(row.state == "delivered" for row in desk.all(Delivery))


@pytest.mark.parametrize("kind", PATHS)
async def test_a_service_that_repeats_what_it_was_sent_gives_no_secret_away(desk: ReviewDesk, kind: str) -> None:
    said = f"no robot at {PATHS[kind]} of SECsecret or secret, token TOKEN-1234"
    site = Site(answer=answers({"code" if kind == "feishu" else "errcode": 1, "errmsg": said, "msg": said}))
    async with web_server(site) as port:
        desk.run(robots.add, new(kind, port), by="admin")
        desk.run(_no_more)
        offered(desk)
        assert await sender(desk).send_by_robots()
    [detail] = [str(row.last_detail) for row in desk.all(Delivery) if row.last_error == "robot-refused"]
    assert "no robot at" in detail
    assert "TOKEN-1234" not in detail
    assert SECRETS[kind] is None or str(SECRETS[kind]) not in detail


async def test_a_group_is_told_once_and_nothing_of_anybodys_account(desk: ReviewDesk) -> None:
    async with web_server(Site(answer=answers(TAKEN["wecom"]))) as port:
        robot = desk.run(robots.add, new("wecom", port), by="admin")
    desk.run(_no_more)
    application_id = desk.submitted()
    for person in ("keeper", "head", "reviewer"):
        desk.run(notification_service.notify, person, "copy-offered", application_id=application_id, subject_id="loan")
    desk.run(notification_service.notify, "keeper", "own-account-changed", application_id=None)
    waiting = [row for row in desk.all(Delivery, channel=f"robot:{robot.id}") if row.state == "waiting"]
    assert [desk.the(Notice, id=row.notice_id).code for row in waiting].count("copy-offered") == 1
    assert "own-account-changed" not in {desk.the(Notice, id=row.notice_id).code for row in waiting}


async def test_who_watches_is_told_of_a_robot_and_an_ended_one_says_so_last(desk: ReviewDesk) -> None:
    site = Site(answer=answers(TAKEN["feishu"]))
    async with web_server(site) as port:
        robot = desk.run(robots.add, new("feishu", port, language="en"), by="admin")
        told = {notice.person_id for notice in desk.all(Notice, code="robot-changed")}
        assert {"security-head", "supervisor"} <= told
        offered(desk)
        desk.run(robots.end, robot.id, by="admin")
        assert await sender(desk).send_by_robots()
        desk.clock.turn(timedelta(minutes=1))
        assert not await sender(desk).send_by_robots()
    [call] = site.calls
    assert "This group no longer receives notices" in call.body.decode()
    assert [event.action for event in desk.all(AuditEvent) if event.action.startswith("robot-")] == [
        "robot-added",
        "robot-ended",
    ]
    with pytest.raises(NotFound):
        desk.run(robots.end, robot.id, by="admin")


async def test_a_robot_whose_secret_does_not_open_any_more_silences_no_other(desk: ReviewDesk) -> None:
    """The portal's key is lost: what was encrypted with it is of no use, and the way out needs it for nothing."""
    site = Site(answer=answers(TAKEN["wecom"]))
    async with web_server(site) as port:
        lost = desk.run(robots.add, new("wecom", port), by="admin")
        there = desk.run(robots.add, new("feishu", port), by="admin")
        desk.run(_lose_key, lost.id)
        site.answer = answers(TAKEN["feishu"])
        offered(desk)
        await _send_all(desk)
        assert _states(desk, there.id) == {("delivered", None)}
        assert _states(desk, lost.id) == {("failed", "channel-unreadable")}
        assert desk.all(Notice, code="deliveries-failing", person_id="admin")

        again = desk.run(robots.add, new("wecom", port), by="admin")  # the same address is no robot in use
        desk.run(robots.end, lost.id, by="admin")
        site.answer = answers(TAKEN["wecom"])
        offered(desk, "loan-2")
        await _send_all(desk)
        assert _states(desk, again.id) == {("delivered", None)}
        assert "waiting" not in {state for state, _ in _states(desk, lost.id)}


@pytest.mark.requirement("R30")
async def test_the_administrators_are_told_at_once_of_a_robot_that_its_service_no_longer_knows(
    desk: ReviewDesk,
) -> None:
    gone = {"wecom": {"errcode": 93000}, "dingtalk": {"errcode": 300001}, "feishu": {"code": 19001}}
    site = Site(answer=answers(TAKEN["wecom"]))
    async with web_server(site) as port:
        for number, (kind, answer) in enumerate(gone.items()):
            robot = desk.run(robots.add, new(kind, port), by="admin")
            site.answer = answers(answer)
            offered(desk, f"loan-{number}")
            await _send_all(desk)
            assert _states(desk, robot.id) == {("failed", "robot-gone")}
            assert len(desk.all(Notice, code="deliveries-failing", person_id="admin")) == 1, "and once"
            desk.run(robots.end, robot.id, by="admin")


async def _send_all(desk: ReviewDesk) -> None:
    for _ in range(6):
        await sender(desk).send_by_robots()
        desk.clock.turn(timedelta(seconds=5))


def _states(desk: ReviewDesk, robot_id: str) -> set[tuple[str, str | None]]:
    return {(row.state, row.last_error) for row in desk.all(Delivery, channel=f"robot:{robot_id}")}


def _lose_key(uow: UnitOfWork, robot_id: str) -> None:
    uow.session.get_one(NoticeRobot, robot_id).address = "encrypted with the key that is lost"


def test_address_and_secret_are_nowhere_in_clear(desk: ReviewDesk, tmp_path: Path) -> None:
    row = desk.run(robots.add, new("dingtalk", 8080), by="admin")
    stored = desk.the(NoticeRobot, id=row.id)
    assert "TOKEN" not in stored.address
    assert "SECsecret" not in str(stored.secret)
    assert row.shown == "127.0.0.1:8080 …1234"
    for file in tmp_path.iterdir():
        content = file.read_bytes()
        assert b"TOKEN-1234" not in content
        assert b"SECsecret" not in content


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"address": "https://example.com/"}, "robot-address"),
        ({"address": "https://oapi.dingtalk.com/robot/send"}, "robot-address"),
        ({"address": "https://oapi.dingtalk.com/robot/send?access_token="}, "robot-address"),
        ({"address": "ftp://oapi.dingtalk.com/robot/send?access_token=x"}, "address-scheme"),
        ({"address": "https://u:p@oapi.dingtalk.com/robot/send?access_token=x"}, "address-credentials"),
        ({"address": "https://127.0.0.1/robot/send?access_token=x", "networks": None}, "address-inside"),
        ({"address": "http://oapi.dingtalk.com/robot/send?access_token=x", "networks": None}, "address-scheme"),
        ({"address": "https://169.254.169.254/robot/send?access_token=x", "networks": None}, "address-inside"),
        ({"address": "http://10.0.0.1/robot/send?access_token=x"}, "address-clear"),  # 127.0.0.0/8 alone is listed
        ({"secret": None}, "robot-secret"),
    ],
)
def test_what_is_no_robot_is_refused(desk: ReviewDesk, changed: Mapping[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        desk.run(robots.add, new("dingtalk", 8080, **changed), by="admin")
    assert refusal.value.code == code
    assert desk.all(NoticeRobot) == []


def test_who_is_no_administrator_neither_adds_nor_ends_nor_sends(desk: ReviewDesk) -> None:
    row = desk.run(robots.add, new("wecom", 8080), by="admin")
    for person in ("security-head", "supervisor", "drafter", "manager"):
        for act in (lambda uow: robots.add(uow, new("wecom", 8081)), lambda uow: robots.end(uow, row.id)):
            with pytest.raises(Refused):
                desk.run(act, by=person)
        with pytest.raises(Refused):
            desk.run(robots.send_test, row.id, by=person)
        with pytest.raises(Refused):
            desk.run(robots.list_robots, by=person)
    with pytest.raises(Refused) as known:
        desk.run(robots.add, new("wecom", 8080), by="admin")
    assert known.value.code == "robot-known"
    with pytest.raises(Refused) as superfluous:
        desk.run(robots.add, new("wecom", 8081, secret="x"), by="admin")
    assert superfluous.value.code == "robot-secret"


async def test_an_answer_that_never_ends_or_leads_elsewhere_is_no_success(desk: ReviewDesk) -> None:
    async def endless(writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n")
        for _ in range(40):
            writer.write(b"x" * 8192)
            await writer.drain()

    for answer, code in (
        (endless, "robot-refused"),
        (says("302 Found\r\nLocation: http://127.0.0.1:1/"), "redirected"),
    ):
        site = Site(answer=answer)
        async with web_server(site) as port:
            robot = desk.run(robots.add, new("wecom", port), by="admin")
            desk.run(_no_more)
            desk.run(robots.send_test, robot.id, by="admin")
            assert await sender(desk).send_by_robots()
        row = next(row for row in desk.all(Delivery, channel=f"robot:{robot.id}") if row.attempts)
        assert row.last_error == code
        assert "TOKEN" not in str(row.last_detail)

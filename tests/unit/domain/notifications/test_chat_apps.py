"""Notices to single persons by a chat app, to a web server on the loopback in the place of the service."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from notice_servers import Heard, Site, web_server
from review_desk import ReviewDesk
from structlog.testing import capture_logs

from services.database.tables.audit import AuditEvent
from services.database.tables.chat_apps import ChatApp
from services.database.tables.deliveries import Delivery
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import people_import, staff
from services.domain.accounts.schemas import PersonBody
from services.domain.notifications import chat_apps, delivery_queries
from services.domain.notifications import dispatch as notification_dispatch
from services.domain.notifications import service as notification_service
from services.domain.notifications.channels.apps import SERVICES, Apps
from services.domain.notifications.channels.errors import Undelivered
from services.domain.notifications.channels.sender import Sender
from services.domain.notifications.chat_apps import NewApp
from services.runtime.errors import Refused
from services.runtime.settings import Settings

LOOPBACK = "127.0.0.0/8"
SECRET = "app-secret-1"
AGENTS = {"wecom": "1000002", "dingtalk": None, "feishu": None}
TOKENS = ("/cgi-bin/gettoken", "/v1.0/oauth2/accessToken", "/open-apis/auth/v3/tenant_access_token/internal")
TAKEN: dict[str, dict[str, Any]] = {
    "wecom": {"errcode": 0, "errmsg": "ok", "msgid": "m"},
    "dingtalk": {"processQueryKey": "q", "invalidStaffIdList": []},
    "feishu": {"code": 0, "msg": "success", "data": {"message_id": "om_1"}},
}
UNKNOWN: dict[str, dict[str, Any]] = {
    "wecom": {"errcode": 0, "errmsg": "ok", "invaliduser": "keeper.id"},
    "dingtalk": {"processQueryKey": "q", "invalidStaffIdList": ["keeper.id"]},
    "feishu": {"code": 230013, "msg": "Bot has NO availability to this user."},
}
ENDED: dict[str, dict[str, Any]] = {
    "wecom": {"errcode": 42001, "errmsg": "access_token expired"},
    "dingtalk": {"code": "InvalidAuthentication", "message": "invalid"},
    "feishu": {"code": 99991663, "msg": "Invalid access token"},
}
TOO_MANY = {"errcode": 45009, "errmsg": "api freq out of limit"}


@dataclass
class Service(Site):
    """A chat service: gives a new token whenever it is asked, and ``answers`` messages in order, then as usual."""

    kind: str = "wecom"
    answers: list[dict[str, Any]] = field(default_factory=list)
    tokens: int = 0

    def __post_init__(self) -> None:
        self.answer = self._answer

    @property
    def messages(self) -> list[Heard]:
        return [call for call in self.calls if urlsplit(call.line.split()[1]).path not in TOKENS]

    async def _answer(self, writer: Any) -> None:
        if self.calls[-1] in self.messages:
            content = self.answers.pop(0) if self.answers else TAKEN[self.kind]
        else:
            self.tokens += 1
            token = f"token-{self.tokens}"
            content = {
                "wecom": {"errcode": 0, "errmsg": "ok", "access_token": token, "expires_in": 7200},
                "dingtalk": {"accessToken": token, "expireIn": 7200},
                "feishu": {"code": 0, "msg": "ok", "tenant_access_token": token, "expire": 7200},
            }[self.kind]
        body = json.dumps(content).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    desk.database.rules = replace(desk.rules, notice_channels=("mail",))

    def reached(uow: UnitOfWork) -> None:
        for person in uow.session.query(Person):
            person.email = f"{person.id}@footage.example"
        uow.session.get_one(Person, "keeper").chat_id = "keeper.id"

    desk.run(reached)
    yield desk
    desk.close()


def new(kind: Any, port: int, **changed: Any) -> NewApp:
    values = {
        "kind": kind,
        "account": "ww0123456789",
        "agent": AGENTS[kind],
        "secret": SECRET,
        "address": f"http://127.0.0.1:{port}",
        "networks": LOOPBACK,
    }
    return NewApp(**{**values, **changed})


def set_up(desk: ReviewDesk, kind: str, port: int) -> str:
    desk.run(chat_apps.set_app, new(kind, port), by="admin")
    desk.run(_nothing_waits)
    return next(row.channel for row in desk.all(ChatApp) if row.ended_at is None)


def sender(desk: ReviewDesk) -> Sender:
    settings = Settings.load(allowed_networks=LOOPBACK, portal={"public_url": "https://footage.example"})
    return Sender(desk.database, {}, apps=Apps(settings, desk.database).send)


def _nothing_waits(uow: UnitOfWork) -> None:
    for row in uow.session.query(Delivery).filter(Delivery.delivered_at.is_(None)):
        row.delivered_at = uow.now


def offered(desk: ReviewDesk, person: str = "keeper", loan: str = "loan-1") -> Notice:
    named = {"application_id": desk.submitted(), "subject_id": loan}
    return desk.run(notification_service.notify, person, "copy-offered", **named)


def ways(desk: ReviewDesk, notice: Notice) -> dict[str, str]:
    return {row.channel.partition(":")[0]: row.state for row in desk.all(Delivery, notice_id=notice.id)}


@pytest.mark.requirement("R30")
@pytest.mark.parametrize("kind", TAKEN)
async def test_a_person_gets_a_sentence_a_number_and_a_link_in_the_place_of_a_mail(desk: ReviewDesk, kind: str) -> None:
    async with web_server(service := Service(kind=kind)) as port:
        set_up(desk, kind, port)
        notice = offered(desk)
        other = offered(desk, "head")
        with capture_logs() as logs:
            assert await sender(desk).send_by_apps()

    assert ways(desk, notice) == {"app": "delivered"}
    assert ways(desk, other) == {"mail": "waiting"}
    [call] = service.messages
    body = json.loads(call.body)
    text = json.dumps([*body.values(), *_inner(body)], ensure_ascii=False)
    number = desk.run(notification_service.get_numbers, [str(notice.application_id)])[str(notice.application_id)]
    assert "有一份副本待您签收。" in text
    assert number in text
    assert "https://footage.example/hand-overs/loan-1" in text
    assert {body.get("touser"), body.get("receive_id"), *body.get("userIds", ())} >= {"keeper.id"}
    query = parse_qs(urlsplit(call.line.split()[1]).query)
    given = query.get("access_token") or [call.headers.get("x-acs-dingtalk-access-token")]
    assert "token-1" in {*given, call.headers.get("authorization", "").removeprefix("Bearer ")}
    for secret in ("王", "keeper@", SECRET):
        assert secret not in text
    assert not {SECRET, "token-1"} & set(re.findall(r"[\w.-]+", str(logs)))
    row = desk.the(ChatApp)
    assert SECRET not in row.secret
    assert "token-1" not in str(row.token)
    if kind == "wecom":
        assert body["agentid"] == 1000002
        assert body["enable_duplicate_check"] == 1
    if kind == "feishu":
        assert query["receive_id_type"] == ["user_id"]
        assert body["uuid"] == desk.the(Delivery, notice_id=notice.id).id


def _inner(body: Mapping[str, Any]) -> Sequence[Any]:
    return [json.loads(body[name]) for name in ("content", "msgParam") if name in body]


@pytest.mark.parametrize("kind", TAKEN)
async def test_a_token_is_kept_for_all_portals_and_renewed_before_its_end_and_when_it_is_refused(
    desk: ReviewDesk, kind: str
) -> None:
    async with web_server(service := Service(kind=kind)) as port:
        set_up(desk, kind, port)
        for _ in range(2):
            offered(desk)
            assert await sender(desk).send_by_apps()
            desk.clock.turn(timedelta(seconds=4))
        assert service.tokens == 1
        service.answers = [ENDED[kind]]
        offered(desk)
        assert await sender(desk).send_by_apps()
        assert service.tokens == 2
        assert len(service.messages) == 4
        desk.run(_token_ends)
        desk.clock.turn(timedelta(seconds=4))
        service.answers = [ENDED[kind]]  # also to a new one: it is not asked for again and again
        notice = offered(desk)
        assert await sender(desk).send_by_apps()
        assert service.tokens == 3
    [row] = desk.all(Delivery, notice_id=notice.id)
    assert (row.state, row.last_error) == ("waiting", "app-credentials")


def _token_ends(uow: UnitOfWork) -> None:
    uow.session.query(ChatApp).one().token_until = uow.real_now


@pytest.mark.requirement("R30")
@pytest.mark.parametrize("kind", TAKEN)
async def test_who_is_unknown_to_the_app_is_mailed_at_once_and_named_to_the_administrator(
    desk: ReviewDesk, kind: str
) -> None:
    async with web_server(Service(kind=kind, answers=[UNKNOWN[kind]])) as port:
        set_up(desk, kind, port)
        notice = offered(desk)
        assert await sender(desk).send_by_apps()
        assert ways(desk, notice) == {"app": "failed", "mail": "waiting"}
        view = desk.run(chat_apps.get_view, by="admin")
        assert view is not None
        assert [(one.id, one.chat_id) for one in view.unknown] == [("keeper", "keeper.id")]
        assert {one.person_id for one in desk.all(Notice, code="deliveries-failing")} == {"admin"}
        assert desk.all(Notice, code="notice-undelivered") == []
        # what was mailed is not sent again with all that failed
        assert desk.run(delivery_queries.retry_failed, by="admin") == 0
        desk.clock.turn(timedelta(seconds=4))
        offered(desk)
        assert await sender(desk).send_by_apps()
    view = desk.run(chat_apps.get_view, by="admin")
    assert view is not None
    assert view.unknown == []


async def test_a_service_that_is_down_is_tried_four_times_then_the_notice_is_mailed_once(desk: ReviewDesk) -> None:
    async with web_server(Service()) as port:
        set_up(desk, "wecom", port)
    notice = offered(desk)
    told = desk.run(notification_service.notify, "keeper", "own-account-changed", application_id=None)
    assert ways(desk, told) == {"app": "waiting", "mail": "waiting"}
    for _ in range(4):
        assert ways(desk, notice) == {"app": "waiting"}
        assert await sender(desk).send_by_apps()
        desk.clock.turn(timedelta(minutes=16))
    assert ways(desk, notice) == {"app": "failed", "mail": "waiting"}
    assert [row.channel for row in desk.all(Delivery, notice_id=told.id)].count("mail") == 1
    assert not await sender(desk).send_by_apps()


async def test_an_app_whose_secret_does_not_open_any_more_is_replaced_by_mails(desk: ReviewDesk) -> None:
    """The portal's key is lost; what is due at once is bounded, and another app can be set."""
    async with web_server(service := Service(kind="wecom")) as port:
        channel = set_up(desk, "wecom", port)
        desk.run(_lose_key)
        notices = [offered(desk, loan=f"loan-{number}") for number in range(3)]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(notification_dispatch, "MOST_GIVEN_UP", 2)
            assert not await sender(desk).send_by_apps()
            assert len([row for row in desk.all(Delivery, channel=channel) if row.state == "waiting"]) == 1
            desk.clock.turn(timedelta(seconds=4))
            assert not await sender(desk).send_by_apps()
        assert [ways(desk, notice) for notice in notices] == [{"app": "failed", "mail": "waiting"}] * 3
        assert {row.last_error for row in desk.all(Delivery, channel=channel) if row.state == "failed"} == {
            "channel-unreadable"
        }

        newer = set_up(desk, "wecom", port)
        another = offered(desk, loan="another")
        assert await sender(desk).send_by_apps()
    assert ways(desk, another) == {"app": "delivered"}
    assert (newer != channel, len(service.messages)) == (True, 1)


def _lose_key(uow: UnitOfWork) -> None:
    for app in uow.session.query(ChatApp):
        app.secret = "encrypted with the key that is lost"


async def test_without_a_mail_address_it_is_tried_for_a_day_and_passed_on_to_the_head(desk: ReviewDesk) -> None:
    async with web_server(Service()) as port:
        set_up(desk, "wecom", port)
    desk.run(_no_address)
    notice = offered(desk)
    for _ in range(10):
        assert await sender(desk).send_by_apps()
        desk.clock.turn(timedelta(hours=9))
    assert ways(desk, notice) == {"app": "failed"}
    assert {one.person_id for one in desk.all(Notice, code="notice-undelivered")} == {"head"}


def _no_address(uow: UnitOfWork) -> None:
    uow.session.get_one(Person, "keeper").email = None


async def test_nothing_is_sent_faster_than_the_service_takes_it_and_nothing_is_lost(desk: ReviewDesk) -> None:
    async with web_server(service := Service()) as port:
        channel = set_up(desk, "wecom", port)
        desk.run(lambda uow: setattr(uow.session.get_one(Person, "head"), "chat_id", "head.id"))
        for number in range(22):
            offered(desk, loan=f"loan-{number}")
        assert await sender(desk).send_by_apps()
        assert len(service.messages) == chat_apps.AT_ONCE
        assert not await sender(desk).send_by_apps()
        desk.clock.turn(timedelta(seconds=4))
        assert await sender(desk).send_by_apps()
        assert len(service.messages) == notification_dispatch.MOST_TO_ONE  # to one person, in a minute
        desk.clock.turn(timedelta(seconds=4))
        offered(desk, "head")  # others do not wait for that
        service.answers = [TOO_MANY]
        assert await sender(desk).send_by_apps()
        desk.clock.turn(timedelta(seconds=30))
        assert not await sender(desk).send_by_apps()
        for _ in range(3):
            desk.clock.turn(timedelta(minutes=2))
            await sender(desk).send_by_apps()
    assert {row.state for row in desk.all(Delivery, channel=channel)} == {"delivered"}
    links = [re.findall(r"loan-\d+", call.body.decode())[0] for call in service.messages if b"keeper.id" in call.body]
    assert len(links) == len(set(links)) == 22


@pytest.mark.requirement("R2", "R46")
async def test_a_changed_id_is_told_at_the_old_one_and_of_who_decides_needs_a_second_person(desk: ReviewDesk) -> None:
    async with web_server(service := Service()) as port:
        set_up(desk, "wecom", port)
        keeper = desk.the(Person, id="keeper")
        details = staff.Details(keeper.name, keeper.department_id, keeper.email, keeper.locale, "other.id")
        desk.run(staff.change_person, "keeper", details, by="admin")
        assert await sender(desk).send_by_apps()
        assert {json.loads(call.body)["touser"] for call in service.messages} == {"keeper.id", "other.id"}
    head = desk.the(Person, id="head")
    details = staff.Details(head.name, head.department_id, head.email, head.locale, "mine")
    with pytest.raises(Refused) as refusal:
        desk.run(staff.change_person, "head", details, by="admin")
    assert refusal.value.code == "second-person-needed"
    assert desk.the(Person, id="head").chat_id is None


def test_a_list_of_people_sets_ids_and_leaves_them_where_it_has_no_such_column(desk: ReviewDesk) -> None:
    keeper, works = desk.the(Person, id="keeper"), desk.the(Person, id="keeper").department_id
    name = desk.run(people_import.read_departments).names[works]
    line = f"{keeper.login},{keeper.name},{name},{keeper.email},{keeper.locale}"
    head = "login,name,department,email,language"
    for content, changes in (
        (f"{head}\n{line}\n", {}),
        (f"{head},chat\n{line},next.id\n", {"chat": ("keeper.id", "next.id")}),
        (f"{head},chat\n{line},\n", {"chat": ("keeper.id", "")}),
    ):
        planned = desk.run(people_import.preview, content.encode(), by="admin")
        assert planned.wrong == []
        assert {name: pair for one in planned.changes for name, pair in one.changes.items()} == changes
    for wrong in ("@all", "a|b", "a b", "a,b"):
        planned = desk.run(people_import.preview, f'{head},chat\n{line},"{wrong}"\n'.encode(), by="admin")
        assert [one.en for one in planned.wrong] == ["chat is not valid"]
        with pytest.raises(ValueError, match="chatId"):
            PersonBody.model_validate({"name": "x", "departmentId": works, "chatId": wrong})


async def test_another_app_takes_the_place_of_one_which_still_says_so_and_sends_what_it_had(desk: ReviewDesk) -> None:
    desk.run(lambda uow: setattr(uow.session.get_one(Person, "supervisor"), "chat_id", "supervisor.id"))
    async with web_server(before := Service()) as first, web_server(after := Service(kind="feishu")) as second:
        set_up(desk, "wecom", first)
        offered(desk)
        desk.clock.turn(timedelta(seconds=1))
        desk.run(chat_apps.set_app, new("feishu", second, id_type="open_id"), by="admin")
        while await sender(desk).send_by_apps():
            desk.clock.turn(timedelta(seconds=4))
        desk.run(chat_apps.end, by="admin")
        notice = offered(desk)
    assert [json.loads(call.body)["touser"] for call in before.messages] == ["keeper.id", "supervisor.id"]
    assert [json.loads(call.body)["receive_id"] for call in after.messages] == ["supervisor.id"]
    assert ways(desk, notice) == {"mail": "waiting"}
    assert {one.person_id for one in desk.all(Notice, code="chat-app-changed")} == {"security-head", "supervisor"}
    actions = [event.action for event in desk.all(AuditEvent) if event.action.startswith("chat-app-")]
    assert actions == ["chat-app-set", "chat-app-set", "chat-app-ended"]
    with pytest.raises(Refused):
        desk.run(chat_apps.end, by="admin")


async def test_a_service_that_repeats_what_it_was_sent_gives_no_secret_away(desk: ReviewDesk) -> None:
    said = {"errcode": 7, "errmsg": f"no {SECRET} and token-1 here"}
    async with web_server(Service(answers=[said])) as port:
        set_up(desk, "wecom", port)
        offered(desk)
        assert await sender(desk).send_by_apps()
    [detail] = [str(row.last_detail) for row in desk.all(Delivery) if row.last_error == "app-refused"]
    assert detail == "7: no … and … here"


@pytest.mark.parametrize(
    ("kind", "changed", "code"),
    [
        ("wecom", {"agent": None}, "chat-app-agent"),
        ("wecom", {"agent": "x"}, "chat-app-agent"),
        ("feishu", {"agent": "1"}, "chat-app-agent"),
        ("wecom", {"account": "a b"}, "chat-app-account"),
        ("wecom", {"address": "https://qyapi.weixin.qq.com/cgi-bin"}, "chat-app-address"),
        ("wecom", {"address": "http://qyapi.weixin.qq.com", "networks": None}, "address-scheme"),
        ("wecom", {"address": "https://169.254.169.254", "networks": None}, "address-inside"),
    ],
)
def test_what_is_no_app_is_refused(desk: ReviewDesk, kind: str, changed: Mapping[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refusal:
        desk.run(chat_apps.set_app, new(kind, 8080, **changed), by="admin")
    assert refusal.value.code == code
    assert desk.all(ChatApp) == []


def test_who_is_no_administrator_neither_sets_nor_ends_nor_sends(desk: ReviewDesk) -> None:
    set_up(desk, "wecom", 8080)
    acts = (lambda uow: chat_apps.set_app(uow, new("wecom", 1)), chat_apps.end, chat_apps.send_test, chat_apps.get_view)
    for act in acts:
        with pytest.raises(Refused) as refusal:
            desk.run(act, by="security-head")
        assert refusal.value.code == "administrators-only"
    with pytest.raises(Refused) as without:
        desk.run(chat_apps.send_test, by="admin")
    assert without.value.code == "no-chat-id"


@pytest.mark.parametrize(
    "content", [b"", b"ok", b"[]", b"null", b"{}", b'{"errcode": "0"}', b'{"code": false}', b"\xff"]
)
@pytest.mark.parametrize("kind", TAKEN)
def test_what_is_no_answer_of_such_a_service_is_no_success(kind: str, content: bytes) -> None:
    for read in (SERVICES[kind].check, SERVICES[kind].read_token):
        with pytest.raises(Undelivered):
            read(200, content)

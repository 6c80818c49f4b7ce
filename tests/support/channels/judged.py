"""What becomes of one answer: a notice is sent to a server that gives it, again and again until it is given up."""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from notice_servers import Certificate, certificate
from review_desk import ReviewDesk

from channels.answers import EACH, Answer, http
from channels.servers import MailScript, WebScript, mail_server, web_server
from services.database.tables.chat_apps import ChatApp
from services.database.tables.deliveries import Delivery
from services.database.tables.notice_robots import NoticeRobot
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.notifications import chat_apps, robots
from services.domain.notifications import service as notification_service
from services.domain.notifications.channels.apps import Apps
from services.domain.notifications.channels.mail import Mailer
from services.domain.notifications.channels.robots import Robots
from services.domain.notifications.channels.sender import Sender
from services.domain.notifications.channels.webhook import Webhook
from services.domain.notifications.chat_apps import NewApp
from services.domain.notifications.deliveries import MAIL, WEBHOOK
from services.domain.notifications.robots import NewRobot
from services.runtime.settings import Settings

LOOPBACK = "127.0.0.0/8"
SHORT, LONG = 0.2, 20  # seconds until a silent server is given up, and until one that speaks is
ROBOT_PATHS = {
    "wecom": "/cgi-bin/webhook/send?key=TOKEN",
    "dingtalk": "/robot/send?access_token=TOKEN",
    "feishu": "/open-apis/bot/v2/hook/TOKEN",
}
TOKENS = {
    "wecom": '{"errcode":0,"errmsg":"ok","access_token":"t","expires_in":7200}',
    "dingtalk": '{"accessToken":"t","expireIn":7200}',
    "feishu": '{"code":0,"msg":"ok","tenant_access_token":"t","expire":7200}',
}
TAKEN = {
    "wecom": '{"errcode":0,"errmsg":"ok"}',
    "dingtalk": '{"processQueryKey":"q"}',
    "feishu": '{"code":0,"msg":"success"}',
}


@dataclass(frozen=True)
class Verdict:
    """``code`` is ``taken``, ``renewed`` or one of the errors; ``after`` the pause before the second attempt.

    ``told``: when the administrators were; ``head``: so was the head of the person's department; ``instead``: a mail.
    """

    code: str
    attempts: int
    after: timedelta
    lasted: timedelta
    told: timedelta | None
    head: bool
    instead: bool


@cache
def judged(answer: Answer) -> Verdict:
    """What becomes of it; of an answer of each service AssertionError where it is not the same with all."""
    first, *others = (answer.kind,) if answer.kind or answer.channel in (MAIL, WEBHOOK) else EACH
    verdict = asyncio.run(_judge(replace(answer, kind=first)))
    for kind in others:
        assert asyncio.run(_judge(replace(answer, kind=kind), whole=False)).code == verdict.code
    return verdict


async def _judge(answer: Answer, *, whole: bool = True) -> Verdict:
    """Send until it is delivered or given up, or once."""
    with tempfile.TemporaryDirectory() as folder:
        desk = ReviewDesk(f"sqlite:///{Path(folder) / 'database.sqlite3'}")
        try:
            async with _Trial(desk, answer, Path(folder)).sending() as trial:
                return await trial.run(whole=whole)
        finally:
            desk.close()


class _Trial:
    """One answer, and a desk whose channel leads to a server that gives it."""

    def __init__(self, desk: ReviewDesk, answer: Answer, folder: Path) -> None:
        self.desk, self.answer = desk, answer
        self.own = certificate(folder)
        self.other = certificate(folder, name="elsewhere.example")
        self.seconds = SHORT if answer.says is None else LONG
        self.networks = None if answer.network == "inside" else LOOPBACK
        self.web = WebScript(self._says)
        self.send: Callable[[], Awaitable[bool]]

    @asynccontextmanager
    async def sending(self) -> AsyncIterator["_Trial"]:
        """Set the channel up, to a server that answers so."""
        self.desk.run(_reached)
        async with self._server() as port:
            setting_up: dict[str, Callable[[int], Callable[[], Awaitable[bool]]]] = {
                "robot": self._robot,
                "app": self._app,
                "mail": self._mail,
                "webhook": self._webhook,
            }
            self.send = setting_up[self.answer.channel](port)
            yield self

    @asynccontextmanager
    async def _server(self) -> AsyncIterator[int]:
        served = self.other if self.answer.network == "elsewhere" else self.own
        if self.answer.channel == "mail":
            script = MailScript(self.answer.to, self.answer.says)  # type: ignore[arg-type]  # of a mail it is a step
            server = mail_server(script, served)
        else:
            server = web_server(self.web, served if self.answer.network in ("elsewhere", "unknown") else None)
        async with contextlib.AsyncExitStack() as stack:
            port = await stack.enter_async_context(server)
            if self.answer.network == "nobody":
                await stack.aclose()
            yield port

    @property
    def _address(self) -> str:
        encrypted = self.answer.network in ("elsewhere", "unknown", "clear")
        return "https://localhost" if encrypted else "http://127.0.0.1"

    def _settings(self, **notices: Any) -> Settings:
        return Settings.load(
            allowed_networks=self.networks,
            portal={"public_url": "https://footage.example"},
            notices={"timeout_seconds": self.seconds, **notices},
        )

    def _says(self, line: str) -> bytes | None:
        """To an app: usual tokens and messages, but for what is asked about, until another token is asked for."""
        if self.answer.channel != "app":
            return self.answer.says
        path = line.split()[1]
        to_token = "gettoken" in path or "oauth2" in path or "/auth/" in path
        tokens = sum("gettoken" in one or "oauth2" in one or "/auth/" in one for one in self.web.asked)
        if to_token == (self.answer.to == "token") and (to_token or tokens == 0):
            return self.answer.says
        return http("200 OK", (TOKENS if to_token else TAKEN)[self.answer.kind])

    def _robot(self, port: int) -> Callable[[], Awaitable[bool]]:
        kind: Any = self.answer.kind
        secret = None if kind == "wecom" else "SECsecret"
        address = f"{self._address}:{port}{ROBOT_PATHS[kind]}"
        self.desk.run(robots.add, NewRobot(kind, "群", "zh", address, secret, LOOPBACK), by="admin")
        return Sender(self.desk.database, {}, Robots(self._settings()).send).send_by_robots

    def _app(self, port: int) -> Callable[[], Awaitable[bool]]:
        self._rules("mail")
        kind: Any = self.answer.kind
        agent = "1000002" if kind == "wecom" else None
        address = f"{self._address}:{port}"
        self.desk.run(chat_apps.set_app, NewApp(kind, "ww01", "secret", agent, None, address, LOOPBACK), by="admin")
        if self.answer.to == "message":
            app = self.desk.the(ChatApp)
            self.desk.run(chat_apps.keep_token, app.id, "t0", timedelta(hours=1))
        apps = Apps(self._settings(), self.desk.database)
        return Sender(self.desk.database, {}, apps=apps.send).send_by_apps

    def _mail(self, port: int) -> Callable[[], Awaitable[bool]]:
        self._rules("mail")
        authority = {} if self.answer.network == "unknown" else {"ca_file": self._trusted().authority}
        server = {"host": "localhost", "port": port, "sender": "desk@footage.example", "user": "desk", "password": "x"}
        mailer = Mailer(self._settings(mail={**server, **authority}))
        return partial(Sender(self.desk.database, {MAIL: mailer.send}).send_next, MAIL)

    def _webhook(self, port: int) -> Callable[[], Awaitable[bool]]:
        self._rules("webhook")
        authority = {"ca_file": self._trusted().authority} if self.answer.network == "elsewhere" else {}
        webhook = {"url": f"{self._address}:{port}/", "secret": f"whsec_{'a' * 32}", **authority}
        settings = self._settings(webhook=webhook)
        return partial(Sender(self.desk.database, {WEBHOOK: Webhook(settings).send}).send_next, WEBHOOK)

    def _trusted(self) -> Certificate:
        return self.other if self.answer.network == "elsewhere" else self.own

    def _rules(self, channel: str) -> None:
        self.desk.database.rules = replace(self.desk.rules, notice_channels=(channel,))

    async def run(self, *, whole: bool) -> Verdict:
        application_id = self.desk.submitted()
        notice = self.desk.run(
            notification_service.notify, "keeper", "copy-offered", application_id=application_id, subject_id="loan"
        )
        waits: list[timedelta] = []
        while True:
            self.desk.run(_nothing_else_waits, notice.id)
            assert await self.send()
            row = self._row(notice.id)
            if row.state != "waiting" or not whole:
                break
            waits.append(self._next(row) - self.desk.clock.now())
            self.desk.clock.turn(waits[-1])
        renewed = row.state == "delivered" and self.answer.to == "message" and len(self.web.asked) > 1
        return Verdict(
            code=row.last_error or ("renewed" if renewed else "taken"),
            attempts=row.attempts,
            after=waits[0] if waits else timedelta(),
            lasted=sum(waits, timedelta()),
            told=None if row.escalated_at is None else row.escalated_at - row.created_at,
            head=bool(self.desk.all(Notice, code="notice-undelivered", person_id="head")),
            instead=len(self.desk.all(Delivery, notice_id=notice.id)) > 1,
        )

    def _row(self, notice_id: str) -> Delivery:
        first, *_ = sorted(
            self.desk.all(Delivery, notice_id=notice_id), key=lambda row: (row.created_at, row.channel == MAIL)
        )
        return first

    def _next(self, row: Delivery) -> Any:
        senders = [one.next_at for table in (NoticeRobot, ChatApp) for one in self.desk.all(table)]
        return max([row.next_at, *senders])


def _reached(uow: UnitOfWork) -> None:
    for person in uow.session.query(Person):
        person.email = f"{person.id}@footage.example"
    uow.session.get_one(Person, "keeper").chat_id = "keeper.id"


def _nothing_else_waits(uow: UnitOfWork, notice_id: str) -> None:
    for row in uow.session.query(Delivery).filter(Delivery.notice_id != notice_id, Delivery.delivered_at.is_(None)):
        row.delivered_at = uow.now

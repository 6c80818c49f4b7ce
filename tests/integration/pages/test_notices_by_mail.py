"""Notices by mail, to a real mail server on the loopback: encrypted, signed in, refused, silent, away and back."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from background import drain
from notice_servers import PASSWORD, Certificate, Post, certificate, mail_server, silent_server
from review_desk import ReviewDesk

from services.database.tables.deliveries import Delivery
from services.database.tables.notices import Notice
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork
from services.domain.notifications import service as notification_service
from services.domain.notifications.channels.check import check_mail
from services.domain.notifications.channels.sender import Sender, channels_of
from services.domain.notifications.deliveries import MAIL
from services.runtime.errors import Fatal
from services.runtime.rules import Rules
from services.runtime.settings import Settings

SENDER = "desk@footage.example"
# aiosmtpd does not know that a connection which is encrypted from its first byte needs no STARTTLS
pytestmark = pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
ADDRESS = "https://footage.example"
SIGN_IN = {"user": "desk", "password": PASSWORD}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    rules = Rules(max_use_days=30, notice_channels=(MAIL,))
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}", rules)

    def address(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "drafter").email = "drafter@works.example"

    desk.run(address)
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def localhost(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"))


def settings(port: int, timeout_seconds: float = 10, public_url: str | None = ADDRESS, **more: Any) -> Settings:
    mail = {"host": "127.0.0.1", "port": port, "security": "none", "sender": SENDER, **more}
    return Settings.load(portal={"public_url": public_url}, notices={"mail": mail, "timeout_seconds": timeout_seconds})


def told(desk: ReviewDesk) -> str:
    """A case whose drafter has one notice to be mailed; the application's id."""
    application_id = desk.submitted()
    desk.run(notification_service.notify, "drafter", "application-incomplete", application_id=application_id)
    return application_id


async def send(desk: ReviewDesk, set_up: Settings) -> int:
    return await drain(partial(Sender(desk.database, channels_of(set_up)).send_next, MAIL))


def delivery(desk: ReviewDesk) -> Delivery:
    notice = desk.the(Notice, code="application-incomplete")
    return desk.the(Delivery, notice_id=notice.id)


@pytest.mark.requirement("R30")
async def test_a_mail_holds_a_sentence_a_number_and_a_link_in_the_recipients_language(desk: ReviewDesk) -> None:
    post, application_id = Post(), told(desk)

    async with mail_server(post) as port:
        assert await send(desk, settings(port)) == 1
        assert await send(desk, settings(port)) == 0

    [mail] = post.mails
    number = desk.run(lambda uow: notification_service.get_numbers(uow, [application_id]))[application_id]
    assert mail["To"] == "drafter@works.example"
    assert mail["From"] == SENDER
    assert mail["Message-ID"] == f"<{delivery(desk).id}@footage.example>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Subject"] == f"录像调取台 {number} 申请内容不完整，请在期限内补正。"
    text = mail.get_content().replace("\r\n", "\n")
    assert f"编号：{number}\n请打开：https://footage.example/cases/{application_id}\n" in text
    assert delivery(desk).state == "delivered"


async def test_who_reads_english_is_written_to_in_english(desk: ReviewDesk) -> None:
    def speak(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "drafter").locale = "en"

    desk.run(speak)
    post, _ = Post(), told(desk)

    async with mail_server(post) as port:
        await send(desk, settings(port))

    assert "Your application is incomplete" in post.mails[0]["Subject"]
    assert post.mails[0].get_content().isascii()


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_the_server_is_known_by_its_certificate_and_we_by_a_password(
    desk: ReviewDesk, localhost: Certificate, security: str
) -> None:
    post, _ = Post(), told(desk)
    server = {security: localhost}

    async with mail_server(post, auth=True, **server) as port:  # type: ignore[arg-type]  # two of its parameters
        trusted = settings(port, security=security, ca_file=localhost.authority, **SIGN_IN)
        await send(desk, trusted)
        said = str(await check_mail(trusted))

    assert len(post.mails) == 1
    assert f"by {security}" in said


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_nothing_is_said_to_a_server_that_cannot_prove_its_name(
    desk: ReviewDesk, localhost: Certificate, security: str
) -> None:
    post, _ = Post(), told(desk)
    server = {security: localhost}

    async with mail_server(post, auth=True, **server) as port:  # type: ignore[arg-type]  # two of its parameters
        await send(desk, settings(port, security=security, **SIGN_IN))
        with pytest.raises(Fatal, match="check the server's certificate"):
            await check_mail(settings(port, security=security, **SIGN_IN))

    assert (delivery(desk).state, delivery(desk).last_error) == ("waiting", "certificate")
    assert post.mails == []


async def test_a_server_that_offers_no_encryption_gets_no_password(desk: ReviewDesk) -> None:
    post, _ = Post(), told(desk)

    async with mail_server(post) as port:
        await send(desk, settings(port, security="starttls", **SIGN_IN))

    assert delivery(desk).last_error == "certificate"
    assert post.mails == []


async def test_a_wrong_password_is_named_and_tried_again(desk: ReviewDesk, localhost: Certificate) -> None:
    post, _ = Post(), told(desk)
    wrong = {"ca_file": localhost.authority, "user": "desk", "password": "wrong"}

    async with mail_server(post, tls=localhost, auth=True) as port:
        await send(desk, settings(port, security="tls", **wrong))
        with pytest.raises(Fatal, match="correct the settings") as refused:
            await check_mail(settings(port, security="tls", **wrong))

    assert "wrong" not in str(refused.value)
    assert (delivery(desk).state, delivery(desk).last_error) == ("waiting", "credentials")


async def test_a_busy_server_is_asked_again_and_a_refusal_is_final(desk: ReviewDesk) -> None:
    post, _ = Post(answer="451 too busy"), told(desk)

    async with mail_server(post) as port:
        await send(desk, settings(port))
        assert (delivery(desk).state, delivery(desk).last_detail) == ("waiting", "451 too busy")
        desk.clock.turn(timedelta(minutes=1))
        post.answer = "554 not from you"
        await send(desk, settings(port))

    assert (delivery(desk).state, delivery(desk).last_error) == ("failed", "refused")
    assert delivery(desk).last_detail == "554 not from you"


async def test_an_address_that_the_server_does_not_know_is_given_up_at_once(desk: ReviewDesk) -> None:
    post, _ = Post(to_recipient="550 no such user"), told(desk)

    async with mail_server(post) as port:
        await send(desk, settings(port))

    assert (delivery(desk).state, delivery(desk).last_error) == ("failed", "recipient-refused")


async def test_a_server_that_takes_the_mail_and_fails_at_goodbye_has_taken_it(desk: ReviewDesk) -> None:
    post, _ = Post(goodbye="421 I break down"), told(desk)

    async with mail_server(post) as port:
        await send(desk, settings(port))

    assert len(post.mails) == 1
    assert delivery(desk).state == "delivered"


async def test_a_server_that_says_nothing_is_left_alone_after_the_time_set(desk: ReviewDesk) -> None:
    told(desk)

    async with silent_server() as port:
        await send(desk, settings(port, timeout_seconds=0.1))
        with pytest.raises(Fatal, match="did not respond in time"):
            await check_mail(settings(port, timeout_seconds=0.1))

    assert (delivery(desk).state, delivery(desk).last_error) == ("waiting", "timeout")


async def test_what_a_server_missed_while_it_was_down_arrives_when_it_is_back(desk: ReviewDesk) -> None:
    post, _ = Post(), told(desk)
    async with mail_server(post) as port:
        pass

    assert await send(desk, settings(port)) == 1
    assert (delivery(desk).state, delivery(desk).last_error) == ("waiting", "unreachable")
    assert await send(desk, settings(port)) == 0
    desk.clock.turn(timedelta(minutes=1))
    async with mail_server(post, port=port):
        assert await send(desk, settings(port)) == 1

    assert len(post.mails) == 1
    assert delivery(desk).state == "delivered"


@pytest.mark.parametrize(
    "address",
    [
        "drafter@works.example\r\nBcc: thief@elsewhere.example",
        "drafter@works.example, thief@elsewhere.example",
        "Drafter <drafter@works.example>",
        "drafter@works.example\x00",
        "录像@works.example",
    ],
)
async def test_an_address_that_would_write_into_the_headers_gets_no_mail(desk: ReviewDesk, address: str) -> None:
    post = Post()

    def spoil(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "drafter").email = address

    desk.run(spoil)
    told(desk)
    async with mail_server(post) as port:
        await send(desk, settings(port))

    assert post.mails == []
    assert (delivery(desk).state, delivery(desk).last_error) == ("failed", "bad-address")


async def test_links_that_lead_nowhere_are_pointed_out() -> None:
    async with mail_server(Post()) as port:
        loaded = settings(port, public_url=None)
        with pytest.raises(Fatal, match="set FOOTAGE_DESK_PORTAL__PUBLIC_URL"):
            await check_mail(loaded)


async def test_a_server_whose_answer_has_no_end_is_hung_up_on(desk: ReviewDesk) -> None:
    """Each line of an answer may say that another one follows, and smtplib keeps them all."""
    told(desk)
    ended = asyncio.Event()

    async def talk(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                writer.write(b"220-and so on\r\n" * 1000)
                await writer.drain()
        except OSError:
            ended.set()
        finally:
            writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        await send(desk, settings(server.sockets[0].getsockname()[1]))
        await asyncio.wait_for(ended.wait(), 10)

    assert (delivery(desk).state, delivery(desk).last_error) == ("waiting", "unreachable")


async def test_a_server_that_speaks_byte_by_byte_is_hung_up_on_after_the_time_set(desk: ReviewDesk) -> None:
    told(desk)
    ended = asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = asyncio.create_task(reader.read())
        while not (await asyncio.wait({ends}, timeout=0.02))[0]:  # less than the time that a byte may take
            writer.write(b"2")
        ended.set()
        writer.close()

    async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
        await send(desk, settings(server.sockets[0].getsockname()[1], timeout_seconds=0.1))
        await asyncio.wait_for(ended.wait(), 10)  # not only once the line has become too long

    assert delivery(desk).last_error == "timeout"

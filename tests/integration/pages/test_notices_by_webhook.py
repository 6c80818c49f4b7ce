"""Notices by webhook, to a web server on the loopback: signed, refused, slow, endless, elsewhere, ill-named."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from background import drain
from notice_servers import Certificate, Site, certificate, says, web_server
from review_desk import ReviewDesk

from services.database.tables.deliveries import Delivery
from services.database.tables.notices import Notice
from services.domain.notifications import service as notification_service
from services.domain.notifications.channels.check import check_webhook
from services.domain.notifications.channels.sender import Sender, channels_of
from services.domain.notifications.deliveries import WEBHOOK
from services.runtime.errors import Fatal
from services.runtime.rules import Rules
from services.runtime.settings import Settings

KEY = b"k" * 32
LOOPBACK = "127.0.0.0/8"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}", Rules(max_use_days=30, notice_channels=(WEBHOOK,)))
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def localhost(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate(tmp_path_factory.mktemp("tls"), name="elsewhere.example")


def settings(url: str, timeout_seconds: float = 10, allowed_networks: str | None = LOOPBACK, **more: Any) -> Settings:
    webhook = {"url": url, "secret": f"whsec_{base64.b64encode(KEY).decode()}", **more}
    return Settings.load(
        allowed_networks=allowed_networks,
        portal={"public_url": "https://footage.example"},
        notices={"webhook": webhook, "timeout_seconds": timeout_seconds},
    )


def told(desk: ReviewDesk) -> str:
    """A case whose custodian is told of a copy; the application's id."""
    application_id = desk.submitted()
    desk.run(notification_service.notify, "keeper", "copy-offered", application_id=application_id, subject_id="loan-1")
    return application_id


async def send(desk: ReviewDesk, set_up: Settings) -> int:
    return await drain(partial(Sender(desk.database, channels_of(set_up)).send_next, WEBHOOK))


def delivery(desk: ReviewDesk) -> Delivery:
    return desk.the(Delivery, notice_id=desk.the(Notice, code="copy-offered").id)


@pytest.mark.requirement("R30")
async def test_the_webhook_is_told_a_code_a_number_and_a_link_under_a_signature(desk: ReviewDesk) -> None:
    site, application_id = Site(), told(desk)

    async with web_server(site) as port:
        assert await send(desk, settings(f"http://127.0.0.1:{port}/notices")) == 1

    [call] = site.calls
    row = delivery(desk)
    assert call.line == "POST /notices HTTP/1.1"
    assert json.loads(call.body) == {
        "id": row.id,
        "code": "copy-offered",
        "number": desk.run(lambda uow: notification_service.get_numbers(uow, [application_id]))[application_id],
        "link": "https://footage.example/hand-overs/loan-1",
        "title_zh": "有一份副本待您签收。",
        "title_en": "A copy is waiting for your acceptance.",
        "at": row.created_at.isoformat(),
    }
    signed = f"{row.id}.{call.headers['webhook-timestamp']}.".encode() + call.body
    right = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert call.headers["webhook-signature"] == f"v1,{right}"
    assert call.headers["webhook-id"] == call.headers["idempotency-key"] == row.id
    assert row.state == "delivered"


async def test_the_same_id_is_told_again_after_an_error(desk: ReviewDesk) -> None:
    site = Site(answer=says("500 Internal Server Error"))
    told(desk)

    async with web_server(site) as port:
        set_up = settings(f"http://127.0.0.1:{port}/")
        await send(desk, set_up)
        assert (delivery(desk).last_error, delivery(desk).last_detail) == ("http-error", "HTTP 500")
        assert await send(desk, set_up) == 0
        desk.clock.turn(timedelta(minutes=1))
        site.answer = says("200 OK")
        await send(desk, set_up)

    first, second = site.calls
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert delivery(desk).state == "delivered"


@pytest.mark.parametrize(
    ("said", "minutes"),
    [("3600", 60), ("999999999999999", 480), ("1", 1), ("-5", 1), ("٣", 1), ("Wed, 21 Oct 2099 07:28:00 GMT", 1)],
)
async def test_who_wants_no_call_for_a_while_gets_none_and_for_no_longer_than_between_attempts(
    desk: ReviewDesk, said: str, minutes: int
) -> None:
    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(f"HTTP/1.1 429 Too Many Requests\r\nRetry-After: {said}\r\nContent-Length: 0\r\n\r\n".encode())
        await writer.drain()

    site = Site(answer=answer)
    told(desk)
    async with web_server(site) as port:
        await send(desk, settings(f"http://127.0.0.1:{port}/"))

    assert delivery(desk).last_error == "http-error"
    assert delivery(desk).next_at - desk.clock.now() == timedelta(minutes=minutes)


async def test_no_redirect_is_followed(desk: ReviewDesk) -> None:
    inside = Site()
    told(desk)

    async with web_server(inside) as hidden:
        site = Site(answer=says(f"307 Temporary Redirect\r\nLocation: http://127.0.0.1:{hidden}/"))
        async with web_server(site) as port:
            await send(desk, settings(f"http://127.0.0.1:{port}/"))

    assert len(site.calls) == 1
    assert inside.calls == []
    assert delivery(desk).last_error == "redirected"


async def test_an_address_inside_is_not_called_unless_its_network_is_allowed(desk: ReviewDesk) -> None:
    site = Site()
    told(desk)

    async with web_server(site) as port:
        for host in ("127.0.0.1", "localhost"):
            closed = settings(f"http://{host}:{port}/", allowed_networks=None)
            await send(desk, closed)
            desk.clock.turn(timedelta(minutes=5))
            with pytest.raises(Fatal, match="is in a network that is not allowed"):
                await check_webhook(closed)

    assert site.calls == []
    assert delivery(desk).last_error == "address-refused"


async def test_who_is_slow_is_left_alone_after_the_time_set(desk: ReviewDesk) -> None:
    ended = asyncio.Event()

    async def hang(_writer: asyncio.StreamWriter) -> None:
        await ended.wait()

    site = Site(answer=hang)
    told(desk)
    async with web_server(site) as port:
        await send(desk, settings(f"http://127.0.0.1:{port}/", timeout_seconds=0.1))
        ended.set()

    assert (delivery(desk).state, delivery(desk).last_error) == ("waiting", "timeout")


async def test_who_drips_an_answer_byte_by_byte_gets_no_more_than_the_time_set(desk: ReviewDesk) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(b"H")
            await writer.drain()
            await asyncio.sleep(0.01)

    told(desk)
    async with web_server(Site(answer=drip)) as port:
        await send(desk, settings(f"http://127.0.0.1:{port}/", timeout_seconds=0.1))

    assert delivery(desk).state == "waiting"


async def test_an_endless_answer_is_not_read(desk: ReviewDesk) -> None:
    sent = 0

    async def flood(writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"0" * 65536)
            await writer.drain()
            sent += 65536

    told(desk)
    async with web_server(Site(answer=flood)) as port:
        await send(desk, settings(f"http://127.0.0.1:{port}/"))

    assert delivery(desk).state == "delivered"
    assert sent < 64 * 1024 * 1024  # what lies in the sockets' buffers


async def test_a_certificate_must_be_good_for_the_name(
    desk: ReviewDesk, localhost: Certificate, elsewhere: Certificate
) -> None:
    told(desk)
    wrong, right = Site(), Site()
    async with web_server(wrong, elsewhere) as port:
        url = f"https://localhost:{port}/"
        for trusted in ({}, {"ca_file": elsewhere.authority}):
            await send(desk, settings(url, **trusted))
            assert delivery(desk).last_error == "certificate"
            desk.clock.turn(timedelta(minutes=5))
    async with web_server(right, localhost) as port:
        set_up = settings(f"https://localhost:{port}/", ca_file=localhost.authority)
        await send(desk, set_up)
        assert str(await check_webhook(set_up)) == "the address answers"

    assert wrong.calls == []
    assert right.calls[0].headers["host"] == f"localhost:{port}"
    assert delivery(desk).state == "delivered"


async def test_the_doctor_tells_the_address_nothing(desk: ReviewDesk) -> None:
    site = Site(answer=says("405 Method Not Allowed"))

    async with web_server(site) as port:
        assert str(await check_webhook(settings(f"http://127.0.0.1:{port}/"))) == "the address answers, in the clear"

    assert [call.line for call in site.calls] == ["OPTIONS / HTTP/1.1"]
    assert site.calls[0].body == b""


async def test_what_nobody_set_is_said_to_be_not_set() -> None:
    assert "not set" in str(await check_webhook(Settings.load()))

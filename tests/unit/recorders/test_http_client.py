"""What a recorder may answer over HTTP, and what each wrong answer is called."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from notice_servers import certificate

from services.recorders.clock import Clock
from services.recorders.http_client import BrokenOff, HttpClient
from services.recorders.protocol import OutsideRoots, RecorderDown
from services.runtime.addresses import Guard, parse_networks
from services.runtime.waiting import set_within

LOOPBACK = Guard(parse_networks("127.0.0.0/8"), ("http", "https"))
Respond = Callable[[str], bytes]


@asynccontextmanager
async def answering(respond: Respond, *, hangs: bool = False, tls: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """A server that sends what ``respond`` makes of a request's head, and then hangs up, or hangs."""
    over = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(respond(head.decode()))
        await writer.drain()
        if hangs:
            await over.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        scheme = "http" if tls is None else "https"
        yield f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        over.set()
        server.close()
        await server.wait_closed()


def says(status: str, body: bytes = b"", *, length: int | None = None, headers: str = "") -> bytes:
    told = len(body) if length is None else length
    return f"HTTP/1.1 {status}\r\nContent-Length: {told}\r\n{headers}\r\n".encode() + body


def web(address: str, patience: float = 5) -> HttpClient:
    return HttpClient(address, LOOPBACK, identity="NVR-7", auth=httpx.BasicAuth("reader", "se-cret"), patience=patience)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (says("401 Unauthorized"), "login"),
        (says("403 Forbidden"), "forbidden"),
        (says("503 Busy"), "busy"),
        (says("302 Found", headers="Location: /login\r\n"), "not-a-recorder"),
        (says("404 Not Found"), "not-a-recorder"),
        (says("200 OK", length=-5), "not-a-recorder"),
        (b"220 mail.example ready\r\n\r\n", "not-a-recorder"),
        (says("200 OK", b"short", length=4096), "broken-off"),
        (b"", "not-a-recorder"),
    ],
)
async def test_a_wrong_answer_has_a_name_and_no_secret(answer: bytes, code: str) -> None:
    async with answering(lambda _: answer) as address:
        with pytest.raises(RecorderDown) as down:
            await web(address).request("GET", "/list", params={"token": "t0ken"})
    assert down.value.code == code
    assert isinstance(down.value, BrokenOff) == (code == "broken-off")
    assert "NVR-7" in str(down.value)
    assert not any(secret in str(down.value) for secret in ("se-cret", "t0ken"))


@pytest.mark.parametrize(
    "challenge", ["", "realm", 'realm="x", nonce="n", qop="auth-int"', 'nonce="n", algorithm=ROT13']
)
async def test_a_challenge_that_cannot_be_answered_is_no_recorders(challenge: str) -> None:
    asked = says("401 Unauthorized", headers=f"WWW-Authenticate: Digest {challenge}\r\n")
    async with answering(lambda _: asked) as address:
        signed = HttpClient(address, LOOPBACK, auth=httpx.DigestAuth("archivist", "se-cret"))
        with pytest.raises(RecorderDown) as down:
            await signed.request("GET", "/list")
    assert down.value.code in ("not-a-recorder", "login")
    assert "se-cret" not in str(down.value)


@pytest.mark.parametrize(
    ("begun", "code", "patience"),
    [
        (b"", "silent", 0.1),
        (says("200 OK", b"some", length=4096), "broken-off", 2),  # the head must come within it on a busy machine
    ],
)
async def test_a_recorder_that_hangs_is_not_waited_for(begun: bytes, code: str, patience: float) -> None:
    async with answering(lambda _: begun, hangs=True) as address:
        with pytest.raises(RecorderDown) as down:
            await web(address, patience=patience).request("GET", "/list")
    assert (down.value.code, down.value.away) == (code, "recorder")


async def test_no_recorder_is_where_nobody_listens() -> None:
    async with answering(lambda _: b"") as address:
        pass
    with pytest.raises(RecorderDown) as down:
        await web(address).request("GET", "/")
    assert down.value.code == "unreachable"


async def test_a_certificate_of_an_unknown_authority_is_not_believed(tmp_path: Path) -> None:
    async with answering(lambda _: says("200 OK"), tls=certificate(tmp_path).context) as address:
        with pytest.raises(RecorderDown) as down:
            await web(address).request("GET", "/")
    assert down.value.code == "tls"


async def test_an_address_that_the_settings_refuse_is_not_called() -> None:
    with pytest.raises(OutsideRoots):
        await HttpClient("http://169.254.169.254", LOOPBACK).request("GET", "/latest/meta-data")


async def test_a_broken_transfer_is_taken_up_where_it_ended() -> None:
    footage = bytes(range(256)) * 40

    def respond(head: str) -> bytes:
        begin = int(head.partition("bytes=")[2].partition("-")[0] or 0)
        status = f"206 Partial\r\nContent-Range: bytes {begin}-{len(footage) - 1}/{len(footage)}" if begin else "200 OK"
        return says(status, footage[begin : begin + 4000], length=len(footage) - begin)

    async with answering(respond) as address:
        assert b"".join([chunk async for chunk in web(address).read("/file", ranges=True)]) == footage


async def test_a_transfer_is_not_taken_up_with_another_part() -> None:
    def respond(head: str) -> bytes:
        if "Range:" in head:
            return says("206 Partial", b"other", headers="Content-Range: bytes 0-4/10\r\n")
        return says("200 OK", b"first", length=10)

    async with answering(respond) as address:
        with pytest.raises(RecorderDown, match="another part"):
            [chunk async for chunk in web(address).read("/file", ranges=True)]


async def test_a_page_for_people_is_seen() -> None:
    async with answering(lambda _: says("200 OK", b"\n<!DOCTYPE html><title>Login</title>")) as address:
        answer = await web(address).request("GET", "/list")
    assert answer.is_page


@pytest.mark.requirement("R34")
async def test_a_clock_is_measured_by_the_header_date() -> None:
    date = "Thu, 01 Jan 2026 10:00:00 GMT"
    async with answering(lambda _: says("200 OK", b"[]", headers=f"Date: {date}\r\n")) as address:
        answer = await web(address).request("GET", "/list")
    middle = answer.asked + (answer.answered - answer.asked) / 2
    expected = datetime(2026, 1, 1, 10, 0, 0, 500_000, tzinfo=UTC) - middle
    assert answer.clock.method == "http-date"
    assert answer.clock.offset_ms == round(expected / timedelta(milliseconds=1))
    assert answer.clock.uncertainty_ms is not None
    assert answer.clock.uncertainty_ms >= 500


@pytest.mark.parametrize("header", ["", "Date: yesterday\r\n", "Date: Thu, 01 Jan 2026 10:00:00 -0000\r\n"])
async def test_a_clock_that_is_not_shown_is_unknown(header: str) -> None:
    async with answering(lambda _: says("200 OK", headers=header)) as address:
        assert (await web(address).request("GET", "/")).clock == Clock()


@pytest.mark.parametrize("body", [b"", b"{", b"<html>sign in</html>", b"[" * 100_000, b"\xff\xfe"])
async def test_what_is_no_json_is_told_as_no_recorder(body: bytes) -> None:
    async with answering(lambda _: says("200 OK", body)) as address:
        recorder = web(address)
        with pytest.raises(RecorderDown) as down:
            recorder.parsed(await recorder.request("GET", "/list"), "/list")
    assert down.value.code == "not-a-recorder"


async def test_a_challenge_without_end_is_not_read_to_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.recorders.http_client.LARGEST_ANSWER", 1000)
    challenge = 'WWW-Authenticate: Digest realm="NVR", nonce="1", qop="auth"\r\n'
    async with answering(lambda _: says("401 Unauthorized", b"x" * 2000, headers=challenge)) as address:
        digest = HttpClient(address, LOOPBACK, auth=httpx.DigestAuth("reader", "se-cret"), patience=3)
        with pytest.raises(RecorderDown) as down:
            await digest.request("GET", "/list")
    assert down.value.code == "unreachable"


async def test_an_answer_that_only_drips_is_not_waited_for() -> None:
    drops = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(says("200 OK", length=100_000))
        while not drops.is_set() and not writer.is_closing():
            writer.write(b".")
            await set_within(drops, 0.05)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    dripping = web(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", patience=0.2)
    try:
        with pytest.raises(RecorderDown) as down:
            await dripping.request("GET", "/list")
        assert down.value.code in ("silent", "broken-off")
        with pytest.raises(BrokenOff) as broken:
            [chunk async for chunk in dripping.read("/file")]
        assert (broken.value.hangs, broken.value.away) == (True, "recorder")
    finally:
        drops.set()
        server.close()
        await server.wait_closed()


async def test_a_head_that_only_drips_is_not_waited_for() -> None:
    drops = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not drops.is_set() and not writer.is_closing():
            writer.write(b".")
            await set_within(drops, 0.05)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    dripping = web(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", patience=0.2)
    try:
        with pytest.raises(RecorderDown, match="the head of its answer") as down:
            [chunk async for chunk in dripping.read("/file")]
        assert (down.value.code, down.value.away) == ("silent", "recorder")
    finally:
        drops.set()
        server.close()
        await server.wait_closed()


async def test_a_transfer_that_hangs_is_resumed_once() -> None:
    asked = list[str]()

    def respond(head: str) -> bytes:
        asked.append(head)
        if "range" not in head.lower():
            return says("200 OK", b"x" * 100, length=1000)
        came = int(head.lower().partition("range: bytes=")[2].partition("-")[0])
        return says(
            "206 Partial Content", b"x" * 100, length=1000 - came, headers=f"Content-Range: bytes {came}-999/1000\r\n"
        )

    async with answering(respond, hangs=True) as address:
        with pytest.raises(BrokenOff) as broken:
            [chunk async for chunk in web(address, patience=1).read("/file", ranges=True)]
    assert (len(asked), broken.value.away) == (2, "recorder")


async def test_a_transfer_does_not_go_on_with_a_file_that_has_changed() -> None:
    def respond(head: str) -> bytes:
        if "Range:" in head:
            return says("206 Partial", b"newer", headers="Content-Range: bytes 5-9/999\r\n")
        return says("200 OK", b"first", length=10)

    async with answering(respond) as address:
        with pytest.raises(RecorderDown, match="another part"):
            [chunk async for chunk in web(address).read("/file", ranges=True)]

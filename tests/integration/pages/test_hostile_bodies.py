"""Bodies that are made to hurt: forms of a million fields, names without end, forms of headers, depth, zips in zips."""

import gzip
import json
import tracemalloc
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from itertools import chain, repeat
from typing import Any

import pytest
from portal_client import Portal
from review_desk import ReviewDesk
from starlette.requests import Request

from services.runtime.errors import Refused
from services.web.forms import MOST_FIELDS
from services.web.middleware import LARGEST_BODY
from services.web.upload_body import BESIDE, IDLE_SECONDS, LEAST_RATE, RATE_SECONDS, file_of

FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=b"
PIECE = 64 << 10
FILM = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
FORMS = (
    ("drafter", "/apply/save"), ("drafter", "/uploads"), ("drafter", "/hand-overs/unknown/return"),
    ("admin", "/admin/people/new"), ("admin", "/admin/recorders/new"), ("head", "/login"),
    ("drafter", "/sittings/unknown/end"), ("drafter", "/copies/unknown/redact"),
)  # fmt: skip


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path_factory.mktemp('bodies') / 'database.sqlite3'}")
    yield desk
    desk.close()


def part(name: str, value: str = "x") -> str:
    return f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'


BOMBS: dict[str, tuple[str, Callable[[], bytes]]] = {
    "as many fields as fit": (FORM, lambda: b"&".join(b"%x=1" % number for number in range(LARGEST_BODY // 9))),
    "the same field again and again": (FORM, lambda: b"a&" * (LARGEST_BODY // 3)),
    "steps without end": (FORM, lambda: b"-a" * 100_000 + b"=1"),
    "a place in a list of thousands of digits": (FORM, lambda: b"items-" + b"9" * 5000 + b"-zone=UTC"),
    "a name as long as the body": (FORM, lambda: b"a" * (LARGEST_BODY - 10) + b"=1"),
    "digits that are none": (FORM, "act=remove-²".encode),
    "a value and a list under one name": (FORM, lambda: b"items=1&items-0-zone=UTC&items-0=2"),
    "parts without end": (PARTS, lambda: (part("a") * (MOST_FIELDS + 1)).encode() + b"--b--\r\n"),
    "files without end": (PARTS, lambda: (FILM + b"x\r\n") * 30 + b"--b--\r\n"),
    "a header without end": (PARTS, lambda: b"--b\r\nX: " + b"a" * (LARGEST_BODY - 100)),
    "no boundary": ("multipart/form-data", lambda: b"x"),
    "a boundary that is none": ("multipart/form-data; boundary=" + "b" * 5000, lambda: b"x"),
    "JSON of many steps": (
        FORM,
        lambda: b"leaves-0-visitorId=a&leaves-0-strokes=%b&recipe=%b" % ((b"[" * 100_000,) * 2),
    ),
    "bytes that are no text": (FORM, lambda: bytes(range(256)) + b"=%ff%fe%00"),
    "packed": (FORM, lambda: gzip.compress(b"reason=x&" * 1000)),
}


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("bomb", BOMBS)
async def test_no_form_breaks_a_page(portal: Portal, bomb: str) -> None:
    kind, body = BOMBS[bomb]
    sent = {"content": body(), "headers": {"Content-Type": kind}}
    counted = "as many" in bomb or "again" in bomb or ("without end" in bomb and kind == PARTS)

    browsers = {login: await portal.signed_in(login) for login in ("drafter", "admin", "head")}
    for login, path in FORMS:
        answer = await browsers[login].post(path, **sent)  # type: ignore[arg-type]  # of the two
        assert answer.status_code < 500, (path, answer.status_code)
        assert answer.status_code == 422 or not counted, (path, answer.status_code)


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("charset", ["punycode", "undefined", "utf-7", "unicode_escape", "latin-1"])
async def test_no_form_chooses_how_its_bytes_are_read(portal: Portal, charset: str) -> None:
    body = (part("login", "+2AA-") + part("name_zh", "\\ud800") + "--b--\r\n").encode()
    browser = await portal.signed_in("admin")
    for path in ("/login", "/language", "/admin/departments"):
        answer = await browser.post(path, content=body, headers={"Content-Type": f"{PARTS}; charset={charset}"})
        assert answer.status_code == 422, (path, answer.status_code)
    answer = await browser.post("/language", content=body, headers={"Content-Type": f"{PARTS}; charset=UTF-8"})
    assert answer.status_code < 400, answer.status_code


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("deep", ["[" * 200_000, '{"a":' * 200_000, '{"reason":' + '"\\u0000' * 9, "9" * 100_000])
async def test_no_depth_and_no_packing_breaks_the_api(portal: Portal, deep: str) -> None:
    browser = await portal.signed_in("drafter")
    headers = {"Content-Type": "application/json"}

    for path in ("/api/applications", "/api/applications/check", "/api/uploads", "/api/login"):
        answer = await browser.post(path, content=deep.encode(), headers=headers)
        assert answer.status_code == 422, (path, answer.text[:100])
    packed = gzip.compress(json.dumps({"login": "drafter", "password": "x" * 1_000_000}).encode())
    answer = await browser.post("/api/login", content=packed, headers={**headers, "Content-Encoding": "gzip"})
    assert answer.status_code == 422


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"a" * PIECE


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("path", ["/apply/save", "/login", "/api/applications", "/api/login", "/language"])
async def test_a_body_without_end_is_cut_off_and_not_kept(portal: Portal, path: str) -> None:
    browser = await portal.signed_in("drafter")
    kind = "application/json" if path.startswith("/api/") else FORM
    await browser.get(path)  # what is loaded once is not the body's

    tracemalloc.start()
    answer = await browser.post(path, content=endless(), headers={"Content-Type": kind})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert answer.status_code == 413
    assert peak < 8 * LARGEST_BODY


def request_of(pieces: Iterable[bytes]) -> Request:
    left = iter(pieces)

    async def receive() -> dict[str, Any]:
        piece = next(left, None)
        return {"type": "http.request", "body": piece or b"", "more_body": piece is not None}

    return Request({"type": "http", "method": "POST", "headers": [(b"content-type", PARTS.encode())]}, receive)


SENDERS: dict[str, Callable[[], Iterable[bytes]]] = {
    "a header without end": lambda: chain([b"--b\r\nX-Long: "], repeat(b"a" * PIECE)),
    "a name without end": lambda: chain([b"--b\r\nContent-Disposition: form-data; name="], repeat(b"a" * PIECE)),
    "a value without end": lambda: chain([part("a", "")[:-2].encode()], repeat(b"a" * PIECE)),
    "names without values": lambda: (part(f"field-{number}", "").encode() for number in range(1 << 30)),
    "parts without headers": lambda: repeat(b"--b\r\n\r\n\r\n" * 1000),
    "headers behind the file": lambda: chain([FILM + b"x\r\n"], repeat(part("a" * 1000).encode())),
    "a second file": lambda: chain([FILM + b"x\r\n", FILM], repeat(b"a" * PIECE)),
}


@pytest.mark.requirement("R8", "R52", refuses=True)
@pytest.mark.parametrize("sender", SENDERS)
async def test_what_a_form_holds_beside_its_file_is_counted(sender: str) -> None:
    largest = 64 << 20
    tracemalloc.start()
    with pytest.raises(Refused):
        async for _piece in file_of(request_of(SENDERS[sender]()), largest=largest, announced=None):
            pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < 40 * BESIDE


@pytest.mark.requirement("R8", "R52")
async def test_a_file_passes_through_without_being_kept() -> None:
    pieces = chain([FILM], repeat(b"a" * PIECE, 512), [b"\r\n--b--\r\n"])
    length = 0
    tracemalloc.start()
    async for piece in file_of(request_of(pieces), largest=64 << 20, announced=None):
        length += len(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert length == 512 * PIECE
    assert peak < 40 * PIECE


class Line:
    """A line on which each piece comes so many seconds after the one before; its own clock."""

    def __init__(self, pieces: Iterable[tuple[float, bytes]]) -> None:
        self.now = 0.0
        self._pieces = pieces

    def seconds(self) -> float:
        return self.now

    def __iter__(self) -> Iterator[bytes]:
        for after, piece in self._pieces:
            self.now += after
            yield piece


FILE, END = (0.0, FILM), (0.0, b"\r\n--b--\r\n")
DRIP = repeat((IDLE_SECONDS - 10, b"a"))
SLOW: dict[str, Callable[[], Iterable[tuple[float, bytes]]]] = {
    "a byte now and then": lambda: chain([FILE], DRIP),
    "a byte each second": lambda: chain([FILE], repeat((1.0, b"a"))),
    "a fast beginning": lambda: chain([FILE], repeat((0.0, b"a" * PIECE), 512), DRIP),
    "a header that never ends": lambda: chain([(0.0, b"--b\r\nX-Long: ")], DRIP),
}


@pytest.mark.requirement("R8", "R52", refuses=True)
@pytest.mark.parametrize("sender", SLOW)
async def test_who_sends_next_to_nothing_is_cut_off(sender: str) -> None:
    line = Line(SLOW[sender]())

    with pytest.raises(Refused) as caught:
        async for _piece in file_of(request_of(line), largest=64 << 20, announced=None, seconds=line.seconds):
            pass

    assert caught.value.code == "upload-cut"
    assert line.now <= 2 * (RATE_SECONDS + IDLE_SECONDS)


@pytest.mark.requirement("R8")
async def test_a_slow_line_that_falls_silent_for_a_while_brings_its_file() -> None:
    second = b"a" * 2 * LEAST_RATE
    spell = [(IDLE_SECONDS - 1, second), *repeat((1.0, second), 300)]
    line = Line(chain([FILE], spell, spell, spell, [END]))
    length = 0

    async for piece in file_of(request_of(line), largest=64 << 20, announced=None, seconds=line.seconds):
        length += len(piece)
        line.now += RATE_SECONDS  # what the reader takes is not held against the sender

    assert length == 3 * 301 * len(second)

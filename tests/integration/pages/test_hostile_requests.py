"""What nobody of good will sends: it is refused in the one shape, with a documented status, and nothing breaks."""

import base64
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
from portal_client import Portal, portal_over
from review_desk import ReviewDesk

from services.app.web import create_app
from services.domain.accounts.lockout import MAX_ADDRESS_FAILURES
from services.runtime.settings import Settings
from services.runtime.spans import Span
from services.web import ranges
from services.web.middleware import LARGEST_BODY
from services.web.visitor import FLASH_COOKIE

pytestmark = pytest.mark.both_databases

START, END = "2031-03-04T10:00:00Z", "2031-03-04T11:00:00Z"


class Recorder:
    async def coverage(self, _channel: str, span: Span) -> list[Span]:
        return [span]


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


@pytest.fixture
async def portal(desk: ReviewDesk) -> AsyncIterator[Portal]:
    async with Portal(desk, recorders=lambda _kind, _configuration: Recorder()) as portal:
        yield portal


def form(**changes: Any) -> dict[str, Any]:
    item = {"cameraId": "camera", "start": START, "end": END, **changes.pop("item", {})}
    return {
        "reason": "三号门货物丢失，需要确认经过",
        "purpose": "核对出入库人员与时间的记录",
        "purposeCategory": "security-incident",
        "legalBasis": "internal-management",
        "placeOfUse": "办公室",
        "requestedUseDays": 5,
        "items": [item],
        **changes,
    }


def refused(answer: httpx.Response, *statuses: int) -> str:
    """The code of a refusal, which has the one shape and a status that the description knows."""
    assert answer.status_code in statuses, answer.text
    problem = answer.json()
    assert set(problem) == {"code", "zh", "en", "field"}, problem
    assert problem["zh"]
    assert problem["en"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    return str(problem["code"])


@pytest.mark.requirement("R18", "R20", refuses=True)
async def test_a_form_takes_real_moments_and_zones_and_readable_text_only(portal: Portal) -> None:
    drafter = await portal.signed_in("drafter")

    for changes, code in (
        ({"item": {"start": "0001-01-01T00:00:00+14:00"}}, "moment-range"),
        ({"item": {"end": "9999-12-31T23:59:59-14:00"}}, "moment-range"),
        ({"item": {"start": 1930000000}}, "moment-format"),
        ({"item": {"start": "1930000000"}}, "moment-format"),
        ({"item": {"start": "2031-03-04T10:00:00"}}, "timezone-aware"),
        ({"item": {"start": END, "end": START}}, "span-backwards"),
        ({"item": {"zone": "Mars/Phobos"}}, "unknown"),
        ({"item": {"zone": "../../etc/passwd"}}, "unknown"),
        ({"item": {"cameraId": "camera\x00"}}, "control-character"),
        ({"purposeCategory": "security\x00incident"}, "control-character"),
        ({"reason": "\u202e过经认确要需，失丢物货门号三"}, "control-character"),
        ({"reason": "\ud800"}, "string-unicode"),
        ({"reason": "\u200b\u2800 \u3164\ufe0f\ufeff"}, "nothing-visible"),
        ({"placeOfUse": "\u2060"}, "nothing-visible"),
        ({"requestedUseDays": 10**40}, "less-than-equal"),
        ({"requestedUseDays": -1}, "greater-than-equal"),
        ({"subjectIds": ["nobody"]}, "unknown"),
        ({"\ud800": 1}, "string-unicode"),
        ({"{field}{ge}": 1}, "extra-forbidden"),
        ({"departmentId": "office"}, "extra-forbidden"),  # who applies is read from the directory, and not typed
        ({"drafterId": "head"}, "extra-forbidden"),
    ):
        body = json.dumps(form(**changes)).encode()
        answer = await drafter.post("/api/applications", content=body, headers={"Content-Type": "application/json"})
        assert refused(answer, 422) == code, changes
    assert (await drafter.get("/api/applications")).json() == []


@pytest.mark.requirement("R16", "R52", refuses=True)
async def test_no_name_of_a_person_or_department_looks_like_anothers_by_what_nobody_sees(portal: Portal) -> None:
    admin = await portal.signed_in("admin")
    department = (await admin.get("/api/departments")).json()[0]
    for hidden in ("\u200b", "\u200d", "\u00ad", "\ufe0f", "\u3164", "\U000e0041"):
        person = {"login": "another", "name": f"{department['nameZh']}{hidden}", "departmentId": department["id"]}
        assert refused(await admin.post("/api/people", json=person), 422) == "hidden-character"
        assert refused(await admin.post("/api/people", json={**person, "name": hidden}), 422) == "nothing-visible"
        named = {"nameZh": f"{hidden}{department['nameZh']}", "nameEn": "Office", "kind": "business"}
        assert refused(await admin.post("/api/departments", json=named), 422) == "hidden-character"


async def test_a_body_that_is_none_or_too_large_is_refused_before_it_is_read(portal: Portal) -> None:
    drafter = await portal.signed_in("drafter")

    async def send(body: Any, content_type: str = "application/json") -> httpx.Response:
        return await drafter.post("/api/applications", content=body, headers={"Content-Type": content_type})

    async def unannounced() -> AsyncIterator[bytes]:
        for _ in range(LARGEST_BODY // 65536 + 2):
            yield b" " * 65536

    for body in (
        b"",
        b"null",
        b"[" * 100_000,
        b'{"requestedUseDays":' + b"9" * 5000 + b"}",
        b"\xff\xfe{}",
        b'{"a":NaN}',
    ):
        refused(await send(body), 422)
    for content_type in ("text/plain", "multipart/form-data; boundary=x", "application/x-www-form-urlencoded", "\x7f"):
        refused(await send(json.dumps(form()).encode(), content_type), 422)
    assert refused(await send(b" " * (LARGEST_BODY + 1)), 413) == "too-large"
    assert refused(await send(unannounced()), 413) == "too-large"


async def test_an_address_has_one_spelling_and_no_hidden_characters(portal: Portal) -> None:
    drafter = await portal.signed_in("drafter")

    for path in (
        "/api/me/",
        "/api/applications/",
        "/api/cases/%00",
        "/api/documents/%00/print",
        "/api/cases/%ff",
    ):
        refused(await drafter.get(path), 404, 422)
    for path in ("/api/directory?department_id=%00", "/api/applications?offset=9223372036854775808",
                 "/api/applications?limit=-1", "/api/notices?offset=99999999999999999999"):  # fmt: skip
        refused(await drafter.get(path), 422)
    for path in ("/api/reviews/" + "a" * 20_000, "/api/cases/\U0001f600", "/static/..%2fapp.py"):
        refused_ = await drafter.get(path)
        assert refused_.status_code == 404
    wrong = await drafter.request("TRACE", "/api/me")
    assert refused(wrong, 405) == "http"
    assert wrong.headers["Allow"] == "GET"


@pytest.mark.requirement("R20", refuses=True)
async def test_no_cookie_that_another_host_has_set_breaks_the_pages(portal: Portal) -> None:
    browser = await portal.signed_in("drafter")
    for planted in (b"[" * 3000, b"{", b"[[], 1]", b"\xff", b'[{"zh": "x", "en": "x"}, {}]'):
        browser.cookies.set(FLASH_COOKIE, base64.urlsafe_b64encode(planted).decode())
        assert (await browser.get("/account")).status_code == 200, planted[:10]


async def test_coverage_of_any_span_is_an_answer_or_a_refusal(portal: Portal) -> None:
    drafter = await portal.signed_in("drafter")

    for start, end, status in (
        ("1970-01-01T00:00:00Z", "2199-12-31T00:00:00Z", 200),
        (END, START, 422),
        ("0001-01-01T00:00:00+14:00", END, 422),
        (START, "9999-12-31T23:59:59-14:00", 422),
    ):
        asked = {"cameraId": "camera", "start": start, "end": end}
        assert (await drafter.get("/api/coverage", params=asked)).status_code == status, (start, end)


@pytest.mark.requirement("R52", refuses=True)
async def test_sign_ins_are_counted_by_the_true_address_unless_a_known_proxy_tells_another(desk: ReviewDesk) -> None:
    async def last(trusted: str | None, calls: int) -> int:
        app = create_app({"database": desk.database, "settings": Settings.load(portal={"trusted_proxies": trusted})})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as browser:
            for number in range(calls):
                answer = await browser.post(
                    "/api/login",
                    json={"login": f"nobody-{number}", "password": "x"},
                    headers={"X-Forwarded-For": f"10.0.0.{number}", "Forwarded": f"for=10.0.0.{number}"},
                )
        return answer.status_code

    assert await last("127.0.0.1", MAX_ADDRESS_FAILURES + 1) == 401
    assert await last(None, MAX_ADDRESS_FAILURES + 1) == 429


async def test_browsers_are_to_stay_with_https_where_people_reach_the_portal_so(desk: ReviewDesk) -> None:
    async def header(public_url: str) -> str | None:
        app = create_app({"database": desk.database, "settings": Settings.load(portal={"public_url": public_url})})
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://desk") as browser:
            return (await browser.get("/login")).headers.get("Strict-Transport-Security")

    assert await header("https://footage.example") == "max-age=31536000"
    assert await header("http://localhost:8080") is None


@pytest.mark.requirement("R52")
async def test_wrong_tries_do_not_tell_which_names_exist(portal: Portal) -> None:
    async def tries(login: str) -> list[tuple[int, str]]:
        answers = [
            await portal.anonymous().post("/api/login", json={"login": login, "password": "wrong"}) for _ in range(6)
        ]
        return [(answer.status_code, answer.json()["code"]) for answer in answers]

    assert await tries("drafter") == await tries("nobody")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("bytes=0-0", (0, 1)),
        ("bytes=99-", (99, 100)),
        ("bytes=-1", (99, 100)),
        ("bytes=-1000", (0, 100)),
        ("bytes=0-" + "9" * 90, (0, 100)),
        ("BYTES=5-9", (5, 10)),
        ("bytes=" + "9" * 90 + "-", None),
        ("bytes=100-", None),
        ("bytes=-0", None),
    ],
)
def test_a_range_is_cut_to_the_footage_or_lies_outside(header: str, expected: tuple[int, int] | None) -> None:
    if expected is None:
        with pytest.raises(ranges.Unsatisfiable):
            ranges.parse(header, 100)
    else:
        assert ranges.parse(header, 100) == ranges.ByteRange(*expected)


@pytest.mark.parametrize(
    "header", [None, "", "bytes", "bytes=", "bytes=-", "bytes=9-3", "bytes=0-1,5-6", "bytes=a-b", "items=0-1",
               "bytes=٠-٩", "bytes=0x0-0xf", "bytes=+1-2", "bytes=" + "9" * 5000 + "-"]
)  # fmt: skip
def test_a_range_that_is_not_understood_is_no_range(header: str | None) -> None:
    assert ranges.parse(header, 100) is None


def test_every_operation_is_described_in_proper_schemas() -> None:
    description = portal_over({}).openapi()

    def check(node: Any) -> None:
        if isinstance(node, dict):
            assert not isinstance(node.get("items"), list), node
            for part in node.values():
                check(part)
        elif isinstance(node, list):
            for part in node:
                check(part)

    check(description["components"])
    for path, operations in description["paths"].items():
        for method, operation in operations.items():
            for status, told in operation["responses"].items():
                if status >= "400" and status != "416":
                    assert set(told["content"]) == {"application/json"}, (method, path, status)

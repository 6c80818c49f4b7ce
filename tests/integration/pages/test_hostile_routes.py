"""Attacks on every route alike: forms from elsewhere, readers that change, paths that leave, headers that lack."""

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import unquote

import amount
import httpx
import pytest
from every_route import SAFE, Route, every_route
from hostile_organisation import HostileOrganisation
from portal_client import Portal
from starlette.types import ASGIApp, Message
from structlog.testing import capture_logs

from services.web.errors import SECURITY_HEADERS

pytestmark = pytest.mark.slow

# Before there is a session: the door's form has a token of its own (test_hostile_login), the API takes JSON alone,
# and a language is no secret.
OPEN = {"POST /api/login", "POST /login", "POST /language"}
OUT = (
    "..", "../../../../../../../../etc/passwd", "..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd", "%252e%252e%252fpasswd",
    "..%5c..%5cwindows%5cwin.ini", "%2fetc%2fpasswd", "..%c0%af..%c0%afetc", "x%00.mp4", "%0d%0aSet-Cookie:%20a=b",
    "%e5%bd%95%e5%83%8f", "{0.__class__}", "a" * 300,
)  # fmt: skip
# When somebody was last seen, what was refused, and what was read of footage: that is booked by reading. Of many
# refusals people are told.
READS_ARE_BOOKED = {
    "sessions",
    "login_failures",
    "access_refusals",
    "notices",
    "audit_events",
    "audit_nodes",
    "viewings",
    "downloads",
    "custody_entries",
}


@pytest.fixture(scope="module")
def container(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HostileOrganisation]:
    container = HostileOrganisation(f"sqlite:///{tmp_path_factory.mktemp('hostile') / 'database.sqlite3'}")
    yield container
    container.close()


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


@pytest.fixture
async def portal(container: HostileOrganisation) -> AsyncIterator[Portal]:
    async with container.portal() as portal:
        yield portal


def routes(*, acts: bool) -> list[Route]:
    return [route for route in every_route() if (route.method not in SAFE) == acts]


def bare(route: Route) -> str:
    """The address with a name in it that nothing has."""
    return next(iter(route.addresses({})))


@pytest.mark.requirement("R52", refuses=True)
async def test_no_act_is_done_for_whoever_does_not_bring_the_sessions_own_token(
    container: HostileOrganisation, portal: Portal
) -> None:
    victim, attacker = await portal.signed_in("admin"), await portal.signed_in("admin")
    foreign = attacker.headers["X-CSRF-Token"]
    own = victim.headers.pop("X-CSRF-Token")
    before = container.everything()

    wrong = []
    for route in routes(acts=True):
        if route.name in OPEN:
            continue
        for header, body in (
            ("", {}),
            ("", {"data": {"csrf_token": foreign}}),
            (foreign, {"json": {"csrf_token": own}}),
            (own[:-1] + "é", {}),
        ):
            headers = {"X-CSRF-Token": header.encode()} if header else {}
            address = f"{bare(route)}?csrf_token={own}"
            answer = await victim.request(route.method, address, headers=headers, **body)  # type: ignore[arg-type]  # of a mixture
            refused = answer.status_code == 403 or (answer.status_code == 422 and route.for_programs)
            half = route.path.startswith("/login/") and answer.status_code == 303  # there is no half session
            if not (refused or half):
                wrong.append((route.name, header, body, answer.status_code))
    after = container.everything()
    assert not wrong, "\n".join(map(str, wrong))
    assert {name for name in after if after[name] != before[name]} <= {"sessions"}  # when somebody was last seen


@pytest.mark.requirement("R52")
async def test_no_address_that_is_only_read_changes_anything(container: HostileOrganisation, portal: Portal) -> None:
    known = {name: values[-1:] for name, values in container.known().items()}
    for role in ("keeper", "operator", "admin", *(("drafter", "head", "supervisor") if amount.all_of_it() else ())):
        browser = await portal.signed_in(role)
        before = container.everything()
        for route in routes(acts=False):
            for address in route.addresses(known):
                await browser.get(address)
        after = container.everything()
        assert {name for name in after if after[name] != before[name]} <= READS_ARE_BOOKED, role


@pytest.mark.requirement("R52")
async def test_no_answer_of_any_route_is_kept_or_lacks_a_header(portal: Portal) -> None:
    admin, stranger = await portal.signed_in("admin"), portal.anonymous()

    wrong = []
    for route in every_route():
        for browser in (admin, stranger):
            answer = await browser.request(route.method, bare(route))
            wrong += [(route.name, answer.status_code, lack) for lack in lacking(answer)]
    for path in ("/nothing", "/api/nothing", "/static/nothing", "/api/cases/%00", "/static/../app.py", "/?x=%00"):
        answer = await admin.get(path)
        assert answer.status_code >= 400
        wrong += [(path, answer.status_code, lack) for lack in lacking(answer)]
    assert not wrong, "\n".join(map(str, wrong))
    kept = await stranger.get("/static/base.css")
    assert not [name for name in lacking(kept) if name != "cache-control"]
    assert "immutable" in kept.headers["cache-control"]


def lacking(answer: httpx.Response) -> list[str]:
    """The headers that every answer has, as far as this one lacks them or has them otherwise."""
    expected = {**SECURITY_HEADERS, "Cache-Control": "no-store"}
    if answer.headers.get("cache-control") == "private, no-store":
        expected.pop("Cache-Control")
    return [name.lower() for name, value in expected.items() if answer.headers.get(name) != value]


@pytest.mark.requirement("R52", refuses=True)
async def test_no_name_in_an_address_leads_out_of_the_portal(portal: Portal) -> None:
    browser = await portal.signed_in("admin")

    wrong = []
    for parity, route in enumerate(every_route()):
        for place in route.parameters:
            for number, out in enumerate(OUT):
                if number // 2 % 2 == parity % 2 and not amount.all_of_it():
                    continue  # of two routes each tries the half that the other does not
                headers = {"HX-Request": "true"} if number % 2 else {}
                address = route.path.format(**{name: out if name == place else "x" for name in route.parameters})
                request = browser.build_request(route.method, "/", headers=headers)
                request.url = request.url.copy_with(raw_path=address.encode())
                answer = await browser.send(request)
                leads = answer.headers.get("location", answer.headers.get("hx-redirect", "/"))
                fine = answer.status_code < 500 and "a=b" not in answer.headers.get("set-cookie", "")
                if not fine or "root:" in answer.text or not re.match(r"/(?![/\\])[\x21-\x7e]*$", leads):
                    wrong.append((route.name, out, answer.status_code, leads))
    assert not wrong, "\n".join(map(str, wrong))


UNTIDY = ("/static/../app.py", "/static/./../app.py", "/static//etc/passwd", "/static/vendor/../../app.py",
          "/static/%2e%2e/app.py", *("/static/" + out for out in OUT))  # fmt: skip


@pytest.mark.parametrize("path", UNTIDY)
async def test_nothing_but_what_is_there_for_all_is_given_without_a_session(portal: Portal, path: str) -> None:
    status, body = await as_it_is(portal.app, path)

    assert status in {404, 405, 422}
    assert b"import" not in body
    assert b"root:" not in body


async def as_it_is(app: ASGIApp, path: str) -> tuple[int, bytes]:
    """Status and body of the answer to an address that no client has tidied up."""
    sent: list[Any] = []
    scope = {
        **{"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET", "scheme": "https"},
        **{"path": unquote(path), "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": []},
        **{"client": ("192.0.2.1", 1), "server": ("footage.example", 443)},
    }

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


@pytest.mark.requirement("R52", refuses=True)
async def test_no_parameter_that_is_typed_leads_a_browser_elsewhere(portal: Portal) -> None:
    """Every parameter of every page, and the names that such parameters usually have."""
    names = ("next", "back", "return", "returnTo", "redirect", "url", "from", "to", "continue")
    evil = ("https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)")
    browser = await portal.signed_in("drafter")

    wrong = []
    for route in every_route():
        if route.for_programs or route.path == "/logout":
            continue
        wishes = evil if route.method == "GET" or "login" in route.path or route.path == "/language" else evil[:1]
        for wish in wishes:
            fields = {**dict.fromkeys((*names, *route.queries), wish), "csrf_token": browser.headers["X-CSRF-Token"]}
            sent = {"data": fields} if route.method == "POST" else {}
            answer = await browser.request(route.method, bare(route), params=fields, **sent)
            leads = answer.headers.get("location", "") + answer.headers.get("hx-redirect", "")
            if answer.status_code >= 500 or not re.fullmatch(r"(/(?![/\\]).*)?", leads):
                wrong.append((route.name, wish, answer.status_code, leads))
    assert not wrong, "\n".join(map(str, wrong))

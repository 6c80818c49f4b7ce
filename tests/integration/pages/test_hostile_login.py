"""Attacks on the sign-in: fixation, replay, brute force, forms from elsewhere, redirects to elsewhere, headers."""

import re
from datetime import timedelta

import httpx
import pyotp
import pytest
from authenticator import Authenticator
from portal_client import Portal
from review_desk import PASSWORD, ReviewDesk

from services.database.tables.audit import AuditEvent
from services.database.tables.people import Person
from services.database.unit_of_work import UnitOfWork

SESSION, DOOR = "__Host-footage_desk_session", "__Host-footage_desk_login"
ELSEWHERE = (
    "//evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "https:evil.example",
    "https://evil.example/",
    "http:///evil.example",
    "javascript:alert(1)",
    "/\t/evil.example",
    "/\n/evil.example",
    " //evil.example",
    "/%0d%0aSet-Cookie:x=1\r\nSet-Cookie: y=1",
    "evil.example",
    "/／evil.example",
)


def token_in(page: str) -> str:
    found = re.search(r'name="csrf_token" value="([0-9a-f]{64})"', page)
    assert found
    return found[1]


async def type_in(browser: httpx.AsyncClient, path: str, **fields: str) -> httpx.Response:
    """Open the page and send its form."""
    page = await browser.get(path)
    return await browser.post(path.partition("?")[0], data={"csrf_token": token_in(page.text), **fields})


async def sign_in(browser: httpx.AsyncClient, login: str = "head", **fields: str) -> httpx.Response:
    return await type_in(browser, "/login", login=login, password=PASSWORD, **fields)


@pytest.mark.requirement("R52")
async def test_a_person_signs_in_on_the_page_and_comes_to_what_was_asked_for(portal: Portal) -> None:
    browser = portal.anonymous()
    asked = await browser.get("/account")
    assert (asked.status_code, asked.headers["location"]) == (303, "/login?next=/account")

    answer = await sign_in(browser, next="/account")

    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert (await browser.get("/account")).status_code == 200
    assert (await browser.get("/login?next=/account")).headers["location"] == "/account"
    cookie = next(line for line in answer.headers.get_list("set-cookie") if line.startswith(SESSION))
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert {"httponly", "samesite=lax", "secure", "path=/"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("wish", ELSEWHERE)
async def test_no_sign_in_leads_to_another_host_or_writes_a_header(portal: Portal, wish: str) -> None:
    browser = portal.anonymous()
    page = await browser.get("/login", params={"next": wish})
    answer = await browser.post(
        "/login", data={"csrf_token": token_in(page.text), "login": "head", "password": PASSWORD, "next": wish}
    )
    again = await browser.get("/login", params={"next": wish})

    assert 'name="next" value="/"' in page.text
    for redirect in (answer, again):
        assert (redirect.status_code, redirect.headers["location"]) == (303, "/")
        assert not {"x", "y"} & {line.partition("=")[0] for line in redirect.headers.get_list("set-cookie")}


@pytest.mark.parametrize("wish", ["%2F%2Fevil.example", "/%5Cevil.example", "/%0d%0aSet-Cookie:%20y=1", "/%2F/evil"])
async def test_an_encoded_address_stays_one_of_ours(portal: Portal, wish: str) -> None:
    browser = portal.anonymous()
    page = await browser.get(f"/login?next={wish}")
    answer = await browser.post(
        f"/login?next={wish}", data={"csrf_token": token_in(page.text), "login": "head", "password": PASSWORD}
    )

    assert answer.status_code == 303
    landed = httpx.URL("https://footage.example/sign-in").join(answer.headers["location"])
    assert landed.host == "footage.example"
    assert "y" not in {line.partition("=")[0] for line in answer.headers.get_list("set-cookie")}


@pytest.mark.requirement("R52", refuses=True)
async def test_a_token_planted_before_is_worth_nothing_after(portal: Portal) -> None:
    browser = portal.anonymous()
    browser.cookies.set(SESSION, "planted", domain="footage.example", path="/")

    await sign_in(browser)

    assert browser.cookies[SESSION] != "planted"
    thief = portal.anonymous()
    thief.cookies.set(SESSION, "planted", domain="footage.example", path="/")
    assert (await thief.get("/api/me")).status_code == 401


@pytest.mark.requirement("R52", refuses=True)
async def test_the_half_sessions_token_opens_nothing_and_dies_with_the_step(desk: ReviewDesk, portal: Portal) -> None:
    app = Authenticator(desk, "head")
    browser, thief = portal.anonymous(), portal.anonymous()
    answer = await sign_in(browser, next="/account")
    assert answer.headers["location"] == "/login/code?next=%2Faccount"
    thief.cookies.set(SESSION, browser.cookies[SESSION], domain="footage.example", path="/")

    for path in ("/", "/account", "/inbox", "/admin/people"):
        assert (await browser.get(path)).headers["location"].startswith("/login"), path
    for path in ("/api/me", "/api/reviews", "/api/account", "/api/directory"):
        assert (await browser.get(path)).json()["code"] == "login-unfinished", path
    done = await type_in(browser, "/login/code?next=/account", code=app.next_code(), next="/account")

    assert done.headers["location"] == "/account"
    assert (await browser.get("/account")).status_code == 200
    assert (await thief.get("/api/me")).json()["code"] == "logged-out"


@pytest.mark.requirement("R52", refuses=True)
async def test_a_code_that_was_seen_does_not_sign_in_again(desk: ReviewDesk, portal: Portal) -> None:
    app = Authenticator(desk, "head")
    code = app.next_code()
    browser, thief = portal.anonymous(), portal.anonymous()
    await sign_in(browser)
    await type_in(browser, "/login/code", code=code)

    await sign_in(thief)
    replayed = await type_in(thief, "/login/code", code=code)

    assert replayed.status_code == 403
    assert "已使用过" in replayed.text
    assert (await thief.get("/api/me")).status_code == 401


@pytest.mark.requirement("R52", refuses=True)
async def test_guessing_codes_on_the_page_locks_the_account(desk: ReviewDesk, portal: Portal) -> None:
    app = Authenticator(desk, "head")
    browser = portal.anonymous()
    await sign_in(browser)

    statuses = [(await type_in(browser, "/login/code", code=app.wrong_code())).status_code for _ in range(5)]

    assert statuses == [403] * 4 + [429]
    assert (await browser.get("/login/code")).headers["location"] == "/login"
    assert (await sign_in(browser)).status_code == 429
    desk.real.turn(timedelta(minutes=16))
    assert (await sign_in(browser)).headers["location"] == "/login/code"


@pytest.mark.requirement("R52", refuses=True)
async def test_no_other_site_signs_somebody_in(portal: Portal) -> None:
    victim, attacker = portal.anonymous(), portal.anonymous()
    foreign = token_in((await attacker.get("/login")).text)
    fields = {"login": "head", "password": PASSWORD}

    for token in ({}, {"csrf_token": foreign}, {"csrf_token": "0" * 64}):
        answer = await victim.post("/login", data={**fields, **token})
        assert answer.status_code == 403
        assert SESSION not in victim.cookies
        assert 'value="head"' in answer.text  # what was typed stays
    await victim.get("/login")
    assert (await victim.post("/login", data={**fields, "csrf_token": foreign})).status_code == 403


@pytest.mark.requirement("R52", refuses=True)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", None])
async def test_no_form_of_another_site_signs_in_through_the_api(portal: Portal, kind: str | None) -> None:
    browser = portal.anonymous()
    body = f'{{"login": "head", "password": "{PASSWORD}"}}'.encode()

    answer = await browser.post("/api/login", content=body, headers={"Content-Type": kind} if kind else {})

    assert answer.status_code == 422
    assert SESSION not in browser.cookies


@pytest.mark.requirement("R52", refuses=True)
async def test_a_step_takes_its_own_form_only(desk: ReviewDesk, portal: Portal) -> None:
    app = Authenticator(desk, "head")
    browser = portal.anonymous()
    page = await browser.get("/login")
    await sign_in(browser)

    answer = await browser.post("/login/code", data={"csrf_token": token_in(page.text), "code": app.next_code()})

    assert answer.status_code == 403
    assert (await browser.get("/api/me")).status_code == 401


@pytest.mark.requirement("R52", refuses=True)
async def test_a_cookie_in_another_browser_is_worth_nothing(portal: Portal) -> None:
    client = await portal.signed_in("head")

    assert (await client.get("/api/me", headers={"User-Agent": "another browser"})).status_code == 401
    assert (await client.get("/account", headers={"User-Agent": "another browser"})).status_code == 303
    assert (await client.get("/api/me")).status_code == 200


@pytest.mark.requirement("R52", refuses=True)
async def test_what_is_typed_into_the_sign_in_stays_text(portal: Portal) -> None:
    browser = portal.anonymous()
    typed = '"><script>alert(1)</script>'

    answer = await type_in(browser, "/login", login=typed, password="x", next="/")

    assert answer.status_code == 401
    assert "<script>alert" not in answer.text
    assert "&lt;script&gt;" in answer.text


@pytest.mark.requirement("R52")
async def test_the_pages_of_the_door_are_not_kept_and_show_no_accounts(desk: ReviewDesk, portal: Portal) -> None:
    page = await portal.anonymous().get("/login?account=head")

    assert page.headers["cache-control"] == "no-store"
    assert "demo-" not in page.text
    assert "keeper" not in page.text


async def test_a_first_password_is_replaced_on_the_page(desk: ReviewDesk, portal: Portal) -> None:
    def act(uow: UnitOfWork) -> None:
        uow.session.get_one(Person, "head").must_change_password = True

    desk.run(act)
    browser = portal.anonymous()
    assert (await sign_in(browser)).headers["location"] == "/login/password"
    assert (await browser.get("/api/me")).json()["code"] == "login-unfinished"

    for new, again in (("short", "short"), ("nine calm cameras", "nine calm camera")):
        assert (await type_in(browser, "/login/password", newPassword=new, repeat=again)).status_code == 422
    done = await type_in(browser, "/login/password", newPassword="nine calm cameras", repeat="nine calm cameras")

    assert done.headers["location"] == "/"
    assert (await browser.get("/api/me")).status_code == 200


@pytest.mark.requirement("R25", "R52")
async def test_a_second_factor_is_set_up_at_the_door_where_it_must_be(desk: ReviewDesk, portal: Portal) -> None:
    object.__setattr__(desk.database.rules, "second_factor", "signers")
    browser = portal.anonymous()
    answer = await sign_in(browser, "security-head", next="/account")
    assert answer.headers["location"] == "/login/enrolment?next=%2Faccount"

    page = await browser.get("/login/enrolment?next=/account")
    image = await browser.get("/login/enrolment/qr.svg")
    secret = re.search(r'class="secret">([A-Z2-7 ]+)<', page.text)
    assert secret
    assert (image.headers["content-type"], image.headers["cache-control"]) == ("image/svg+xml", "no-store")
    assert page.headers["cache-control"] == "no-store"
    code = pyotp.TOTP(secret[1].replace(" ", "")).at(desk.real.now())
    done = await type_in(browser, "/login/enrolment?next=/account", code=code, next="/account")

    assert done.status_code == 200
    assert len(re.findall(r"<li><code>[a-z2-9-]{19}</code></li>", done.text)) == 10
    assert 'href="/account"' in done.text
    assert (await browser.get("/api/me")).status_code == 200
    assert (await browser.get("/login/enrolment/qr.svg")).status_code != 200
    assert desk.the(AuditEvent, action="second-factor-enrolled").actor_id == "security-head"


async def test_nobody_gets_a_qr_code_without_a_session(portal: Portal) -> None:
    answer = await portal.anonymous().get("/login/enrolment/qr.svg")

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")

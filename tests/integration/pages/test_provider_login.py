"""Signing in at the organisation's provider: who comes in, and that no lie of a provider or a browser brings one in."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from authenticator import Authenticator
from crooked_provider import (
    CLIENT,
    SECRET,
    TOKEN,
    CrookedProvider,
    broken,
    compressed,
    crooked_provider,
    elsewhere,
    huge,
    no_json,
    signed_by_another,
    signed_with_the_public_key,
    silent,
    unsigned,
)
from portal_client import Portal
from review_desk import ReviewDesk
from starlette.requests import Request
from starlette.responses import Response
from written_logs import written_logs

from services.database.tables.audit import AuditEvent
from services.database.tables.identities import Identity
from services.database.tables.people import Person
from services.database.tables.sessions import LoginSession
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts import staff
from services.domain.accounts.single_sign_on.http_client import ProviderHttpClient
from services.domain.accounts.single_sign_on.provider import Provider, check_provider
from services.runtime.errors import Fatal
from services.runtime.settings import Settings
from services.vault.keys.secret_box import KeyFileBox

# Whole, for a random name may have its first letters.
JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.")

Answer = Callable[[Request], Awaitable[Response]]


class Seconds:
    """A clock that stands still until the test turns it."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}", box=KeyFileBox(tmp_path / "portal" / "secrets.key"))
    yield desk
    desk.close()


@pytest.fixture
def crooked(desk: ReviewDesk) -> Iterator[CrookedProvider]:
    with crooked_provider(desk.real.now) as crooked:
        yield crooked


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def settings(crooked: CrookedProvider) -> Settings:
    return Settings.load(
        portal={"public_url": "https://footage.example"},
        oidc={"issuer": crooked.issuer, "client_id": CLIENT, "client_secret": SECRET, "name": "统一身份认证"},
        allowed_networks="127.0.0.0/8",
    )


@pytest.fixture
async def portal(desk: ReviewDesk, settings: Settings, seconds: Seconds) -> AsyncIterator[Portal]:
    wire = ProviderHttpClient(settings, seconds=60, monotonic=seconds)
    async with Portal(desk, settings=settings, provider=Provider(settings, desk.real, wire)) as portal:
        yield portal


async def led(browser: httpx.AsyncClient, path: str = "/login/provider") -> str:
    """The provider's address that the browser is led to."""
    answer = await browser.get(path)
    assert answer.status_code == 303, answer.text
    return answer.headers["location"]


async def back(browser: httpx.AsyncClient, told: dict[str, str]) -> httpx.Response:
    return await browser.get("/login/provider/callback", params=told)


async def signed_in(browser: httpx.AsyncClient, crooked: CrookedProvider, next_page: str = "/") -> httpx.Response:
    address = await led(browser, f"/login/provider?next={next_page}")
    return await back(browser, crooked.authorize(address))


async def is_in(browser: httpx.AsyncClient) -> bool:
    return (await browser.get("/api/me")).status_code == 200


def events(desk: ReviewDesk, action: str) -> list[AuditEvent]:
    return desk.all(AuditEvent, action=action)


def change(desk: ReviewDesk, person_id: str, **values: Any) -> None:
    def act(uow: UnitOfWork) -> None:
        person = uow.session.get_one(Person, person_id)
        for name, value in values.items():
            setattr(person, name, value)

    desk.run(act)


@pytest.mark.requirement("R52")
async def test_whom_the_provider_vouches_for_is_signed_in_and_bound(
    desk: ReviewDesk, portal: Portal, crooked: CrookedProvider
) -> None:
    browser = portal.anonymous()

    answer = await signed_in(browser, crooked, "/account")

    assert (answer.status_code, answer.headers["location"]) == (303, "/account")
    assert (await browser.get("/api/me")).json()["id"] == "drafter"
    bound = desk.the(Identity)
    assert (bound.person_id, bound.issuer, bound.subject) == ("drafter", crooked.issuer, "subject-1")
    assert [event.subject_id for event in events(desk, "identity-bound")] == ["drafter"]
    assert crooked.issuer in events(desk, "logged-in")[0].entry


async def test_the_provider_is_asked_as_the_standards_have_it(portal: Portal, crooked: CrookedProvider) -> None:
    browser = portal.anonymous()

    address = httpx.URL(await led(browser))

    asked = dict(address.params)
    assert asked["redirect_uri"] == "https://footage.example/login/provider/callback"
    assert asked["scope"] == "openid profile"
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 43
    assert asked["code_challenge_method"] == "S256"
    again = dict(httpx.URL(await led(browser)).params)
    assert not {asked[name] for name in ("state", "nonce", "code_challenge")} & set(again.values())


async def test_what_the_browser_keeps_meanwhile_is_sealed_and_short(portal: Portal) -> None:
    answer = await portal.anonymous().get("/login/provider", headers={"Host": "evil.example"})

    [cookie] = [text for text in answer.headers.get_list("set-cookie") if "_oidc" in text]
    attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
    assert cookie.startswith("__Host-footage_desk_oidc=")
    assert {"httponly", "samesite=lax", "secure", "path=/", "max-age=600"} <= attributes
    asked = dict(httpx.URL(answer.headers["location"]).params)
    assert asked["redirect_uri"].startswith("https://footage.example/")
    assert asked["state"] not in cookie


async def test_the_language_of_the_browser_is_kept_under_https_alone(portal: Portal) -> None:
    answer = await portal.anonymous().post("/language", data={"language": "en", "back": "/"})

    assert "secure" in answer.headers["set-cookie"].lower()


async def test_the_session_is_a_new_one_and_no_token_is_kept(
    desk: ReviewDesk, portal: Portal, crooked: CrookedProvider
) -> None:
    browser = portal.anonymous()
    browser.cookies.set("__Host-footage_desk_session", "planted", domain="footage.example", path="/")

    answer = await signed_in(browser, crooked)

    assert "planted" not in str(answer.headers)
    kept = str([vars(row) for row in desk.all(LoginSession)]) + "".join(event.entry for event in desk.all(AuditEvent))
    crooked.claims = {"nonce": "another"}
    with written_logs() as log:
        await signed_in(portal.anonymous(), crooked)
    logged = log.getvalue()
    assert "the ID token's nonce does not fit" in logged
    for secret in (TOKEN, SECRET, "code-1", "code-2"):
        assert secret not in kept + logged
    assert not JWT.search(kept + logged + str(answer.headers))


LIES: dict[str, dict[str, Any]] = {
    "another's nonce": {"claims": {"nonce": "of another browser"}},
    "no nonce": {"claims": {"nonce": None}},
    "another audience": {"claims": {"aud": "another-desk"}},
    "two audiences and no word for whom": {"claims": {"aud": [CLIENT, "another-desk"]}},
    "made for another": {"claims": {"aud": [CLIENT, "another-desk"], "azp": "another-desk"}},
    "another issuer": {"claims": {"iss": "https://evil.example"}},
    "no subject": {"claims": {"sub": None}},
    "an empty subject": {"claims": {"sub": ""}},
    "a subject that is a number": {"claims": {"sub": 7}},
    "no end": {"claims": {"exp": None}},
    "no beginning": {"claims": {"iat": None}},
    "another access token": {"claims": {"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}},
    "no signature": {"signer": unsigned},
    "a signature anybody can make": {"signer": signed_with_the_public_key},
    "the key of another": {"signer": signed_by_another},
    "a key that is not shown": {"key": "two"},
    "a kind of key that signs nothing": {"header": {"kid": "oct"}},
    "an extension that must be understood": {"header": {"crit": ["exp"], "exp": 1}},
    "no token at all": {"answer": {"id_token": None}},
    "a token that is none": {"answer": {"id_token": "a.b.c"}},
    "a token that is a number": {"answer": {"id_token": 7}},
}


async def test_no_lie_brings_anybody_in(desk: ReviewDesk, portal: Portal, crooked: CrookedProvider) -> None:
    honest = {name: getattr(crooked, name) for lie in LIES.values() for name in lie}
    seen = {}
    for lie, changes in LIES.items():
        for name, value in {**honest, **changes}.items():
            setattr(crooked, name, value)
        answer = await signed_in(portal.anonymous(), crooked)
        seen[lie] = answer.status_code, 'role="alert"' in answer.text

    assert {lie: told for lie, told in seen.items() if told not in ((403, True), (503, True))} == {}
    assert desk.all(Identity) == []
    assert desk.all(LoginSession) == []


AGES = [
    ("exp", timedelta(minutes=7), False),
    ("exp", timedelta(minutes=5, seconds=30), True),  # clocks differ
    ("iat", timedelta(minutes=-2), False),
    ("iat", timedelta(seconds=-30), True),
    ("iat", timedelta(minutes=12), False),
]


async def test_a_token_is_good_for_a_short_time(desk: ReviewDesk, portal: Portal, crooked: CrookedProvider) -> None:
    for claim, age, comes_in in AGES:
        made = desk.real.now() - age
        crooked.claims = {claim: int(made.timestamp()) + (300 if claim == "exp" else 0)}
        browser = portal.anonymous()
        await signed_in(browser, crooked)
        assert await is_in(browser) is comes_in, (claim, age)


async def test_an_answer_of_another_browser_is_worth_nothing(portal: Portal, crooked: CrookedProvider) -> None:
    mine, theirs = portal.anonymous(), portal.anonymous()
    told = crooked.authorize(await led(mine))
    await led(theirs)

    for browser in (theirs, portal.anonymous()):
        answer = await back(browser, told)
        assert answer.status_code == 403
        assert not await is_in(browser)
    assert "/token" not in crooked.called


async def test_an_answer_is_taken_once(portal: Portal, crooked: CrookedProvider) -> None:
    browser = portal.anonymous()
    address = await led(browser)
    cookie = browser.cookies["__Host-footage_desk_oidc"]
    told = crooked.authorize(address)
    assert (await back(browser, told)).status_code == 303

    assert (await back(browser, told)).status_code == 403
    thief = portal.anonymous()
    thief.cookies.set("__Host-footage_desk_oidc", cookie, domain="footage.example", path="/")
    assert (await back(thief, told)).status_code == 403
    assert not await is_in(thief)


async def test_the_way_has_an_end(desk: ReviewDesk, portal: Portal, crooked: CrookedProvider) -> None:
    browser = portal.anonymous()
    told = crooked.authorize(await led(browser))
    desk.real.turn(timedelta(minutes=10))

    assert (await back(browser, told)).status_code == 403


async def test_a_cookie_that_was_changed_is_none(portal: Portal, crooked: CrookedProvider) -> None:
    browser = portal.anonymous()
    told = crooked.authorize(await led(browser))
    for value in ("", "x", browser.cookies["__Host-footage_desk_oidc"][::-1]):
        browser.cookies.set("__Host-footage_desk_oidc", value, domain="footage.example", path="/")
        assert (await back(browser, told)).status_code == 403


async def test_an_answer_that_is_not_the_one_asked_for(portal: Portal, crooked: CrookedProvider) -> None:
    wrong: list[dict[str, str | None]] = [
        {"iss": "https://evil.example"}, {"iss": None}, {"state": "x"}, {"state": None}, {"code": None}, {"code": "x"},
    ]  # fmt: skip
    for changes in wrong:
        browser = portal.anonymous()
        answer = await back(browser, crooked.authorize(await led(browser), **changes))
        assert answer.status_code == 403, changes
        assert not await is_in(browser)


async def test_a_provider_that_does_not_tell_its_issuer_need_not(portal: Portal, crooked: CrookedProvider) -> None:
    crooked.document = {"authorization_response_iss_parameter_supported": None}
    browser = portal.anonymous()

    await back(browser, crooked.authorize(await led(browser), iss=None))

    assert await is_in(browser)


async def test_what_the_provider_says_of_an_error_is_not_repeated(portal: Portal, crooked: CrookedProvider) -> None:
    browser = portal.anonymous()
    state = crooked.authorize(await led(browser))["state"]
    told = {"state": state, "iss": crooked.issuer, "error": "access_denied", "error_description": "call 555-1234"}

    answer = await back(browser, told)

    assert answer.status_code == 403
    assert "您在统一认证中取消了登录" in answer.text
    assert "555-1234" not in answer.text


@pytest.mark.parametrize("answer", [silent, huge, compressed, elsewhere, broken, no_json], ids=lambda one: one.__name__)
async def test_a_provider_that_does_not_answer_as_it_must(
    desk: ReviewDesk, portal: Portal, crooked: CrookedProvider, settings: Settings, answer: Answer
) -> None:
    for path in ("/.well-known/openid-configuration", "/keys", "/token"):
        wire = ProviderHttpClient(settings, seconds=0.5 if answer is silent else 60)
        portal.app.state.dependencies["provider"] = Provider(settings, desk.real, wire)
        crooked.misbehave = {path: answer}
        browser = portal.anonymous()

        there = await browser.get("/login/provider")
        seen = await back(browser, crooked.authorize(there.headers["location"])) if there.status_code == 303 else there

        assert seen.status_code == 503, path
        assert "用本系统的密码登录" in seen.text
        assert not await is_in(browser)
    assert "/elsewhere" not in crooked.called


DOCUMENTS: list[dict[str, Any]] = [
    {"issuer": "https://evil.example"},
    {"authorization_endpoint": "javascript:alert(1)"},
    {"authorization_endpoint": "https://user@evil.example/authorize"},
    {"token_endpoint": None},
    {"jwks_uri": 7},
    {"jwks_uri": "file:///etc/passwd"},
    {"end_session_endpoint": "//evil.example"},
    {"code_challenge_methods_supported": ["plain"]},
    {"id_token_signing_alg_values_supported": ["HS256", "none"]},
    {"response_types_supported": ["token"]},
    {"token_endpoint_auth_methods_supported": ["private_key_jwt"]},
]


async def test_a_document_that_does_not_fit_leads_nobody_away(
    portal: Portal, crooked: CrookedProvider, seconds: Seconds
) -> None:
    for document in DOCUMENTS:
        crooked.document = document
        seconds.now += 6
        assert (await portal.anonymous().get("/login/provider")).status_code == 503, document


async def test_addresses_inside_this_machine_are_called_only_where_they_are_meant(
    desk: ReviewDesk, crooked: CrookedProvider, settings: Settings
) -> None:
    guarded = settings.model_copy(update={"allowed_networks": None})
    async with Portal(desk, settings=guarded, provider=Provider(guarded, desk.real)) as portal:
        assert (await portal.anonymous().get("/login/provider")).status_code == 503
    assert crooked.called == []


async def test_a_provider_that_is_down_is_not_asked_by_everybody(
    portal: Portal, crooked: CrookedProvider, seconds: Seconds
) -> None:
    crooked.misbehave["/.well-known/openid-configuration"] = broken
    for _ in range(3):
        assert (await portal.anonymous().get("/login/provider")).status_code == 503
    assert len(crooked.called) == 1

    crooked.misbehave.clear()
    seconds.now += 6
    assert (await portal.anonymous().get("/login/provider")).status_code == 303


async def test_keys_are_kept_and_looked_for_again_once_when_one_is_unknown(
    portal: Portal, crooked: CrookedProvider, seconds: Seconds
) -> None:
    for _ in range(2):
        await signed_in(portal.anonymous(), crooked)
    assert crooked.called.count("/keys") == crooked.called.count("/.well-known/openid-configuration") == 1

    crooked.key, crooked.shown = "two", ["two"]
    seconds.now += 60
    browser = portal.anonymous()
    await signed_in(browser, crooked)
    assert await is_in(browser)
    assert crooked.called.count("/keys") == 2

    crooked.shown = ["one"]
    crooked.header = {"kid": "of nobody"}
    for _ in range(3):
        await signed_in(portal.anonymous(), crooked)
    assert crooked.called.count("/keys") == 2  # a moment ago


async def test_a_login_that_is_told_by_userinfo_alone(portal: Portal, crooked: CrookedProvider) -> None:
    crooked.claims = {"preferred_username": None}
    crooked.userinfo = {"sub": "subject-1", "preferred_username": "drafter"}
    browser = portal.anonymous()
    await signed_in(browser, crooked)
    assert await is_in(browser)

    crooked.userinfo = {"sub": "subject-2", "preferred_username": "head"}
    browser = portal.anonymous()
    assert (await signed_in(browser, crooked)).status_code == 403
    crooked.userinfo = {"sub": "subject-1"}
    assert (await signed_in(browser, crooked)).status_code == 403
    assert not await is_in(browser)


@pytest.mark.requirement("R52", refuses=True)
async def test_nobody_is_made_by_signing_in(desk: ReviewDesk, portal: Portal, crooked: CrookedProvider) -> None:
    people = len(desk.all(Person))
    crooked.login = "stranger"
    browser = portal.anonymous()

    answer = await signed_in(browser, crooked)

    assert answer.status_code == 403
    assert "没有您可用的账号" in answer.text
    assert len(desk.all(Person)) == people
    assert "provider-nobody" in events(desk, "login-refused")[0].entry


async def test_a_login_is_taken_as_it_is_written(portal: Portal, crooked: CrookedProvider) -> None:
    for login in ("Drafter", "drafter ", "drafter\u200b", "%", ""):
        crooked.login = login
        assert (await signed_in(portal.anonymous(), crooked)).status_code == 403, login


@pytest.mark.requirement("R52", refuses=True)
async def test_a_login_given_to_somebody_else_inherits_nothing(
    desk: ReviewDesk, portal: Portal, crooked: CrookedProvider
) -> None:
    await signed_in(portal.anonymous(), crooked)

    crooked.subject = "subject-2"
    newcomer = portal.anonymous()
    answer = await signed_in(newcomer, crooked)
    assert answer.status_code == 403
    assert "已绑定统一认证的另一账号" in answer.text
    assert not await is_in(newcomer)

    crooked.subject, crooked.login = "subject-1", "renamed"
    before = portal.anonymous()
    await signed_in(before, crooked)
    assert (await before.get("/api/me")).json()["id"] == "drafter"


@pytest.mark.requirement("R52")
async def test_an_administrator_unbinds_and_the_next_one_is_bound(
    desk: ReviewDesk, portal: Portal, crooked: CrookedProvider
) -> None:
    browser = portal.anonymous()
    await signed_in(browser, crooked)
    admin = await portal.signed_in("admin")
    page = await admin.get("/admin/people/drafter")
    assert "subject-1" in page.text
    assert "unbind-identity" in page.text

    told = await admin.post("/api/people/drafter/unbind-identity")

    assert told.json()["identities"] == []
    assert not await is_in(browser)
    assert [event.actor_id for event in events(desk, "identity-unbound")] == ["admin"]
    assert (await admin.post("/api/people/drafter/unbind-identity")).status_code == 409
    crooked.subject = "subject-2"
    newcomer = portal.anonymous()
    await signed_in(newcomer, crooked)
    assert await is_in(newcomer)
    assert [row.subject for row in desk.all(Identity, ended_at=None)] == ["subject-2"]


async def test_who_has_left_or_is_locked_does_not_come_in(
    desk: ReviewDesk, portal: Portal, crooked: CrookedProvider
) -> None:
    await signed_in(portal.anonymous(), crooked)
    change(desk, "drafter", locked_until=desk.real.now() + timedelta(minutes=15))
    assert (await signed_in(portal.anonymous(), crooked)).status_code == 429

    change(desk, "drafter", locked_until=None)
    desk.run(staff.deactivate, "drafter", by="admin")
    browser = portal.anonymous()
    assert (await signed_in(browser, crooked)).status_code == 403
    assert not await is_in(browser)


@pytest.mark.requirement("R25", "R52", refuses=True)
async def test_the_second_factor_stays_ours(desk: ReviewDesk, portal: Portal, crooked: CrookedProvider) -> None:
    authenticator = Authenticator(desk, "drafter")
    crooked.claims = {"amr": ["pwd", "otp", "mfa"], "acr": "gold"}
    browser = portal.anonymous()

    answer = await signed_in(browser, crooked, "/account")

    assert answer.headers["location"] == "/login/code?next=/account".replace("/account", "%2Faccount")
    assert not await is_in(browser)
    assert desk.all(Identity) == []  # a name alone binds nothing
    page = await browser.get("/login/code?next=/account")
    assert "统一认证已通过" in page.text
    token = page.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    form = {"csrf_token": token, "next": "/account", "code": authenticator.next_code()}
    assert (await browser.post("/login/code", data=form)).headers["location"] == "/account"
    assert await is_in(browser)
    assert desk.the(Identity).person_id == "drafter"


async def test_whoever_tries_codes_is_stopped(desk: ReviewDesk, portal: Portal, crooked: CrookedProvider) -> None:
    browser = portal.anonymous()
    for _ in range(30):
        answer = await back(browser, crooked.authorize(await led(browser), code="guessed"))
        assert answer.status_code == 403
    asked = crooked.called.count("/token")

    answer = await back(browser, crooked.authorize(await led(browser)))

    assert answer.status_code == 429
    assert crooked.called.count("/token") == asked


async def test_nobody_is_led_to_another_host(portal: Portal, crooked: CrookedProvider) -> None:
    for wish in ("https://evil.example/", "//evil.example", "/\\evil.example"):
        browser = portal.anonymous()
        answer = await signed_in(browser, crooked, wish)
        assert answer.headers["location"] == "/"


async def test_signing_out_leads_to_the_provider_and_ends_ours_first(portal: Portal, crooked: CrookedProvider) -> None:
    browser = portal.anonymous()
    await signed_in(browser, crooked)
    token = (await browser.get("/api/me")).json()["csrfToken"]

    answer = await browser.post("/logout", data={"csrf_token": token})

    assert answer.status_code == 200
    leave = f"{crooked.issuer}/leave?client_id={CLIENT}&amp;post_logout_redirect_uri=https%3A%2F%2Ffootage.example"
    assert f'content="0; url={leave}%2Flogin"' in answer.text
    assert not await is_in(browser)


async def test_who_came_by_password_leaves_as_before(portal: Portal) -> None:
    client = await portal.signed_in("head")

    answer = await client.post("/logout")

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


async def test_signing_out_does_not_need_the_provider(
    portal: Portal, crooked: CrookedProvider, seconds: Seconds
) -> None:
    browser = portal.anonymous()
    await signed_in(browser, crooked)
    token = (await browser.get("/api/me")).json()["csrfToken"]
    crooked.misbehave["/.well-known/openid-configuration"] = broken
    seconds.now += 7200

    answer = await browser.post("/logout", data={"csrf_token": token})

    assert (answer.status_code, answer.headers["location"]) == (303, "/login")


async def test_the_page_shows_the_way_beside_the_form(portal: Portal, desk: ReviewDesk) -> None:
    page = (await portal.anonymous().get("/login?next=/inbox")).text
    assert 'href="/login/provider?next=%2Finbox"' in page
    assert "使用统一身份认证登录" in page
    assert 'name="password"' in page

    async with Portal(desk) as without:
        browser = without.anonymous()
        assert "/login/provider" not in (await browser.get("/login")).text
        assert (await browser.get("/login/provider")).status_code == 404
        assert (await browser.get("/login/provider/callback")).status_code in (403, 404)


async def test_the_doctor_says_what_the_provider_has_to_know(
    desk: ReviewDesk, crooked: CrookedProvider, settings: Settings
) -> None:
    said = str(await check_provider(settings))
    assert "have it know https://footage.example/login/provider/callback" in said
    assert "/keys" in crooked.called

    crooked.misbehave["/keys"] = broken
    with pytest.raises(Fatal, match=r"HTTP 500 and no key set; see FOOTAGE_DESK_OIDC__ISSUER"):
        await check_provider(settings)
    with pytest.raises(Fatal, match="FOOTAGE_DESK_ALLOWED_NETWORKS"):
        await check_provider(settings.model_copy(update={"allowed_networks": None}))
    assert "by the passwords of Footage Desk" in str(await check_provider(Settings.load()))

"""The whole way in Chromium: to a certified provider on another site, back with its word, and out again."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect
from portal_client import portal_over
from real_provider import CLIENT, SECRET, real_provider
from review_desk import PASSWORD, ReviewDesk
from served import served
from starlette.types import Receive, Scope, Send

from services.database.tables.identities import Identity
from services.domain.accounts.single_sign_on.provider import Provider
from services.runtime.clock import SystemClock
from services.runtime.settings import Settings
from services.vault.keys.secret_box import KeyFileBox

PICTURES = os.environ.get("FOOTAGE_DESK_TEST_PICTURES")
NETWORKS = "127.0.0.0/8,::1/128"


class Later:
    """An application that is put in when its address is known."""

    app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ReviewDesk]:
    root = tmp_path_factory.mktemp("desk")
    desk = ReviewDesk(f"sqlite:///{root / 'database.sqlite3'}", box=KeyFileBox(root / "portal" / "secrets.key"))
    desk.database.real = SystemClock()  # the provider has the machine's
    yield desk
    desk.close()


@pytest.fixture(scope="module")
def settings(desk: ReviewDesk, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    later = Later()
    with served(later) as address, real_provider(address) as issuer:
        settings = Settings.load(
            data_dir=tmp_path_factory.mktemp("data"),
            portal={"public_url": address},
            oidc={"issuer": issuer, "client_id": CLIENT, "client_secret": SECRET, "name": "统一身份认证"},
            allowed_networks=NETWORKS,
        )
        provider = Provider(settings, desk.database.real)
        later.app = portal_over({"database": desk.database, "settings": settings, "provider": provider})
        yield settings


@pytest.fixture
def page(settings: Settings, browser: Browser) -> Iterator[Page]:
    context = browser.new_context(base_url=settings.portal.url, viewport={"width": 1280, "height": 800}, locale="zh-CN")
    yield context.new_page()
    context.close()


def picture(page: Page, name: str) -> None:
    if PICTURES is not None:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def at_the_provider(page: Page, login: str) -> None:
    page.get_by_label("Login").fill(login)
    page.get_by_role("button", name="Sign in").click()


@pytest.mark.requirement("R52", refuses=True)
def test_there_and_back_and_out_at_both(desk: ReviewDesk, settings: Settings, page: Page) -> None:
    page.goto("/login?next=/account")
    assert [one["id"] for one in Axe().run(page).response["violations"]] == []
    picture(page, "sign-in-provider")
    page.get_by_role("link", name="使用统一身份认证登录").click()
    page.wait_for_url(f"{settings.oidc.issuer}/interaction/*")
    at_the_provider(page, "drafter")
    page.wait_for_url("**/account")
    bound = desk.the(Identity, person_id="drafter")
    assert (bound.person_id, bound.issuer, bound.subject) == ("drafter", settings.oidc.issuer, "subject-of-drafter")

    page.get_by_role("button", name="退出").click()
    page.wait_for_url(f"{settings.oidc.issuer}/session/end?*")
    page.get_by_role("button", name="Yes, sign me out").click()
    page.wait_for_url("**/login")

    page.get_by_role("link", name="使用统一身份认证登录").click()
    page.wait_for_url(f"{settings.oidc.issuer}/interaction/*")  # it asks anew
    at_the_provider(page, "stranger")
    page.wait_for_url("**/login/provider/callback?*")
    expect(page.get_by_role("alert")).to_contain_text("没有您可用的账号")
    picture(page, "sign-in-provider-refused")
    page.get_by_role("link", name="使用统一身份认证登录").click()
    page.wait_for_url(f"{settings.oidc.issuer}/interaction/*")  # or nobody else could come in
    at_the_provider(page, "drafter")
    page.wait_for_url(f"{settings.portal.url}/")


def test_an_administrator_unbinds_on_the_persons_page(desk: ReviewDesk, settings: Settings, page: Page) -> None:
    page.goto("/login/provider?next=/account")
    at_the_provider(page, "keeper")
    page.wait_for_url("**/account")
    assert page.context.browser is not None
    context = page.context.browser.new_context(base_url=settings.portal.url, locale="en")
    context.add_cookies([{"name": "footage_desk_language", "value": "en", "url": settings.portal.url}])
    assert context.request.post("/api/login", data={"login": "admin", "password": PASSWORD}).ok
    admin = context.new_page()
    admin.goto("/admin/people/keeper")
    expect(admin.get_by_text("subject-of-keeper")).to_be_visible()
    assert [one["id"] for one in Axe().run(admin).response["violations"]] == []
    picture(admin, "unbind")

    admin.get_by_role("button", name="Unlink identity provider account").click()

    expect(
        admin.get_by_text("The identity provider account was unlinked, and the sessions were ended.")
    ).to_be_visible()
    expect(admin.get_by_text("subject-of-keeper")).to_have_count(0)
    assert desk.all(Identity, person_id="keeper", ended_at=None) == []
    context.close()
    page.reload()
    page.wait_for_url("**/login?next=/account")

"""A passkey in Chromium: added in the account, and a review decided with it after its words were shown (R25)."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from lent_case import offered
from main_job import PortalUser
from playwright.sync_api import Browser, Page, expect
from portal_client import portal_over
from review_desk import PASSWORD, ReviewDesk
from served import served

from services.database.tables.passkeys import Passkey
from services.database.tables.reviews import Decision
from services.domain.accounts.signatures import signed_acts
from services.domain.process.model_library import ModelLibrary
from services.domain.reviews import filing
from services.domain.reviews.classification import Classification
from services.runtime import models
from services.runtime.places import BPMN
from services.runtime.settings import Settings
from services.runtime.spans import Span
from services.verifier.assertions import check_assertion

pytestmark = pytest.mark.requirement("R25")
AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


class Whole:
    """A recorder that has whatever is asked for."""

    async def coverage(self, _channel: str, span: Span) -> list[Span]:
        return [span]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    yield desk
    desk.close()


@pytest.fixture
def browsers(tmp_path: Path, desk: ReviewDesk, browser: Browser) -> Iterator[Callable[[str], Page]]:
    """A person's browser, with an authenticator that knows who is before it, and the passkey that was added there."""
    bpmn = BPMN
    dependencies = {
        "database": desk.database,
        "settings": Settings(data_dir=tmp_path),
        "recorders": lambda *_: Whole(),
        "models": ModelLibrary(models.read(sorted(bpmn.glob("*.bpmn")))),
    }
    app = portal_over(dependencies)
    with served(app) as address:
        # browsers give no passkeys at a bare address
        origin = f"http://localhost:{urlsplit(address).port}"
        app.state.dependencies["settings"] = Settings.load(data_dir=tmp_path, portal={"public_url": origin})
        context = browser.new_context(base_url=origin, viewport={"width": 1100, "height": 1000}, locale="zh-CN")

        def opened(login: str) -> Page:
            assert context.request.post("/api/login", data={"login": login, "password": PASSWORD}).ok
            page = context.new_page()
            devtools = context.new_cdp_session(page)
            devtools.send("WebAuthn.enable")
            devtools.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
            return page

        yield opened
        context.close()


@pytest.fixture
def head(browsers: Callable[[str], Page]) -> Page:
    return browsers("head")


def test_a_review_is_decided_with_a_passkey_after_its_words_were_shown(desk: ReviewDesk, head: Page) -> None:
    said: list[str] = []
    head.on("pageerror", lambda error: said.append(str(error)))
    review_id = desk.opened(desk.submitted(), "preliminary")
    head.goto("/account/passkeys")
    head.fill("[name=name]", "我的手机")
    head.fill("[name=password]", PASSWORD)
    head.get_by_role("button", name="添加", exact=True).click()
    expect(head.locator("table input[name=name]")).to_have_value("我的手机")
    assert desk.the(Passkey).rp_id == "localhost"

    head.goto(f"/reviews/{review_id}")
    expect(head.locator("[name=password]")).to_be_hidden()
    for question in head.locator(".decide .radios").all():
        question.get_by_label("是", exact=True).check()
    head.locator("button[name=outcome]").first.click()
    dialog = head.get_by_role("dialog")
    expect(dialog).to_contain_text("第 1 项")
    expect(dialog.locator(".whole-hash")).to_have_text(sha256_of(dialog.locator("pre").text_content() or ""))
    PortalUser("head", head).well_made()
    assert desk.all(Decision) == []
    dialog.get_by_role("button", name="返回修改").click()
    expect(dialog).to_be_hidden()
    head.locator("button[name=outcome]").first.click()
    dialog.get_by_role("button", name="用通行密钥签字").click()
    head.wait_for_url("**/inbox")

    decision = desk.the(Decision)
    (act,) = desk.run(signed_acts.of_application, decision.application_id)
    assert act.signature["method"] == "passkey"
    assert check_assertion(act.signature["passkey"], decision.statement_sha256).rp_id == "localhost"
    assert said == []


@pytest.mark.requirement("R25", refuses=True)
def test_what_is_refused_is_said_beside_the_signature_and_nothing_typed_is_lost(desk: ReviewDesk, head: Page) -> None:
    review_id = desk.opened(desk.submitted(), "preliminary")
    head.goto("/account/passkeys")
    head.fill("[name=name]", "key")
    head.fill("[name=password]", "wrong")
    head.get_by_role("button", name="添加", exact=True).click()
    expect(head.locator("#add-passkey .refused")).to_contain_text("密码不正确")
    head.fill("[name=password]", PASSWORD)
    head.get_by_role("button", name="添加", exact=True).click()
    expect(head.locator("table input[name=name]")).to_have_value("key")

    head.goto(f"/reviews/{review_id}")
    for question in head.locator(".decide .radios").all():
        question.get_by_label("否", exact=True).check()
    head.locator("button[name=outcome]").first.click()
    expect(head.locator(".signature .refused")).to_contain_text("不能通过")
    assert head.locator(".decide .radios input:checked").count() > 0
    head.get_by_label("用通行密钥签字").uncheck()
    expect(head.locator("[name=password]")).to_be_visible()
    assert desk.all(Decision) == []


def test_a_receipt_is_signed_in_the_one_form_of_two(desk: ReviewDesk, browsers: Callable[[str], Page]) -> None:
    application_id = desk.submitted()
    desk.approved(application_id)
    desk.run(filing.file, application_id, Classification("ordinary", False, False, False, 15))
    _, _, hand_over_id = desk.run(offered, application_id)
    desk.opened(application_id, "receipt", hand_over_id=hand_over_id)
    keeper = browsers("keeper")
    keeper.goto("/account/passkeys")
    keeper.fill("[name=name]", "key")
    keeper.fill("[name=password]", PASSWORD)
    keeper.get_by_role("button", name="添加", exact=True).click()
    expect(keeper.locator("table input[name=name]")).to_have_value("key")

    keeper.goto(f"/hand-overs/{hand_over_id}")
    accept = keeper.locator(f"form[action$='{hand_over_id}/accept']")
    for box in accept.locator("input[type=checkbox]").all():
        box.check()
    accept.locator("button").last.click()
    expect(keeper.get_by_role("dialog")).to_contain_text("归还期限")
    keeper.get_by_role("dialog").get_by_role("button", name="用通行密钥签字").click()
    expect(keeper.locator("#accept")).to_have_count(0)

    assert desk.the(Decision, stage="receipt").signature["method"] == "passkey"


def sha256_of(statement: str) -> str:
    return hashlib.sha256(statement.encode()).hexdigest()

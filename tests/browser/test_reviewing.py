"""Reviewing in Chromium: a refusal stands beside its field, spans are narrowed, and nothing typed is lost."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect
from portal_client import portal_over
from review_desk import PASSWORD, ReviewDesk
from served import served

from services.database.tables.reviews import Decision
from services.domain.process.model_library import ModelLibrary
from services.runtime import models
from services.runtime.places import BPMN
from services.runtime.settings import Settings
from services.runtime.spans import Span

OPINION = "写了很久的理由：请缩短时间段"


class Whole:
    """A recorder that has whatever is asked for."""

    async def coverage(self, _channel: str, span: Span) -> list[Span]:
        return [span]


@dataclass
class Reviewer:
    """Security's reviewer before a review of hers, on a phone."""

    desk: ReviewDesk
    context: BrowserContext
    page: Page

    def answer(self, with_what: str) -> None:
        for question in self.page.locator(".decide .radios:has([name^=answers-])").all():
            question.get_by_label(with_what, exact=True).check()


@pytest.fixture
def reviewer(tmp_path: Path, browser: Browser) -> Iterator[Reviewer]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    review_id = desk.opened(application_id, "security")
    bpmn = BPMN
    dependencies = {
        "database": desk.database,
        "settings": Settings(data_dir=tmp_path),
        "recorders": lambda *_: Whole(),
        "models": ModelLibrary(models.read(sorted(bpmn.glob("*.bpmn")))),
    }
    with served(portal_over(dependencies)) as address:
        context = browser.new_context(base_url=address, viewport={"width": 390, "height": 844})
        assert context.request.post("/api/login", data={"login": "reviewer", "password": PASSWORD}).ok
        reviewer = Reviewer(desk, context, context.new_page())
        reviewer.page.goto(f"/reviews/{review_id}")
        yield reviewer
        context.close()
    desk.close()


def test_what_is_typed_after_the_session_has_ended_is_there_after_signing_in(reviewer: Reviewer) -> None:
    page = reviewer.page
    reviewer.answer("是")
    page.get_by_label("提高等级：敏感事件").check()
    page.fill("[name=reason]", OPINION)
    page.fill("[name=password]", PASSWORD)
    reviewer.context.clear_cookies()

    page.get_by_role("button", name="退回补正").click()
    page.wait_for_url("**/login?next=/reviews/*")
    page.fill("[name=login]", "reviewer")
    page.fill("[name=password]", PASSWORD)
    page.locator("main button").first.click()
    page.wait_for_url("**/reviews/*")

    expect(page.locator("[name=reason]")).to_have_value(OPINION)
    expect(page.get_by_label("提高等级：敏感事件")).to_be_checked()
    assert page.locator(".decide .radios input:checked").count() == page.locator(".decide .radios").count()
    expect(page.locator("[name=password]")).to_have_value("")
    page.reload()
    expect(page.locator("[name=reason]")).to_have_value("")
    assert reviewer.desk.all(Decision, stage="security") == []


def test_a_refusal_is_read_beside_the_field_at_fault_and_goes_with_the_next_act(reviewer: Reviewer) -> None:
    page = reviewer.page
    reviewer.answer("是")
    page.fill("[name=password]", "wrong")
    page.get_by_role("button", name="同意并签字").click()

    beside = page.locator(".field:has([name=password]) .callout.refused")
    expect(beside).to_be_in_viewport()
    expect(beside).to_contain_text("密码不正确")
    expect(page.locator("[name=password]")).to_be_focused()
    page.get_by_role("button", name="English").click()
    page.wait_for_url("**/reviews/*")
    expect(page.get_by_role("button", name="Approve and sign")).to_be_visible()


def test_an_item_that_is_left_out_takes_its_times_off_the_form(reviewer: Reviewer) -> None:
    page = reviewer.page
    start = page.locator("[name=scope-0-start]")
    expect(page.locator(".slider").first).to_be_visible()

    page.locator("[name=scope-0-granted]").uncheck()
    expect(start).to_be_hidden()
    expect(start).to_be_disabled()
    page.locator("[name=scope-0-granted]").check()
    expect(start).to_be_enabled()


def test_one_box_ticks_every_review_of_the_inbox(reviewer: Reviewer) -> None:
    desk, page = reviewer.desk, reviewer.page
    application_id = desk.submitted()
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    desk.opened(application_id, "security")
    page.goto("/inbox")
    boxes, every = page.locator("input[name=reviewIds]"), page.get_by_label("全选", exact=True)

    every.check()
    assert [box.is_checked() for box in boxes.all()] == [True, True]
    boxes.first.uncheck()
    assert (every.is_checked(), boxes.last.is_checked()) == (False, True)

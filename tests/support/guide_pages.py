"""The pages that the designers' guide shows, seen in Chromium by the person who decides the new review."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import tools
from main_job import PATIENCE_MS, SETTLED
from playwright.sync_api import Page, expect, sync_playwright
from served import served

from services.app.container import Container

SIZE = (1180, 720)


def follow(container: Container, login: str, *, stage: str, question: str, pictures: Path | None) -> None:
    """Go from the inbox to the review, its case and its current step, as step 5 of the guide has it.

    ``pictures`` is the folder for inbox.png, review.png and case.png; without it none are taken.
    """
    # In a thread of its own, where the engine's loop cannot be asked.
    with served(replace(container, engine=None).portal()) as address, sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=tools.chromium(), args=["--no-sandbox"], env=tools.chromium_environment("zh")
        )
        width, height = SIZE
        context = chromium.new_context(base_url=address, viewport={"width": width, "height": height}, locale="zh-CN")
        context.add_cookies([{"name": "footage_desk_language", "value": "zh", "url": address}])
        assert context.request.post("/api/login", data={"login": login, "password": f"demo-{login}"}).ok
        _walk(context.new_page(), stage, question, _taker(pictures))
        chromium.close()


def _walk(page: Page, stage: str, question: str, take: Callable[[Page, str], None]) -> None:
    page.set_default_timeout(PATIENCE_MS)
    page.goto("/inbox")
    page.wait_for_function(SETTLED)
    take(page, "inbox")
    page.locator("main", has_text=stage).locator("a[href*='/reviews/']").first.click()
    page.wait_for_url("**/reviews/*")
    page.wait_for_function(SETTLED)
    page.get_by_role("link", name="填写审核结论").click()
    expect(page.get_by_text(question)).to_be_in_viewport(timeout=PATIENCE_MS)
    take(page, "review")
    page.get_by_role("link", name="查看案件").first.click()
    page.wait_for_selector("#diagram .djs-container")
    page.get_by_role("button", name="当前步骤").click()
    page.locator("#diagram text", has_text=stage).first.wait_for()
    page.locator("#process").evaluate("(process) => process.scrollIntoView()")
    for _ in range(3):
        page.get_by_role("button", name="放大").click()
        page.locator("#diagram").press("ArrowLeft")
    take(page, "case")


def _taker(pictures: Path | None) -> Callable[[Page, str], None]:
    def take(page: Page, name: str) -> None:
        if pictures is not None:
            page.screenshot(path=pictures / f"{name}.png")

    return take

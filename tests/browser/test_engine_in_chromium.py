"""The engine in Chromium: counts stand on the diagram, an instance shows where it is, and a retry goes through."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from inspected_engine import with_one_stuck
from playwright.sync_api import Browser, Page, expect
from portal_client import MODELS, portal_over
from review_desk import PASSWORD, ReviewDesk
from served import served

from services.runtime.settings import Settings

PICTURES = os.environ.get("FOOTAGE_DESK_TEST_PICTURES")
VIEWS = [("zh", 1280, 900), ("en", 390, 844)]


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    engine, _keys = with_one_stuck()
    given = {"database": desk.database, "settings": Settings(data_dir=tmp_path), "models": MODELS, "engine": engine}
    with served(portal_over(given)) as address:
        yield address
    desk.close()


@pytest.mark.slow
@pytest.mark.parametrize(("language", "width", "height"), VIEWS, ids=["Chinese at a desk", "English on a phone"])
def test_a_stuck_case_is_found_on_the_diagram_and_goes_on(
    address: str, browser: Browser, language: str, width: int, height: int
) -> None:
    context = browser.new_context(base_url=address, viewport={"width": width, "height": height})
    context.add_cookies([{"name": "footage_desk_language", "value": language, "url": address}])
    assert context.request.post("/api/login", data={"login": "admin", "password": PASSWORD}).ok
    page, complaints = context.new_page(), []
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto("/admin/engine")
    drawn(page)
    badges = page.locator("#diagram .counts")
    expect(badges).to_have_count(1)
    assert badges.locator("b").all_inner_texts() == ["1", "1"]
    page.locator("[data-zoom=here]").click()
    expect(page.locator("#diagram-told")).to_contain_text("登记案件" if language == "zh" else "Open case")
    well_made(page, f"engine-{language}")
    badges.click()
    page.wait_for_url("**/instances?definition=*&element=Task_OpenCase")
    well_made(page, f"engine-instances-{language}")
    page.locator("tr:has(.tag.bad) a").click()
    drawn(page)
    expect(page.locator("#diagram .case-stuck")).to_have_count(1)
    expect(page.locator("#diagram .case-passed").first).to_be_attached()
    page.locator("#variables button").click()
    expect(page.locator("#variables")).to_contain_text("applicationId")
    well_made(page, f"engine-instance-{language}")
    page.locator("form[action$='/retry'] button").click()
    expect(page.locator("#callouts")).to_contain_text("已重试" if language == "zh" else "Retry started")
    expect(page.locator("form[action$='/retry']")).to_have_count(0)

    for path in ("incidents", "jobs"):
        page.goto(f"/admin/engine/{path}")
        well_made(page, f"engine-{path}-{language}")
    assert complaints == []
    context.close()


def drawn(page: Page) -> None:
    """A fold that a phone keeps shut is opened; then the diagram comes."""
    if page.locator(".diagram-box:not([open])").count():
        page.locator(".diagram-box summary").click()
    page.wait_for_selector("#diagram[data-drawn]")


def well_made(page: Page, name: str) -> None:
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == [], page.url
    assert page.evaluate("() => document.documentElement.scrollWidth") <= page.viewport_size["width"]  # type: ignore[index]  # it is set
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)

"""The register in Chromium: filtered by a camera that is searched for and by days of the footage, saved and opened."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, expect
from portal_client import portal_over
from review_desk import NOON, PASSWORD, ReviewDesk
from served import served

from services.database.tables.applications import Application
from services.database.tables.cameras import Camera
from services.database.unit_of_work import UnitOfWork
from services.domain.applications.forms import ItemAsked
from services.domain.process.model_library import ModelLibrary
from services.runtime import models
from services.runtime.places import BPMN
from services.runtime.settings import Settings
from services.web.language import gettext

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
NAMES = {"name_zh": "北门", "name_en": "North gate", "place_zh": "北区", "place_en": "north"}
TITLE = "北门货物丢失"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")

    def add(uow: UnitOfWork) -> None:
        uow.session.add(Camera(id="north", recorder_id="recorder", channel="2", retention_days=3650, **NAMES))

    desk.run(add)
    for title, camera, days in ((TITLE, "north", 2), ("before", "north", 9), ("elsewhere", "camera", 2)):
        start = NOON - timedelta(days=days)
        desk.submitted(title=title, items=(ItemAsked(camera, start, start + timedelta(hours=1), "Asia/Shanghai"),))
    yield desk
    desk.close()


@pytest.fixture
def opened(desk: ReviewDesk, tmp_path: Path, browser: Browser, language: str, device: Any) -> Iterator[BrowserContext]:
    settings, deployed = Settings(data_dir=tmp_path), ModelLibrary(models.read(sorted(BPMN.glob("*.bpmn"))))
    with served(portal_over({"database": desk.database, "settings": settings, "models": deployed})) as address:
        context = browser.new_context(base_url=address, **device)
        context.add_cookies([{"name": "footage_desk_language", "value": language, "url": address}])
        assert context.request.post("/api/login", data={"login": "reviewer", "password": PASSWORD}).ok
        yield context
        context.close()


@pytest.mark.slow
@pytest.mark.requirement("R20", verb="recorded")
@pytest.mark.parametrize("device", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_list_by_camera_and_days_is_saved_and_opened(desk: ReviewDesk, opened: BrowserContext, language: str) -> None:
    page, said = opened.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    number = desk.the(Application, title=TITLE).number or ""
    rows, day = page.locator("tbody tr"), (NOON - timedelta(days=2)).date().isoformat()
    page.goto("/register")
    expect(rows).to_have_count(3)
    wide = page.locator(".wide")
    assert wide.evaluate_all("all => all.every(one => one.scrollWidth <= one.clientWidth)")

    page.fill("[name=footage_since]", day)
    page.fill("[name=footage_until]", day)
    page.locator("#by-camera summary").click()
    page.fill("[name=camera_search]", "北区" if language == "zh" else "north")
    expect(page.locator("#cameras button")).to_have_count(1)
    page.locator("#cameras button").click()

    expect(rows).to_have_count(1)
    shown = rows.first
    for text in (number, TITLE, NAMES[f"name_{language}"], NAMES[f"place_{language}"], day):
        expect(shown).to_contain_text(text)
    expect(page.locator("#by-camera summary")).to_contain_text(NAMES[f"name_{language}"])

    page.locator("#saved summary").click()
    page.locator("#saved [name=name]:visible").last.fill("三月")
    page.get_by_role("button", name=gettext(language, "Save"), exact=True).click()
    expect(page.locator("#callouts")).to_contain_text("三月")
    page.goto("/register")
    page.locator("#saved summary").click()
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    page.get_by_role("link", name="三月").click()
    expect(rows).to_have_count(1)
    expect(page.locator("[name=footage_since]")).to_have_value(day)

    page.locator("#saved summary").click()
    page.get_by_label(gettext(language, "Purpose"), exact=True).last.uncheck()
    page.get_by_role("button", name=gettext(language, "Show these columns")).click()
    expect(rows.first).to_contain_text(number)
    expect(page.locator(f"td[data-label='{gettext(language, 'Purpose')}']")).to_have_count(0)
    assert page.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    assert said == []

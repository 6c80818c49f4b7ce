"""Overview, due dates, statistics and a translated document in Chromium, in both languages, on a desk and a phone."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import reported_rows
from axe_playwright_python.sync_playwright import Axe
from icalendar import Calendar
from lent_case import lend
from playwright.sync_api import Browser, BrowserContext, Page, expect
from portal_client import portal_over
from prepared_desk import prepared_desk
from review_desk import NOON, PASSWORD, ReviewDesk
from served import served

from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.unit_of_work import UnitOfWork
from services.domain.process.model_library import ModelLibrary
from services.domain.supervision import month_keeping, use_reports
from services.runtime import models
from services.runtime.places import BPMN
from services.runtime.settings import Settings
from services.web.language import gettext

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
APRIL = datetime(2031, 4, 2, tzinfo=UTC)


def prepare(desk: ReviewDesk) -> None:
    """A case on loan and two that wait, rows of a quarter, and the report of its last month."""
    lend(desk)
    desk.opened(desk.submitted(), "preliminary")
    desk.run(reported_rows.fill, 60)
    desk.clock.turn(APRIL - NOON)
    desk.run(month_keeping.keep_due)
    desk.run(use_reports.make_due)

    def fall_due(uow: UnitOfWork) -> None:
        """Have a few loans due in the month that is shown."""
        loans = uow.session.query(HandOver).filter(HandOver.returned_at.is_(None), HandOver.ended_at.is_(None))
        for place, loan in enumerate(loans.order_by(HandOver.id)):
            loan.due_at = APRIL.replace(day=1 + place % 24, hour=3)

    desk.run(fall_due)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk, _ = prepared_desk(f"sqlite:///{tmp_path / 'database.sqlite3'}", prepare)
    yield desk
    desk.close()


@pytest.fixture
def opened(desk: ReviewDesk, tmp_path: Path, browser: Browser, language: str, device: Any) -> Iterator[BrowserContext]:
    settings, deployed = Settings(data_dir=tmp_path), ModelLibrary(models.read(sorted(BPMN.glob("*.bpmn"))))
    with served(portal_over({"database": desk.database, "settings": settings, "models": deployed})) as address:
        context = browser.new_context(base_url=address, **device)
        context.add_cookies([{"name": "footage_desk_language", "value": language, "url": address}])
        assert context.request.post("/api/login", data={"login": "security-head", "password": PASSWORD}).ok
        yield context
        context.close()


def looked_at(page: Page, name: str, folder: Path) -> None:
    """Nothing of the page is wider than the screen, and axe finds nothing serious; a picture is left."""
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == [], name
    page.screenshot(path=folder / f"{name}.png", full_page=True)


@pytest.mark.slow
@pytest.mark.parametrize("device", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_what_is_due_and_how_it_went(
    desk: ReviewDesk, opened: BrowserContext, tmp_path: Path, language: str, device: Any
) -> None:
    page, said = opened.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    phone = bool(device.get("is_mobile"))

    page.goto("/")
    tile = page.locator('.tile a[href="/register/copies-out"]')
    number = int(tile.locator("b").inner_text())
    assert number > 3
    looked_at(page, "overview", tmp_path)
    tile.click()
    expect(page.locator("tbody tr")).to_have_count(number)

    page.goto("/due-dates")
    page.get_by_role("link", name=gettext(language, "All that I watch over")).click()
    due = page.locator(".days .due")
    assert due.count() > 3
    expect(due.first).to_be_visible()
    weekdays = page.locator(".weekdays")
    if phone:  # an agenda: only the days with something
        expect(weekdays).to_be_hidden()
        expect(page.locator(".day.free:not(.today)").first).to_be_hidden()
    else:
        expect(weekdays).to_be_visible()
        expect(page.locator(".day:visible")).to_have_count(35)
    looked_at(page, "month", tmp_path)
    page.keyboard.press("ArrowRight")
    expect(page.locator("#period")).to_have_text("2031-05")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#period")).to_have_text("2031-04")
    page.get_by_role("link", name=gettext(language, "Week view")).focus()
    page.keyboard.press("Enter")
    expect(page.locator(".days.week .day")).to_have_count(7)
    looked_at(page, "week", tmp_path)

    page.get_by_role("button", name=gettext(language, "Make an address")).click()
    address = page.locator("#address-made code").inner_text()
    looked_at(page, "address", tmp_path)
    answer = opened.request.get(address[address.index("/due-dates/") :])
    assert answer.ok
    assert Calendar.from_ical(answer.body())["version"] == "2.0"

    page.goto("/supervision/statistics?measure=overdue")
    expect(page.locator("table.trend svg.columns rect").first).to_be_visible()
    looked_at(page, "statistics", tmp_path)
    page.locator("#reports + ul a").first.click()
    expect(page.locator("#trend")).to_be_visible()
    looked_at(page, "report", tmp_path)

    form = desk.all(Document, kind="application-form")[0]
    page.goto(f"/cases/{form.application_id}")
    translated = page.locator(f'a[href="/api/documents/{form.number}/translation/en"]')
    expect(translated).to_have_count(1 if language == "en" else 0)
    page.goto(f"/api/documents/{form.number}/translation/en")
    expect(page.locator(".translation")).to_contain_text("not the signed document")
    expect(page.locator(".translation")).to_contain_text(form.sha256)
    looked_at(page, "translation", tmp_path)
    assert said == []

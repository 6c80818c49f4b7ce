"""Viewing on site in Chromium: begun with checked cards, confirmed by one click, signed by drawing."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from lent_case import Away
from main_job import DESKTOP_ZH, PHONE_EN, Device
from on_site_case import COMPANION, OnSiteDesk, lent_on_site
from playwright.sync_api import Browser, Page, expect
from portal_client import MODELS, portal_over
from prepared_desk import prepared_desk
from review_desk import PASSWORD
from served import served

from services.database.tables.documents import Document
from services.database.tables.sittings import Sitting
from services.runtime.settings import Settings


@pytest.fixture
def loan(tmp_path: Path) -> Iterator[OnSiteDesk]:
    desk, ids = prepared_desk(f"sqlite:///{tmp_path / 'books.db'}", lent_on_site)
    yield OnSiteDesk(desk, ids)
    desk.close()


@pytest.mark.requirement("R41", "R56", "R58")
@pytest.mark.parametrize("device", [DESKTOP_ZH, PHONE_EN], ids=["desktop-zh", "phone-en"])
def test_a_companion_takes_visitors_through_a_viewing(
    loan: OnSiteDesk, browser: Browser, tmp_path: Path, device: Device
) -> None:
    dependencies = {"database": loan.desk.database, "settings": Settings(data_dir=tmp_path), "models": MODELS}
    with served(portal_over({**dependencies, "store": Away(), "loan_keys": Away()})) as address:
        context = browser.new_context(base_url=address, viewport=device.viewport, is_mobile=device.phone)
        context.add_cookies([{"name": "footage_desk_language", "value": device.language, "url": address}])
        assert context.request.post("/api/login", data={"login": COMPANION, "password": PASSWORD}).ok
        page = context.new_page()
        page.goto(f"/hand-overs/{loan.ids['hand_over_id']}")
        page.locator("#sittings .acts a").click()
        for name in ("personIds", "outsiderIds", "checkedIds", "purposeConfirmed"):
            for box in page.locator(f"[name={name}]").all():
                box.check()
        page.locator("main form button").click()
        sitting = loan.desk.the(Sitting)
        expect(page).to_have_url(f"{address}/sittings/{sitting.id}")

        page.wait_for_load_state()
        # one click, and only that part of the page is fetched
        loan.desk.clock.turn(loan.desk.rules.companion_interval / 2)
        with page.expect_response(lambda answer: answer.url.endswith("/presence")) as confirmed:
            page.locator("#presence button").click()
        assert confirmed.value.ok
        expect(page).to_have_url(f"{address}/sittings/{sitting.id}")
        assert loan.desk.the(Sitting).confirmed_at > sitting.confirmed_at

        page.locator("[name=leaves-0-how][value=drawn]").check()
        _draw(page)
        page.fill("[name=password]", PASSWORD)
        page.locator("#end form .acts button").last.click()
        expect(page.locator("#end")).to_have_count(0)
        context.close()
    content = json.loads(loan.desk.the(Document, kind="sitting").content)
    assert [one["how"] for one in content["departure"]["visitors"]] == ["drawn", "sheet", "sheet"]
    assert len(content["departure"]["visitors"][0]["strokes"][0]) > 8


def _draw(page: Page) -> None:
    """A line across the field, as with a pen."""
    field = page.locator("[data-drawn=leaves-0] canvas")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 20, box["y"] + box["height"] - 20, steps=20)
    page.mouse.up()

"""Where is that camera? Plans are drawn up by mouse and keys, and cameras are found on them, on a desk and a phone."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import pytest
from axe_playwright_python.sync_playwright import Axe
from photographs import encoded_frame
from playwright.sync_api import Browser, BrowserContext, Page, expect
from portal_client import portal_over
from review_desk import PASSWORD, ReviewDesk
from served import served

from services.database.tables.cameras import Camera, CameraPin, FavouriteCamera, FloorPlan
from services.domain.process.model_library import ModelLibrary
from services.domain.storage import sites
from services.domain.storage.schemas import SiteBody
from services.recorders.protocol import ListedCamera, RecorderDown
from services.runtime import models
from services.runtime.places import BPMN
from services.runtime.settings import Settings
from services.runtime.spans import Span

pytestmark = pytest.mark.slow

DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


class Lister:
    """A recorder that holds everything and lists its cameras, or answers with a page."""

    wrong = False

    async def coverage(self, _channel: str, span: Span) -> list[Span]:
        return [span]

    async def list_cameras(self) -> list[ListedCamera]:
        if self.wrong:
            raise RecorderDown("a page", "not-a-recorder")
        return [ListedCamera("21", "West gate"), ListedCamera("22", "<b>Hall</b>")]


@dataclass
class Portal:
    desk: ReviewDesk
    browser: Browser
    address: str
    recorder: Lister
    contexts: list[BrowserContext] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def opened(self, login: str, language: str, size: dict[str, int]) -> Page:
        context = self.browser.new_context(base_url=self.address, viewport=size, has_touch=size == PHONE)
        self.contexts.append(context)
        assert context.request.post("/api/login", data={"login": login, "password": PASSWORD}).ok
        context.add_cookies([{"name": "footage_desk_language", "value": language, "url": self.address}])
        page = context.new_page()
        page.on("console", lambda message: self.said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: self.said.append(str(error)))
        return page

    def signed_out(self) -> None:
        while self.contexts:
            self.contexts.pop().close()


@pytest.fixture
def portal(tmp_path: Path, browser: Browser) -> Iterator[Portal]:
    desk, recorder = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}"), Lister()
    desk.run(lambda uow: sites.add(uow, SiteBody(name="东区 East", address="东路 1 号", uses=["viewing"])), by="admin")
    dependencies = {
        "database": desk.database,
        "settings": Settings(data_dir=tmp_path),
        "recorders": lambda *_: recorder,
        "models": ModelLibrary(models.read(sorted(BPMN.glob("*.bpmn")))),
    }
    with served(portal_over(dependencies)) as address:
        opened = Portal(desk, browser, address, recorder)
        yield opened
        opened.signed_out()
    desk.close()


def drawing() -> bytes:
    """The outer walls of a floor, and those of two rooms."""
    width, height = 1200, 700
    walls = ((20, 20, 1180, 680), (20, 20, 420, 300), (760, 380, 1180, 680))
    rows = [bytearray(b"\xff" * width * 3) for _ in range(height)]
    for left, top, right, bottom in walls:
        for y in range(top, bottom):
            edge = y < top + 6 or y >= bottom - 6
            parts = [(left, right)] if edge else [(left, left + 6), (right - 6, right)]
            for begin, end in parts:
                rows[y][begin * 3 : end * 3] = b"\x40" * ((end - begin) * 3)
    frame = av.VideoFrame(width, height, "rgb24")
    [plane] = frame.planes
    plane.update(b"".join(bytes(row).ljust(plane.line_size, b"\0") for row in rows))
    return encoded_frame("png", frame)


def look(page: Page) -> None:
    """Nothing is wrong for those who cannot see, and the page is no wider than the screen."""
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def middle(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


@pytest.mark.requirement("R7", "R20")
def test_a_plan_is_drawn_up_and_a_camera_is_chosen_on_it(portal: Portal, tmp_path: Path) -> None:
    page = portal.opened("admin", "zh", DESK)
    page.goto("/admin/plans/new")
    page.get_by_label("厂区").select_option("东区 East")
    page.get_by_label("中文楼栋").fill("三号楼")
    page.get_by_label("中文楼层").fill("二层")
    page.get_by_label("英文楼层").fill("Floor 2")
    look(page)
    page.get_by_role("button", name="添加").click()
    (tmp_path / "plan.png").write_bytes(drawing())
    page.set_input_files("[name=file]", tmp_path / "plan.png")
    page.get_by_role("button", name="上传平面图").click()
    expect(page.locator(".plan")).to_be_visible()
    page.get_by_label("名称、地点、通道或录像机").fill("大门")
    page.get_by_role("button", name="查找").click()
    page.get_by_role("button", name="标注 大门").click()

    pin = page.get_by_role("button", name="1 大门")
    expect(pin).to_be_focused()  # it was placed just now: the keys move it
    pin.press("ArrowRight")
    pin.press("Shift+ArrowDown")
    expect(page.locator("[data-x=camera]")).to_have_value("50.5")
    expect(page.locator("[data-y=camera]")).to_have_value("55")
    sheet = page.locator(".plan-sheet").bounding_box()
    assert sheet is not None
    page.mouse.move(*middle(page, "[data-pin]"))
    page.mouse.down()
    page.mouse.move(sheet["x"] + sheet["width"] / 4, sheet["y"] + sheet["height"] / 2, steps=4)
    page.mouse.up()
    expect(page.get_by_text("尚未保存")).to_be_visible()
    look(page)
    page.get_by_role("button", name="保存位置").last.click()
    expect(page.locator("[data-x=camera]")).to_have_value("25.0")
    stored = portal.desk.the(CameraPin)
    assert (stored.x, stored.y) == (250, 500)
    x, y = middle(page, "[data-pin]")
    sheet = page.locator(".plan-sheet").bounding_box()
    assert sheet is not None
    assert abs(x - sheet["x"] - sheet["width"] / 4) < 2
    assert abs(y - sheet["y"] - sheet["height"] / 2) < 2
    page.set_viewport_size(PHONE)
    look(page)
    portal.signed_out()

    phone = portal.opened("drafter", "en", PHONE)
    phone.goto("/apply")
    phone.get_by_label("Floor plan").select_option(label="东区 East · 三号楼 · Floor 2")
    look(phone)
    # who only looks has no draft of it
    expect(phone.locator("#saved")).to_contain_text("Your input is saved automatically.")
    phone.locator("#cameras .star").click()
    expect(phone.locator("#cameras .star")).to_have_attribute("aria-pressed", "true")
    expect(phone.locator(".plan")).to_be_visible()  # the plan stays after the star
    phone.get_by_label("Enlarge the plan").check()
    assert phone.evaluate("document.documentElement.scrollWidth <= innerWidth")
    phone.get_by_role("button", name="1 gate").first.tap()
    expect(phone.locator(".chosen")).to_contain_text("gate")
    assert portal.desk.the(FavouriteCamera).person_id == "drafter"

    phone.goto("/cameras?mine=true")
    expect(phone.locator(".camera-card")).to_have_count(1)
    look(phone)
    phone.get_by_role("link", name="三号楼 · Floor 2").click()
    sheet = phone.locator(".plan-sheet").bounding_box()
    assert sheet is not None
    assert abs(middle(phone, ".pin")[0] - sheet["x"] - sheet["width"] / 4) < 2
    phone.locator(".pin").tap()
    expect(phone.locator("#camera-camera")).to_be_in_viewport()
    look(phone)
    phone.set_viewport_size(DESK)
    phone.get_by_role("link", name="Apply for footage gate").click()
    expect(phone.locator(".chosen")).to_be_visible()
    assert portal.said == []
    assert portal.desk.the(FloorPlan).width == 1200


@pytest.mark.requirement("R7")
def test_what_a_recorder_lists_is_registered_by_a_persons_words(portal: Portal) -> None:
    page = portal.opened("admin", "en", DESK)
    page.goto("/admin/recorders/recorder")
    page.get_by_role("link", name="Compare with the recorder").click()
    portal.recorder.wrong = True
    page.get_by_role("button", name="Ask the recorder").click()
    expect(page.get_by_role("status").first).to_contain_text("not from a recorder of this type")
    portal.recorder.wrong = False
    page.get_by_role("button", name="Ask").click()
    expect(page.locator(".listed tbody tr")).to_have_count(2)
    expect(page.get_by_text("No longer on the recorder")).to_be_visible()  # the desk's own camera
    look(page)
    page.get_by_label("21", exact=True).check()
    page.get_by_label("Chinese name: 21").fill("西门")
    expect(page.locator("[name=siteId], [name=cameraClass]")).to_have_count(2)
    assert [page.input_value(f"[name={name}]") for name in ("siteId", "cameraClass")] == ["", ""]  # a person's choice
    page.get_by_label("Site").select_option("东区 East")
    page.locator("[name=cameraClass]").select_option("sensitive")
    page.get_by_label("Retention on the recorder (days)").fill("0")
    page.get_by_role("button", name="Register cameras").click()
    expect(page.locator("#refusal")).to_be_visible()
    expect(page.get_by_label("Chinese name: 21")).to_have_value("西门")
    page.get_by_label("Retention on the recorder (days)").fill("45")
    page.locator("[name=placeZh]").fill("西侧")
    page.locator("[name=placeEn]").fill("West side")
    page.set_viewport_size(PHONE)
    look(page)
    page.get_by_role("button", name="Register cameras").click()
    expect(page.get_by_text("1 camera was registered")).to_be_visible()
    camera = portal.desk.the(Camera, channel="21")
    assert (camera.name_zh, camera.name_en, camera.camera_class, camera.place_zh) == (
        "西门",
        "West gate",
        "sensitive",
        "西侧",
    )
    assert camera.site_id is not None
    assert [one for one in portal.said if "422" not in one] == []  # the browser names the refusal

"""Applying in Chromium: three fields are typed, the bar and the list of what is missing follow, nothing is lost."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote_plus

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from portal_client import portal_over
from review_desk import PASSWORD, ReviewDesk
from served import served

from services.database.tables.applications import Application
from services.database.tables.cameras import Camera, Recorder
from services.database.unit_of_work import UnitOfWork
from services.domain.process.model_library import ModelLibrary
from services.runtime import models
from services.runtime.places import BPMN
from services.runtime.settings import Settings
from services.runtime.spans import Span

pytestmark = pytest.mark.slow

REASON = "昨天上午三号门叉车与货架相撞，需要确认经过"


class Half:
    """A recorder that has the first half of whatever is asked for."""

    async def coverage(self, _channel: str, span: Span) -> list[Span]:
        return [Span(span.start, span.start + span.duration / 2)]


@dataclass
class Drafter:
    """A drafter before the empty form; ``said`` is what the browser complained of."""

    desk: ReviewDesk
    context: BrowserContext
    page: Page
    said: list[str] = field(default_factory=list)

    def choose_footage(self) -> None:
        self.page.locator(".cameras .choice").first.click()
        expect(self.page.locator(".chosen")).to_be_visible()
        with self.page.expect_response("**/apply/save"):
            self.page.fill("[name=items-0-start]", "2031-03-04T10:00:00")
            self.page.locator("[name=items-0-start]").dispatch_event("change")
        expect(self.page.locator(".held .bar")).to_be_visible()

    def saved(self) -> None:
        expect(self.page.locator("#saved")).to_contain_text("已保存")


def _berlin(uow: UnitOfWork) -> None:
    uow.session.add(Recorder(id="away", name="B", site="Werk", kind="folder", configuration={}, zone="Europe/Berlin"))
    uow.session.flush()
    names = {"name_zh": "柏林大门", "name_en": "Berlin gate", "place_zh": "门口", "place_en": "entrance"}
    uow.session.add(Camera(id="berlin", recorder_id="away", channel="1", retention_days=3650, **names))


@pytest.fixture
def drafter(tmp_path: Path, browser: Browser) -> Iterator[Drafter]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    settings, bpmn = Settings(data_dir=tmp_path), BPMN
    dependencies = {
        "database": desk.database,
        "settings": settings,
        "recorders": lambda *_: Half(),
        "models": ModelLibrary(models.read(sorted(bpmn.glob("*.bpmn")))),
    }
    with served(portal_over(dependencies)) as address:
        context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 900})
        assert context.request.post("/api/login", data={"login": "drafter", "password": PASSWORD}).ok
        drafter = Drafter(desk, context, context.new_page())
        drafter.page.on("console", lambda message: drafter.said.append(f"{message.type}: {message.text}"))
        drafter.page.on("pageerror", lambda error: drafter.said.append(str(error)))
        drafter.page.goto("/apply")
        yield drafter
        context.close()
    desk.close()


@pytest.mark.requirement("R16", "R20", "R22")
def test_a_form_is_handed_in_with_three_fields_typed_and_two_clicks(drafter: Drafter) -> None:
    page = drafter.page
    assert "尚缺内容" in page.locator("#missing").inner_text()

    drafter.choose_footage()
    page.get_by_label("事故调查").check()
    page.fill("[name=reason]", REASON)
    page.fill("[name=purpose]", "查明事故的原因与责任")

    expect(page.locator("#missing")).to_contain_text("内容完整")
    expect(page.locator(".held")).to_contain_text("50.0%")
    assert page.input_value("[name=items-0-end]").startswith("2031-03-04T10:10")
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    page.get_by_role("button", name="核对并提交").click()
    page.get_by_role("button", name="提交", exact=True).click()
    page.wait_for_url("**/cases/*")
    assert drafter.desk.the(Application).reason == REASON
    assert drafter.said == []


def test_a_camera_is_found_by_what_is_typed(drafter: Drafter) -> None:
    page = drafter.page

    page.fill("#camera-search", "一层")
    expect(page.locator(".cameras .choice")).to_have_count(1)
    page.fill("#camera-search", "停车场")
    expect(page.locator(".cameras")).to_contain_text("没有")
    page.fill("#camera-search", "大门")
    page.locator(".cameras .choice").first.click()

    expect(page.locator(".chosen")).to_contain_text("大门")


@pytest.mark.requirement("R21", "R57")
def test_who_else_sees_it_is_added_and_taken_off_while_the_rest_stays(drafter: Drafter) -> None:
    page = drafter.page
    drafter.choose_footage()
    page.fill("[name=reason]", REASON)
    who = page.get_by_role("group", name="知悉人员")

    who.get_by_label("添加人员").fill("deputy")
    expect(who.get_by_role("button", name="deputy")).to_have_count(2)  # of works and of security
    found = Axe().run(page).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []
    who.get_by_role("button", name="deputy works").click()
    expect(who.get_by_label("deputy")).to_be_checked()
    expect(page.locator("[name=reason]")).to_have_value(REASON)

    expect(who.get_by_label("添加人员")).to_be_focused()
    who.get_by_label("deputy").uncheck()
    page.keyboard.press("Shift+Tab")
    who.get_by_label("添加人员").fill("works")
    expect(who.get_by_role("button", name="head works")).to_be_visible()
    who.get_by_label("添加人员").press("Enter")  # leads to the first, as there are several
    who.get_by_role("button", name="head works").press("Enter")
    expect(who.get_by_label("head")).to_be_checked()
    expect(who.get_by_label("deputy")).to_have_count(0)
    assert drafter.desk.the(Application).recipient_ids == ["head"]


@pytest.mark.requirement("R20")
def test_saving_and_a_button_at_once_are_no_conflict(drafter: Drafter) -> None:
    page, held, statuses = drafter.page, list[Route](), list[int]()
    drafter.choose_footage()
    page.route("**/apply/save", lambda route: held.append(route))  # noqa: PLW0108  it wants a function
    page.on("response", lambda answer: statuses.append(answer.status))
    with page.expect_request("**/apply/save"):
        page.fill("[name=reason]", REASON)

    page.get_by_role("button", name="添加同一时间的另一个摄像头").click()
    page.fill("[name=purpose]", "查明事故的原因与责任")  # the focus leaves the button, which waits for the saving
    with page.expect_response("**/apply/save"):
        held[0].continue_()

    expect(page.locator(".item")).to_have_count(2)
    expect(page.locator("[name=reason]")).to_have_value(REASON)
    expect(page.locator("[name=purpose]")).to_have_value("查明事故的原因与责任")
    assert set(statuses) == {200}
    assert drafter.said == []


@pytest.mark.requirement("R20")
def test_nothing_is_saved_beside_a_button_that_is_under_way(drafter: Drafter) -> None:
    page, held, saves = drafter.page, list[Route](), list[str]()
    drafter.choose_footage()
    page.clock.install()
    page.route("**/apply", lambda route: held.append(route))  # noqa: PLW0108  it wants a function
    page.on("request", lambda request: saves.append(request.url) if request.url.endswith("/apply/save") else None)
    with page.expect_request("**/apply"):
        page.get_by_role("button", name="添加同一时间的另一个摄像头").click()

    page.locator("[name=reason]").press_sequentially("昨")
    page.clock.run_for(3000)
    assert saves == []
    with page.expect_response("**/apply"):
        held[0].continue_()
    page.clock.run_for(1000)

    expect(page.locator(".item")).to_have_count(2)
    page.fill("[name=reason]", REASON)
    with page.expect_response("**/apply/save") as saved:
        page.clock.run_for(3000)
    assert saved.value.status == 200
    assert drafter.said == []


@pytest.mark.requirement("R20")
def test_what_is_typed_while_a_button_is_under_way_stays_and_is_saved(drafter: Drafter) -> None:
    page, held = drafter.page, list[Route]()
    page.route("**/apply", lambda route: held.append(route))  # noqa: PLW0108  it wants a function
    with page.expect_request("**/apply"):
        page.locator(".cameras .choice").first.click()

    page.fill("[name=title]", "三号门碰撞")
    page.fill("[name=reason]", REASON)
    page.get_by_label("事故调查").check()
    with page.expect_response("**/apply/save"):
        held[0].continue_()

    expect(page.locator(".chosen")).to_be_visible()
    expect(page.locator("[name=title]")).to_have_value("三号门碰撞")
    expect(page.locator("[name=reason]")).to_have_value(REASON)
    expect(page.get_by_label("事故调查")).to_be_checked()
    drafter.saved()
    assert drafter.desk.the(Application).title == "三号门碰撞"
    assert drafter.said == []


def test_which_of_two_times_is_meant_is_asked_while_one_types(drafter: Drafter) -> None:
    page = drafter.page
    drafter.desk.run(_berlin)
    page.reload()
    page.locator(".cameras .choice", has_text="柏林").click()
    expect(page.locator("#zone-0")).to_contain_text("Europe/Berlin")
    page.fill("[name=items-0-start]", "2030-10-27T02:30:00")
    page.fill("[name=items-0-end]", "2030-10-27T04:00:00")
    page.locator("[name=items-0-end]").dispatch_event("change")

    expect(page.get_by_label("第二次")).to_have_count(1)  # of the start alone, once the page was told of the end
    page.get_by_label("第二次").check()

    expect(page.get_by_label("第二次")).to_be_checked()
    expect(page.get_by_label("第二次")).to_be_focused()
    expect(page.locator("#held-0")).to_contain_text("1 小时 30 分钟")
    page.fill("[name=items-0-start]", "2030-10-27T01:30:00")
    page.locator("[name=items-0-start]").dispatch_event("change")
    expect(page.get_by_label("第二次")).to_have_count(0)


def test_what_is_typed_after_the_session_has_ended_is_there_after_signing_in(drafter: Drafter) -> None:
    page = drafter.page
    drafter.choose_footage()
    drafter.saved()
    drafter.context.clear_cookies()

    page.fill("[name=reason]", REASON)
    page.wait_for_url("**/login?next=*")
    page.fill("[name=login]", "drafter")
    page.fill("[name=password]", PASSWORD)
    # The draft was saved before, and says so until this is saved too.
    with page.expect_response(lambda answer: REASON in unquote_plus(answer.request.post_data or "")):
        page.locator("main button").first.click()

    expect(page.locator("[name=reason]")).to_have_value(REASON)
    drafter.saved()
    page.reload()
    expect(page.locator("[name=reason]")).to_have_value(REASON)


def test_two_tabs_are_told_of_each_other_and_either_can_be_kept(drafter: Drafter) -> None:
    page = drafter.page
    drafter.choose_footage()
    drafter.saved()
    other = drafter.context.new_page()
    other.goto(page.url)
    before = other.evaluate("() => Number(version.value)")
    other.fill("[name=reason]", "另一页写下的事由内容")
    expect(other.locator("#saved")).to_contain_text("已保存")
    other.wait_for_function("before => Number(version.value) > before", arg=before)

    page.fill("[name=reason]", REASON)
    expect(page.locator("#saved")).to_contain_text("已在别处修改")
    page.get_by_role("button", name="保留本页内容").click()

    drafter.saved()
    other.reload()
    expect(other.locator("[name=reason]")).to_have_value(REASON)


def test_it_fits_a_phone(drafter: Drafter) -> None:
    page = drafter.page
    page.set_viewport_size({"width": 390, "height": 844})

    drafter.choose_footage()

    assert page.evaluate("() => document.documentElement.scrollWidth") == 390


def test_the_keyboard_goes_on_where_a_button_of_the_form_led(drafter: Drafter) -> None:
    page = drafter.page
    page.fill("#camera-search", "大门")
    expect(page.locator("#cameras .choice")).to_have_count(1)
    page.keyboard.press("Enter")

    expect(page.locator("[name=items-0-start]")).to_be_focused()
    page.get_by_role("button", name="添加同一时间的另一个摄像头").click()
    expect(page.locator("#camera-search")).to_be_focused()

"""What an administrator sets up by hand: a list of people as CSV, and the robot of a chat group, in Chromium."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from axe_playwright_python.sync_playwright import Axe
from notice_servers import Answer, Site, web_server
from playwright.sync_api import Browser, BrowserContext, FilePayload, Locator, Page, expect
from portal_client import portal_over
from review_desk import PASSWORD, ReviewDesk
from served import served

from services.database.tables.audit import AuditEvent
from services.database.tables.change_requests import ChangeRequest
from services.database.tables.notice_robots import NoticeRobot
from services.database.tables.people import Department, Person
from services.domain.notifications.channels.errors import ERRORS
from services.domain.notifications.channels.robots import Robots
from services.domain.notifications.channels.sender import Sender
from services.domain.process.model_library import ModelLibrary
from services.runtime import models
from services.runtime.places import BPMN
from services.runtime.settings import Settings
from services.web.language import gettext

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
LOOPBACK = "127.0.0.0/8"
TOKEN, SECRET = "TOKEN-1234", "SECsecret"
GROUP, TEST = "安保群", "This is a test notice."
HEAD = "login,name,department,email,language\n"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.parametrize(("language", "device"), [("zh", DESK), ("en", PHONE)], ids=["zh-desk", "en-phone"]),
]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    yield desk
    desk.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    portal = {"public_url": "https://footage.example"}
    return Settings.load(data_dir=tmp_path, allowed_networks=LOOPBACK, portal=portal)


@pytest.fixture
def opened(
    desk: ReviewDesk, settings: Settings, browser: Browser, language: str, device: Any
) -> Iterator[BrowserContext]:
    deployed = ModelLibrary(models.read(sorted(BPMN.glob("*.bpmn"))))
    with served(portal_over({"database": desk.database, "settings": settings, "models": deployed})) as address:
        context = browser.new_context(base_url=address, **device)
        context.add_cookies([{"name": "footage_desk_language", "value": language, "url": address}])
        assert context.request.post("/api/login", data={"login": "admin", "password": PASSWORD}).ok
        yield context
        context.close()


def look(page: Page) -> None:
    """The page fits its screen and is accessible."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), page.url
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], page.url


def listed(*lines: str) -> FilePayload:
    return {"name": "people.csv", "mimeType": "text/csv", "buffer": (HEAD + "\n".join(lines) + "\n").encode()}


@pytest.mark.requirement("R2", refuses=True)
def test_a_list_of_people_is_checked_refused_for_one_wrong_line_and_taken_over(
    desk: ReviewDesk, opened: BrowserContext, language: str
) -> None:
    page, said = opened.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    place = desk.the(Department, id=desk.the(Person, id="drafter").department_id).name_zh
    known = desk.the(Person, id="drafter")
    right = (f"new.one,新来的人,{place},new@footage.example,en", f"{known.login},改名,{place},,{known.locale}")
    wrong = listed(*right, f"lost.one,某人,不存在的部门,,{language}")

    def give(file: FilePayload, button: str) -> None:
        page.locator("[name=file]").set_input_files(file)
        page.get_by_role("button", name=gettext(language, button), exact=True).click()

    page.goto("/admin/people")
    page.get_by_role("link", name=gettext(language, "Import a list of people")).click()
    look(page)
    for button in ("Check", "Import list"):
        give(wrong, button)
        expect(page.get_by_role("alert")).to_be_visible()
        if button == "Check":
            expect(page.locator("tbody tr")).to_have_count(1)
            expect(page.locator("tbody tr th")).to_have_text("4")
            expect(page.locator("tbody tr td")).to_contain_text("不存在的部门")
        else:
            expect(page.get_by_role("alert")).to_contain_text("4")
        look(page)
        assert desk.all(Person, login="new.one") == []
    assert desk.the(Person, id="drafter").name == known.name

    give(listed(*right), "Check")
    expect(page.get_by_role("status")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(2)
    expect(page.locator("tbody tr").last).to_contain_text("改名")
    look(page)
    assert desk.all(Person, login="new.one") == []

    give(listed(*right), "Import list")
    expect(page.locator("tbody tr")).to_have_count(1)
    password = page.locator("tbody tr code").last.inner_text()
    look(page)
    assert desk.the(Person, login="new.one").must_change_password
    assert desk.the(Person, id="drafter").name == "改名"
    assert desk.all(ChangeRequest) == []
    # the password is shown once, and lets the new person in
    page.goto("/admin/people?text=new.one")
    expect(page.locator("tbody tr")).to_have_count(1)
    assert password not in page.content()
    assert opened.request.post("/api/login", data={"login": "new.one", "password": password}).ok
    assert [text for text in said if "422" not in text] == []


@dataclass(frozen=True)
class Group:
    """The service's stand-in on the loopback, which has ``calls``, and the sender that a portal runs."""

    desk: ReviewDesk
    loop: BlockingPortal
    site: Site
    port: int
    sender: Sender

    def send(self) -> None:
        """All that waits goes out, at the pace that the service bears."""
        while self.loop.call(self.sender.send_by_robots):
            self.desk.clock.turn(timedelta(minutes=1))


@pytest.fixture
def group(desk: ReviewDesk, settings: Settings) -> Iterator[Group]:
    site = Site(answer=answers({"errcode": 0, "errmsg": "ok"}))
    with start_blocking_portal() as loop, loop.wrap_async_context_manager(web_server(site)) as port:
        yield Group(desk, loop, site, port, Sender(desk.database, {}, Robots(settings).send))


def answers(content: dict[str, Any]) -> Answer:
    body = json.dumps(content).encode()

    async def answer(writer: Any) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        await writer.drain()

    return answer


@pytest.mark.requirement("R30")
def test_an_administrator_adds_tests_and_ends_the_robot_of_a_chat_group(
    desk: ReviewDesk, opened: BrowserContext, group: Group, language: str
) -> None:
    page, said, site = opened.new_page(), list[str](), group.site
    page.on("console", lambda message: said.append(message.text))

    def fill(address: str, secret: str) -> None:
        page.locator("[name=kind][value=dingtalk]").check()
        page.fill("[name=name]", GROUP)
        page.locator("select[name=language]").select_option(language)
        page.fill("[name=webhook]", address)
        page.fill("[name=secret]", secret)
        page.get_by_role("button", name=gettext(language, "Add the robot"), exact=True).click()

    def act(name: str) -> Locator:
        return page.get_by_role("button", name=re.compile(rf"^{gettext(language, name)}\s*: {GROUP}$"))

    page.goto("/admin/notices")
    page.get_by_role("link", name=gettext(language, "Chat groups")).click()
    look(page)
    # another address than a robot of the service has, and one of a cloud inside that is not listed
    for address in (
        f"http://127.0.0.1:{group.port}/robot/send",
        f"http://169.254.169.254/robot/send?access_token={TOKEN}",
    ):
        fill(address, SECRET)
        expect(page.get_by_role("alert")).to_be_visible()
        expect(page.locator("[name=name]")).to_have_value(GROUP)
        assert all(hidden not in page.content() for hidden in (TOKEN, SECRET))
        look(page)
    assert desk.all(NoticeRobot) == []

    fill(f"http://127.0.0.1:{group.port}/robot/send?access_token={TOKEN}", SECRET)
    expect(page.get_by_role("status")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(1)
    assert all(hidden not in page.content() for hidden in (TOKEN, SECRET))
    look(page)
    group.send()
    before = len(site.calls)

    act("Send a test").click()
    page.wait_for_url("**/admin/notices?state=delivered")
    group.send()
    assert len(site.calls) == before + 1
    assert f"access_token={TOKEN}" in site.calls[-1].line
    assert "sign=" in site.calls[-1].line
    page.reload()
    expect(page.locator("tbody tr").first).to_contain_text(gettext(language, TEST))
    look(page)

    # the group's owner has removed the robot: the page of what is not delivered says so
    site.answer = answers({"errcode": 300001, "errmsg": "token is not exist"})
    page.goto("/admin/notices/robots")
    act("Send a test").click()
    page.wait_for_url("**/admin/notices?state=delivered")
    group.send()
    page.goto("/admin/notices?state=open")  # it is given up
    expect(page.locator("tbody tr")).to_have_count(1)
    expect(page.locator("tbody tr")).to_contain_text(getattr(ERRORS["robot-gone"], language))
    look(page)

    site.answer = answers({"errcode": 0, "errmsg": "ok"})
    page.goto("/admin/notices/robots")
    before = len(site.calls)
    act("End the robot").click()
    expect(page.get_by_role("status")).to_be_visible()
    expect(page.locator("tbody tr")).to_have_count(0)
    look(page)
    group.send()
    assert len(site.calls) > before  # the group is told
    after = len(site.calls)
    desk.offered(desk.submitted())
    group.send()
    assert len(site.calls) == after
    assert not any(hidden in event.entry for event in desk.all(AuditEvent) for hidden in (TOKEN, SECRET))
    assert [text for text in said if "422" not in text and "409" not in text] == []

"""People from the directory, who leaves with copies out, posts and substitutes, and the mail server, in Chromium."""

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import manual_pictures
import pytest
from anyio.from_thread import start_blocking_portal
from axe_playwright_python.sync_playwright import Axe
from ldap_server import PASSWORD as DIRECTORY_PASSWORD
from ldap_server import READER, Tree, ldap_server
from notice_servers import Post, certificate, mail_server
from playwright.sync_api import Browser, BrowserContext, Page, expect
from portal_client import portal_over
from review_desk import NOON, PASSWORD, ReviewDesk
from served import served

from services.database.tables.people import Absence, Department, Person
from services.database.tables.staffing import DirectoryPerson, Leaving
from services.database.unit_of_work import UnitOfWork
from services.domain.process.model_library import ModelLibrary
from services.domain.staffing import leaving
from services.runtime import models
from services.runtime.places import BPMN
from services.runtime.settings import Settings
from services.web.language import gettext

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")

    def act(uow: UnitOfWork) -> None:
        for person in uow.session.query(Person):
            person.email = f"{person.id}@footage.example"
        for person_id, first, last in (("head", 2, 6), ("deputy", 3, 5), ("supervisor", 1, 4)):
            since, until = NOON + timedelta(days=first), NOON + timedelta(days=last)
            uow.session.add(Absence(person_id=person_id, since=since, until=until))
        # both were taken over before; the keeper is missing now
        for person_id in ("drafter", "keeper"):
            uow.session.add(DirectoryPerson(person_id=person_id, entry_id=f"id-{person_id}", linked_at=uow.now))

    desk.run(act)
    desk.offered(desk.submitted(), accepted_at=desk.clock.now())
    yield desk
    desk.close()


@pytest.fixture
def mail_port() -> Iterator[int]:
    post = Post(answer="250 2.0.0 Ok: queued as 4Yz1")
    with start_blocking_portal() as loop, loop.wrap_async_context_manager(mail_server(post)) as port:
        yield port


@pytest.fixture
def opened(desk: ReviewDesk, tmp_path: Path, browser: Browser, language: str, device: Any) -> Iterator[BrowserContext]:
    place = desk.the(Department, id="works").name_zh
    people = {"drafter": "改名", "new.one": "新来的人", "lost": "无部门"}
    tree = Tree(
        {
            f"uid={login},ou=people,dc=example": {
                "entryUUID": f"id-{login}",
                "uid": login,
                "cn": name,
                "ou": "不存在的部门" if login == "lost" else place,
                "mail": f"{login}@footage.example",
            }
            for login, name in people.items()
        }
    )
    made = certificate(tmp_path)
    with ldap_server(tree, made.context) as port:
        directory = {"host": "localhost", "port": port, "base": tree.base, "ca_file": made.authority}
        directory |= {"bind_dn": READER, "bind_password": DIRECTORY_PASSWORD, "most_leaving_percent": 40}
        settings = Settings.load(data_dir=tmp_path, directory=directory, allowed_networks="127.0.0.0/8")
        deployed = ModelLibrary(models.read(sorted(BPMN.glob("*.bpmn"))))
        with served(portal_over({"database": desk.database, "settings": settings, "models": deployed})) as address:
            context = browser.new_context(base_url=address, **device)
            context.add_cookies([{"name": "footage_desk_language", "value": language, "url": address}])
            assert context.request.post("/api/login", data={"login": "admin", "password": PASSWORD}).ok
            yield context
            context.close()


def look(page: Page, name: str) -> None:
    """The page fits its screen and is accessible; a picture of it where pictures are wanted."""
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), name
    found = Axe().run(page).response["violations"]
    assert [(one["id"], one["nodes"][0]["html"]) for one in found] == [], name
    if folder := os.environ.get("FOOTAGE_DESK_TEST_PICTURES"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


@pytest.mark.slow
@pytest.mark.requirement("R46", verb="recorded")
@pytest.mark.parametrize("device", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("language", ["zh", "en"])
def test_people_come_from_the_directory_and_leave_after_the_transfer(
    desk: ReviewDesk, opened: BrowserContext, mail_port: int, language: str, device: Any
) -> None:
    page, said = opened.new_page(), list[str]()
    page.on("console", lambda message: said.append(message.text))
    suffix = f"{language}-{'phone' if device is PHONE else 'desk'}"

    def press(label: str) -> None:
        page.get_by_role("button", name=gettext(language, label), exact=True).click()

    page.goto("/admin/people")
    page.get_by_role("link", name=gettext(language, "From the directory")).click()
    press("Test the connection")
    expect(page.get_by_role("status")).to_contain_text("TLS")
    press("Check what would change")
    expect(page.locator("tbody").first.locator("tr")).to_have_count(2)
    # a department that is not here, and somebody with an open case, who is changed by hand
    expect(page.locator("tbody").last.locator("tr")).to_have_count(2)
    look(page, f"directory-{suffix}")
    if os.environ.get("FOOTAGE_DESK_TEST_PICTURES") and device is DESK:
        manual_pictures.save(page, language, "directory", manual_pictures.clip_of(page))
    page.locator("[name=passwords]").check()
    press("Take over")
    expect(page.locator("tbody tr")).to_have_count(1)
    look(page, f"taken-over-{suffix}")
    assert desk.the(Person, login="new.one").name == "新来的人"
    assert desk.the(Leaving).person_id == "keeper"

    page.goto("/admin/people?state=leaving")
    expect(page.locator("tbody tr")).to_have_count(1)
    page.locator("tbody a").first.click()
    expect(page.get_by_role("button", name=gettext(language, "The person stays"))).to_be_visible()
    look(page, f"leaving-{suffix}")
    assert not desk.run(leaving.settle)

    page.goto("/posts")
    look(page, f"posts-{suffix}")
    page.get_by_role("link", name=gettext(language, "Only with vacancies")).click()
    expect(page.locator("tbody tr")).to_have_count(1)  # the head above stands in for head and deputy

    page.goto("/admin/notices/mail")
    page.fill("[name=host]", "127.0.0.1")
    page.fill("[name=port]", str(mail_port))
    page.locator("[name=security][value=none]").check()
    page.fill("[name=sender]", "desk@footage.example")
    press("Set the mail server")
    press("Send test mail to me")
    expect(page.get_by_role("status")).to_contain_text("250 2.0.0 Ok: queued as 4Yz1")
    look(page, f"mail-{suffix}")
    assert said == []

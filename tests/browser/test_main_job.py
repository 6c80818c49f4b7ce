"""The whole main job in Chromium, by the people who do it: Chinese at a desk, English on a phone."""

import asyncio
import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import amount
import demo_server
import manual_pictures
import pytest
from main_job import DESKTOP_EN, DESKTOP_ZH, PHONE_EN, Device, MainJob, People, PortalUser
from playwright.sync_api import Browser, Page, expect
from prefork import ForkedProcess
from service_process import environment, running

from services.demo.recordings import yesterday

# Where the pictures of the main pages go, such as docs/pages; without it none are taken. Those of the manuals go where
# the package has them.
PICTURES = os.environ.get("FOOTAGE_DESK_TEST_PICTURES")
DEVICES = {"Chinese at a desk": DESKTOP_ZH, "English on a phone": PHONE_EN}
if PICTURES:
    DEVICES["English at a desk"] = DESKTOP_EN
CASES_SECONDS = 600.0  # on a machine that runs other tests
pytestmark = pytest.mark.timeout(900)
TALLEST = 1400  # pixels of a picture
AT_A_DESK = ("apply", "inbox", "security", "storage-release", "hand-over", "watch", "case")
ON_A_PHONE = ("summary", "hand-over")
LISTS = {
    "lina": (
        "/",
        "/help",
        "/help/applicant",
        "/help/custodian",
        "/applications",
        "/apply",
        "/cameras",
        "/uploads",
        "/notices",
        "/account",
        "/policy",
    ),
    "zhaoqiang": (
        *("/", "/inbox", "/register", "/register/copies-out", "/register/next-overwritten", "/register/stages"),
        *("/due-dates?whose=seen", "/posts", "/packages"),
    ),
    "hutao": ("/storage",),
    "liuyang": ("/", "/hand-overs"),
    "luoxin": (
        *("/", "/admin", "/admin/people", "/admin/people/new", "/admin/departments", "/admin/recorders"),
        *("/admin/recorders/new", "/admin/cameras", "/admin/agreements", "/admin/rules", "/admin/rules/history"),
        *("/admin/calendar", "/admin/models"),
        *(
            "/admin/doctor",
            "/admin/notices",
            "/admin/notices/app",
            "/admin/notices/robots",
            "/admin/plans",
            "/admin/engine",
            "/admin/engine/instances",
        ),
    ),
}
OF_LISTS = {
    ("zhaoqiang", "/"): "overview",
    ("zhaoqiang", "/register"): "register",
    ("zhaoqiang", "/register/stages"): "stages",
    ("zhaoqiang", "/due-dates?whose=seen"): "due-dates",
    ("zhaoqiang", "/posts"): "posts",
    ("zhaoqiang", "/packages"): "packages",
    ("luoxin", "/admin/notices/app"): "chat-app",
}


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The portal of the demo with a case for each stage, or with all its cases, as ``make run`` starts it."""
    folder = tmp_path_factory.mktemp("installation")
    if amount.all_of_it() or PICTURES:
        with running("run", "--demo", "--cases", env=environment(data_dir=folder / "data"), cwd=folder) as process:
            process.printed(r"(36 cases are there)", CASES_SECONDS)
            yield process.printed(r"ready at (http://\S+)\n")
        return
    forked = ForkedProcess(demo_server.serve_one_of_each, folder, log=folder / "log")
    with ThreadPoolExecutor(1) as thread:  # the browser's loop runs in this one
        address = thread.submit(asyncio.run, forked.announced()).result()
        assert address, (folder / "log").read_text()[-3000:]
        yield address
        forked.terminate()
        assert thread.submit(asyncio.run, forked.wait()).result() == 0


FIRST, *OTHERS = DEVICES.values()


@pytest.fixture(
    scope="module", params=[FIRST, *(pytest.param(other, marks=pytest.mark.slow) for other in OTHERS)], ids=DEVICES
)
def everybody(request: pytest.FixtureRequest, address: str, browser_in: Callable[[str], Browser]) -> Iterator[People]:
    """Who has signed in stays so for the next test before the same device."""
    people = People(browser_in(request.param.language), address, request.param)
    yield people
    people.close()


@pytest.fixture
def people(everybody: People) -> Iterator[People]:
    """At the end no browser may have complained, nor asked another host for anything."""
    yield everybody
    assert everybody.complaints() == []


@pytest.mark.requirement("R16", "R20", "R21", "R22", "R25", "R32", "R37", "R41", "R42", "R46", "R47")
def test_the_main_job_is_done_on_the_pages(people: People, tmp_path: Path) -> None:
    identity, sealed = tmp_path / "identity", tmp_path / "footage.mp4.age"
    recipient = _made_by("age-keygen", "-o", identity).stderr.removeprefix("Public key: ").strip()
    wanted = ON_A_PHONE if people.device.phone else AT_A_DESK

    def look(name: str, somebody: PortalUser) -> None:
        somebody.well_made(besides=".marks" if name == "watch" else "")
        if name in wanted:
            _picture(people.device, name, somebody)

    job = MainJob(people, yesterday(datetime.now(UTC)), look)
    job.apply()
    job.decide("zhangwei", "preliminary", "approved")
    job.decide("wulei", "security", "approved", _grant)
    job.decide("zhaoqiang", "security-signature", "signed")
    job.decide("gaofeng", "management", "approved", _typed(opinion="涉及敏感区域，同意调取，仅限事故调查使用。"))
    job.decide("hutao", "storage-release", "approved")
    job.confirm("linlin", "storage-release")
    job.decide("wulei", "partial-footage", "approved", _typed(reason="缺口处没有录像，其余部分足以查明经过。"))
    job.accept()
    job.watch()
    job.download(recipient, sealed)
    job.give_back()
    job.decide("guotao", "return-inspection", "in-order")
    reviewer = job.seen_closed("wulei")

    look("case", reviewer)
    opened = _made_by("age", "-d", "-i", identity, "-o", tmp_path / "footage.mp4", sealed)
    assert opened.returncode == 0, opened.stderr
    assert (tmp_path / "footage.mp4").read_bytes()[4:8] == b"ftyp"


@pytest.mark.slow
def test_every_list_is_well_made(people: People) -> None:
    for login, paths in LISTS.items():
        somebody = people(login)
        for path in paths:
            answer = somebody.page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            somebody.well_made()
            if not people.device.phone and (name := OF_LISTS.get((login, path))):
                _picture(people.device, name, somebody)


@pytest.mark.slow
def test_a_newcomer_finds_a_camera_on_the_plan_of_the_demo(people: People) -> None:
    applicant = people("lina")
    page = applicant.open("/apply")
    page.locator("#camera-plan").select_option(index=1)
    expect(page.locator(".plan img")).to_be_visible()
    expect(page.locator(".plan .pin").first).to_be_visible()
    applicant.well_made()
    if not people.device.phone:
        _picture(people.device, "plan", applicant)


@pytest.mark.slow
def test_the_keyboard_alone_signs_in_and_comes_to_the_content(address: str, browser: Browser) -> None:
    page = browser.new_page(base_url=address, viewport=DESKTOP_ZH.viewport)
    page.goto("/login?next=/inbox")
    page.locator("[name=login]").focus()
    for keys in ("zhaoqiang", "demo-zhaoqiang"):
        page.keyboard.type(keys)
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.locator("nav.menu").wait_for()
    assert page.url.endswith("/inbox")

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.context.close()


def _grant(page: Page) -> None:
    """What was asked for, for a shorter time."""
    assert page.locator("[name=wayOfUse]:checked").get_attribute("value") == "download"
    page.fill("[name=usePeriodDays]", "7")


def _typed(**fields: str) -> Callable[[Page], None]:
    def fill(page: Page) -> None:
        for name, text in fields.items():
            page.fill(f"[name={name}]", text)

    return fill


def _picture(device: Device, name: str, somebody: PortalUser) -> None:
    if PICTURES is None:
        return
    page = somebody.page
    page.evaluate("() => scrollTo(0, 0)")
    size = device.viewport
    tall = min(TALLEST, page.evaluate("() => document.documentElement.scrollHeight"))
    clip: Any = {"x": 0, "y": 0, "width": size["width"], "height": max(size["height"], tall)}
    if device != DESKTOP_EN:
        path = Path(PICTURES) / f"{name}{'-phone' if device.phone else ''}.png"
        page.screenshot(path=path, full_page=True, clip=clip)
    if not device.phone:
        manual_pictures.save(page, device.language, name, clip)


def _made_by(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)

"""In Chromium, in both languages: a package is asked for, approved, made, fetched, and checked by verify.html."""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path

import pytest
import whole_footage
from demo_container import prepare_database
from main_job import DESKTOP_ZH, PHONE_EN, Device, PortalUser
from package_desk import PackageDesk, opened
from playwright.sync_api import Browser, expect
from served import served
from whole_footage import MADE_FOR

from services.database.leases import Leased
from services.domain.packages import service
from services.verifier.page import build

PICTURES = os.environ.get("FOOTAGE_DESK_TEST_PICTURES")
BOTH = pytest.mark.parametrize("device", [DESKTOP_ZH, PHONE_EN], ids=["Chinese at a desk", "English on a phone"])
SOUND = {"zh": "全部成立", "en": "Everything holds"}


class Running:
    """The desk with its parts, on a loop in a thread of its own; the browser's loop runs in the test's."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ready, self._end = threading.Event(), asyncio.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self.desk: PackageDesk | None = None

    def __enter__(self) -> PackageDesk:
        self._thread.start()
        self._ready.wait(120)
        assert self.desk is not None
        return self.desk

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(30)

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        footage = await asyncio.to_thread(whole_footage.make, self._folder / "footage")
        books = await asyncio.to_thread(prepare_database, self._folder / "books.sqlite3", MADE_FOR)
        async with AsyncExitStack() as stack:
            desk = await stack.enter_async_context(opened(self._folder / "desk", footage, books))
            task = Leased(desk.maker.lease, timedelta(seconds=20), desk.maker.run, pause=timedelta(seconds=1))
            desk.database.on(service.QUEUED, task.wake)
            making = asyncio.create_task(task.run())
            self.desk = desk
            self._ready.set()
            await self._end.wait()
            making.cancel()
            with suppress(asyncio.CancelledError):
                await making


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PackageDesk]:
    folder = tmp_path_factory.mktemp("packages")
    for name in ("footage", "desk"):
        (folder / name).mkdir()
    with Running(folder) as running:
        yield running


@pytest.fixture(scope="module")
def address(desk: PackageDesk) -> Iterator[str]:
    with served(desk.app()) as where:
        yield where


@pytest.mark.slow
@BOTH
@pytest.mark.requirement("R28")
@pytest.mark.requirement("R58")
def test_a_package_goes_from_the_request_to_the_page_that_checks_it(
    desk: PackageDesk, address: str, browser: Browser, tmp_path: Path, device: Device
) -> None:
    def sign_in(login: str) -> PortalUser:
        context = browser.new_context(
            base_url=address, viewport=device.viewport, is_mobile=device.phone, reduced_motion="reduce"
        )
        context.add_cookies([{"name": "footage_desk_language", "value": device.language, "url": address}])
        assert context.request.post("/api/login", data={"login": login, "password": f"demo-{login}"}).ok
        somebody = PortalUser(login, context.new_page())
        somebody.page.on("console", lambda message: somebody.said.append(message.text))
        somebody.page.on("pageerror", lambda error: somebody.said.append(str(error)))
        return somebody

    asker = sign_in("wulei")
    page = asker.open(f"/cases/{desk.case}")
    page.locator("#documents a[href^='/packages?number=']").click()
    expect(page.locator("[name=number]")).to_have_value(desk.number)
    page.locator("[name=footage][value=clear]").check()
    page.locator("[name=recipientKind][value=authority]").check()
    page.fill("[name=recipient]", "某某公安分局 立案〔2031〕7 号")
    page.fill("[name=reason]", "案件移送，随函附送。")
    asker.well_made()
    picture(asker, device, "ask")
    page.locator("#ask button").click()
    page.wait_for_url("**/packages/*")
    where = page.url

    approver = sign_in("yangfan")
    other = approver.open("/packages")
    picture(approver, device, "list")
    # The clock stands: the packages of both languages were asked for at the same moment, in either order.
    other.locator(f"main table a[href$='{where.rpartition('/')[2]}']").click()
    other.locator("[name=outcome][value=approved]").check()
    other.fill("[name=password]", "demo-yangfan")
    approver.well_made()
    picture(approver, device, "approve")
    other.locator("form[action$='/approval'] button").click()
    expect(other.locator("form[action$='/approval']")).to_have_count(0)

    page.goto(where)
    fetching = page.locator("form[action$='/fetches'] button")
    expect(fetching).to_be_visible(timeout=60_000)
    asker.well_made()
    picture(asker, device, "ready")
    root = str(page.locator("#package-state dd code").nth(1).inner_text()).removeprefix("sha256:")
    with page.expect_download() as loading:
        fetching.click()
    package = tmp_path / loading.value.suggested_filename
    loading.value.save_as(package)
    page.goto(where)
    expect(page.locator("main ul.plain-list .tag.good").first).to_be_visible()

    verifier = tmp_path / "verify.html"
    verifier.write_bytes(build.build())
    check = browser.new_context(locale="zh-CN" if device.language == "zh" else "en-GB").new_page()
    check.goto(verifier.as_uri())
    check.set_input_files("#file", package)
    check.locator("#verdict").wait_for()
    check.fill("#trust", root)
    check.locator("#compare").press("Enter")
    check.locator(".verdict.sound").wait_for()
    assert SOUND[device.language] in check.inner_text("#verdict")
    for somebody in (asker, approver):
        assert not somebody.said, somebody.said
        somebody.page.context.close()
    check.context.close()


def picture(somebody: PortalUser, device: Device, name: str) -> None:
    """A picture of the page for who looks at it, where a folder is named."""
    if PICTURES:
        file = Path(PICTURES) / f"package-{name}-{device.language}-{'phone' if device.phone else 'desk'}.png"
        somebody.page.screenshot(path=file, full_page=True)

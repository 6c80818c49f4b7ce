"""A Dahua recorder is added, tested and mended in Chromium, against a server that answers as one; and other forms."""

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from anyio.from_thread import start_blocking_portal
from desk_browser import DESKTOP_EN, PHONE_ZH, SignIn, signing_in
from films import film
from footage_formats import shoot
from main_job import Device
from playwright.sync_api import Browser, Page, expect
from recorders.dahua_server import PASSWORD, SHANGHAI, USER, DahuaServer, File
from review_desk import ReviewDesk

from services.database.tables.cameras import Recorder
from services.recorders import registry
from services.recorders.outside import Broken, Outside
from services.recorders.registry import Places, open_recorder
from services.recorders.secrets import is_encrypted
from services.runtime.addresses import Guard, parse_networks
from services.runtime.settings import Settings
from services.runtime.translations import Message

pytestmark = pytest.mark.slow
PLACES = Places(guard=Guard(parse_networks("127.0.0.0/8"), ("http", "https")))
WORDS = {
    "zh": ("录像机不接受用户名或密码", "录像机应答正常，各摄像头均有画面", "时钟与标准时间相差", "大华（HTTP API）"),
    "en": ("does not accept the username", "all cameras show an image", "clock is", "Dahua (HTTP API)"),
}


@pytest.fixture
def nvr(desk: ReviewDesk) -> Iterator[tuple[str, DahuaServer]]:
    """A recorder that recorded four seconds a minute ago; its clock is a minute and a half off."""
    start = desk.clock.now().replace(microsecond=0) - timedelta(minutes=1)
    body = film(shoot("h264"), "dav", start=start.astimezone(SHANGHAI)).body
    server = DahuaServer([File(start, start + timedelta(seconds=4), body, "/mnt/dvr/a.dav")])
    server.clock = timedelta(seconds=90)
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(server.running()) as address:
        yield address, server


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'books.db'}")
    yield desk
    desk.close()


@pytest.fixture
def sign_in(tmp_path: Path, desk: ReviewDesk, browser: Browser) -> Iterator[SignIn]:
    settings = Settings.load(data_dir=tmp_path, allowed_networks="127.0.0.0/8")
    opened = partial(open_recorder, places=PLACES, secrets=desk.database.recorder_secrets)
    with signing_in(desk, browser, tmp_path, settings=settings, recorders=opened) as sign_in:
        yield sign_in


def findings(page: Page) -> str:
    """Press the button of the test, and say what it found."""
    page.locator("section[aria-labelledby=h-test] button").click()
    expect(page.locator("#tested ul.found")).to_be_visible(timeout=30_000)
    return page.locator("#tested").inner_text()


@pytest.mark.requirement("R34")
@pytest.mark.parametrize("device", [PHONE_ZH, DESKTOP_EN], ids=["Chinese on a phone", "English at a desk"])
def test_a_dahua_recorder_is_added_tested_and_mended(
    desk: ReviewDesk, sign_in: SignIn, nvr: tuple[str, DahuaServer], device: Device, tmp_path: Path
) -> None:
    address, server = nvr
    refused, works, clock, name = WORDS[device.language]
    admin = sign_in("admin", device)
    page = admin.open("/admin/recorders/new?kind=dahua")
    typed = {"name": "西楼 NVR", "site": "西楼", "configuration-address": address, "configuration-user": USER}
    for field, text in {**typed, "configuration-zone": "Asia/Shanghai", "configuration-password": "gu3ssed"}.items():
        page.locator(f"[name='{field}']").fill(text)
    admin.well_made()
    page.screenshot(path=tmp_path / "form.png", full_page=True)
    page.locator("form.card button").click()
    page.wait_for_url("**/admin/recorders/*")
    expect(page.locator("h1")).to_have_text("西楼 NVR")
    expect(page.locator(".head p").first).to_contain_text(name)
    assert refused in findings(page)
    assert "gu3ssed" not in page.content()

    page.locator("[name='configuration-password']").fill(PASSWORD)
    page.locator("form.card", has=page.locator("[name='configuration-password']")).locator("button").click()
    page.wait_for_load_state()
    assert clock in findings(page), "its clock is told"
    row = desk.the(Recorder, name="西楼 NVR")
    assert is_encrypted(row.configuration["password"])

    server.clock = timedelta()
    page.goto(f"/admin/cameras/new?recorder={row.id}")
    for field, text in {"nameZh": "西门", "nameEn": "West gate", "placeZh": "西", "placeEn": "W"}.items():
        page.locator(f"[name='{field}']").fill(text)
    page.locator("[name=channel]").fill("1")
    page.locator("[name=retentionDays]").fill("30")
    page.locator("main form button").last.click()
    page.wait_for_url("**/admin/cameras/**")
    admin.open(f"/admin/recorders/{row.id}")
    assert works in findings(page)
    assert server.objects == {}
    admin.well_made()
    page.screenshot(path=tmp_path / "tested.png", full_page=True)


@pytest.mark.parametrize("device", [PHONE_ZH, DESKTOP_EN], ids=["Chinese on a phone", "English at a desk"])
def test_the_forms_of_gateways_and_of_other_packages_are_well_made(
    sign_in: SignIn, device: Device, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = Broken(
        "acme-nvr", "acme-nvr 2.1", Message("What its entry point names is no Kind: correct the entry point.")
    )
    monkeypatch.setattr(registry, "OUTSIDE", Outside({}, (broken,)))
    admin = sign_in("admin", device)
    for name, path in (("gateway", "/admin/recorders/new?kind=gb28181"), ("list", "/admin/recorders")):
        page = admin.open(path)
        admin.well_made()
        page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
    expect(page.locator(".callout.warn")).to_contain_text("acme-nvr 2.1")

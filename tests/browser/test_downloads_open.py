"""What a custodian takes along opens on another computer: from a disk, without a network, with the password alone."""

import hashlib
import json
import re
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pyzipper
from custody_desk import PASSWORD, Desk
from playwright.sync_api import Browser, BrowserContext, Page, expect
from portal_client import portal_over
from served import served

from services.database.tables.copies import Copy, Download, Grant
from services.domain.custody.download_folder import SENTENCES
from services.runtime.settings import Settings
from services.vault.sealing import Sealed, open_sealed

pytestmark = pytest.mark.slow

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
# What says that the password is wrong, in both languages, on the page that leaves the portal.
WRONG = "".join(SENTENCES["wrong-password"].translate(language) for language in ("zh", "en"))
PLAYS = "() => video.readyState >= 2 && video.videoWidth > 0"


@dataclass
class Custody:
    """A custodian to whom a download is granted."""

    desk: Desk
    address: str
    copy_id: str
    browser: Browser

    def signed_in(self, language: str, device: dict[str, Any]) -> BrowserContext:
        context = self.browser.new_context(base_url=self.address, accept_downloads=True, **device)
        context.add_cookies([{"name": "footage_desk_language", "value": language, "url": self.address}])
        signed_in = context.request.post("/api/login", data={"login": "custodian", "password": PASSWORD})
        assert signed_in.ok, signed_in.text()
        return context

    @property
    def footage(self) -> bytes:
        sealed = Sealed.from_json(self.desk.row(Copy, self.copy_id).sealed)
        return open_sealed(self.desk.store, sealed.location, self.desk.loan_keys.unwrapper(self.copy_id)).read()


@pytest.fixture
def custody(tmp_path: Path, filmed: Path, browser: Browser) -> Iterator[Custody]:
    desk = Desk.at_stage("lend", tmp_path / "desk", filmed, "gate").desk
    [grant] = desk.rows(Grant)
    values = {"copy_id": grant.copy_id, "since": grant.since, "until": grant.until}
    desk.do(lambda uow: uow.session.add(Grant(person_id="custodian", action="download", **values)))
    with served(portal_over({**desk.worker, "settings": Settings(data_dir=desk.root)})) as address:
        yield Custody(desk, address, grant.copy_id, browser)


def fetch(page: Page, opens_with: str, to: Path) -> tuple[str, Path]:
    """Click through to the file; its password as the page shows it, and where the file was saved under its own name."""
    page.goto("/hand-overs")
    page.locator("a.number-of").click()
    page.locator("a[href$='/download']").click()
    choice = page.locator(f"[name=opensWith][value={opens_with}]")
    if opens_with == "browser":
        expect(choice).to_be_checked()  # the default
    choice.check()
    page.fill("[name=medium]", "加密U盘 7 号")
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.locator("form[action$='/download'] button").click()
    password = page.locator("code.secret").inner_text()
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    with page.expect_download() as fetched:
        page.locator("a[href^='/api/downloads/']").click()
    assert fetched.value.failure() is None
    path = to / fetched.value.suggested_filename
    fetched.value.save_as(path)
    return password, path


def checked_sums(folder: Path) -> None:
    done = subprocess.run(
        ["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def disk(browser: Browser) -> Iterator[Page]:
    """A browser on another computer, which has no network; what it says is kept in ``page.said``."""
    context = browser.new_context(offline=True, accept_downloads=True, **DESK)
    yield context.new_page()
    context.close()


def listen(page: Page) -> list[str]:
    """Errors of the page and what it asks for beyond files and what it made itself, from now on."""
    told: list[str] = []
    page.on("console", lambda message: told.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.on(
        "request", lambda one: told.append(one.url) if not one.url.startswith(("file:", "blob:", "data:")) else None
    )
    return told


def plays(page: Page, folder: Path) -> None:
    told = listen(page)
    page.goto((folder / "player.html").as_uri())
    page.wait_for_function(PLAYS)
    page.evaluate("() => { video.muted = true; return video.play(); }")
    page.wait_for_function("() => video.currentTime > 0.3")
    expect(page.locator(".told:visible[data-told]")).to_have_count(0)
    assert told == []


@pytest.mark.requirement("R37", "R41", "R42")
@pytest.mark.parametrize(("language", "device"), [("zh", DESK), ("en", PHONE)], ids=["zh-desk", "en-phone"])
def test_a_zip_for_an_archive_program_opens_with_its_password_and_its_player_plays(
    custody: Custody, disk: Page, tmp_path: Path, *, language: str, device: dict[str, Any]
) -> None:
    context = custody.signed_in(language, device)
    password, path = fetch(context.new_page(), "archiver", tmp_path)
    context.close()

    assert re.fullmatch(r"SQ-2031-case-\d+_Gate_2031-03-04_0900\.zip", path.name)
    with pyzipper.AESZipFile(path) as archive:
        with pytest.raises(RuntimeError, match="Bad password"):
            archive.extractall(tmp_path / "wrong", pwd=b"2222-2222-2222-2222-2222-2222")
        archive.extractall(tmp_path, pwd=password.encode())
    folder = tmp_path / path.stem
    assert (folder / f"{path.stem}.mp4").read_bytes() == custody.footage
    checked_sums(folder)
    plays(disk, folder)
    [download] = custody.desk.rows(Download)
    assert (download.opens_with, download.reads) == ("archiver", 1)
    assert download.finished_at is not None


@pytest.mark.requirement("R37", "R41", "R42")
@pytest.mark.parametrize(("language", "device"), [("en", DESK), ("zh", PHONE)], ids=["en-desk", "zh-phone"])
def test_a_folder_for_a_browser_opens_with_its_password_alone_and_says_when_it_is_wrong(
    custody: Custody, disk: Page, tmp_path: Path, *, language: str, device: dict[str, Any]
) -> None:
    context = custody.signed_in(language, device)
    password, path = fetch(context.new_page(), "browser", tmp_path)
    context.close()
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / path.stem
    told = listen(disk)
    disk.goto((folder / "open.html").as_uri())
    disk.set_input_files("#file", folder / f"{path.stem}.mp4.age")

    disk.fill("#password", "2222-2222-2222-2222-2222-2222")
    disk.locator("button").click()
    expect(disk.locator("[data-told=wrong-password]")).to_have_text(WRONG)

    disk.evaluate("() => { delete window.showSaveFilePicker; }")  # a browser that has none; the other way is below
    disk.fill("#password", password.lower().replace("-", " "))  # as it was dictated
    with disk.expect_download() as saved:
        disk.locator("button").click()
    expect(disk.locator("[data-told=saved]")).to_be_visible()

    assert saved.value.suggested_filename == f"{path.stem}.mp4"
    saved.value.save_as(folder / saved.value.suggested_filename)
    assert (folder / f"{path.stem}.mp4").read_bytes() == custody.footage
    assert told == []
    checked_sums(folder)
    plays(disk, folder)


# Writes what is saved into a list, as a file of the browser does: it is there once it was closed, and not before.
PICKER = """() => {
  window.kept = null;
  window.showSaveFilePicker = async ({ suggestedName }) => ({ createWritable: async () => {
    const pieces = [];
    return new WritableStream({
      write(piece) { pieces.push(piece); },
      async close() {
        const all = await new Blob(pieces).arrayBuffer();
        const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", all));
        window.kept = { suggestedName, pieces: pieces.length,
          sha256: Array.from(sha256, (byte) => byte.toString(16).padStart(2, "0")).join("") };
      },
    });
  } });
}"""


def test_the_footage_is_written_piece_by_piece_and_a_damaged_file_leaves_nothing(
    custody: Custody, disk: Page, tmp_path: Path
) -> None:
    context = custody.signed_in("en", DESK)
    password, path = fetch(context.new_page(), "browser", tmp_path)
    context.close()
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / path.stem
    encrypted = folder / f"{path.stem}.mp4.age"
    whole = encrypted.read_bytes()
    disk.goto((folder / "open.html").as_uri())
    assert disk.evaluate("() => window.isSecureContext && 'showSaveFilePicker' in window")
    disk.evaluate(PICKER)
    disk.fill("#password", password)

    for content, told in (
        (whole[:-1], "damaged"),
        (whole[: len(whole) // 2], "damaged"),
        (whole[:-200] + bytes([whole[-200] ^ 1]) + whole[-199:], "damaged"),
        (b"no age file", "wrong-file"),
    ):
        encrypted.write_bytes(content)
        disk.set_input_files("#file", encrypted)
        disk.locator("button").click()
        expect(disk.locator(f"[data-told={told}]")).to_be_visible()
        assert disk.evaluate("() => window.kept") is None

    encrypted.write_bytes(whole)
    disk.set_input_files("#file", encrypted)
    disk.locator("button").click()
    expect(disk.locator("[data-told=saved]")).to_be_visible()
    kept = disk.evaluate("() => window.kept")
    assert kept["suggestedName"] == f"{path.stem}.mp4"
    assert kept["sha256"] == hashlib.sha256(custody.footage).hexdigest()
    assert kept["pieces"] >= len(custody.footage) // 65536


def test_the_player_says_why_it_does_not_play(custody: Custody, disk: Page, tmp_path: Path) -> None:
    context = custody.signed_in("en", DESK)
    _, path = fetch(context.new_page(), "browser", tmp_path)
    context.close()
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)
    folder = tmp_path / path.stem
    player = folder / "player.html"

    disk.goto(player.as_uri())
    expect(disk.locator("[data-told=absent]")).to_be_visible()
    elsewhere = tmp_path / "elsewhere.mp4"
    elsewhere.write_bytes(custody.footage)
    disk.set_input_files("#file", elsewhere)
    disk.wait_for_function(PLAYS)
    expect(disk.locator("[data-told=absent]")).to_be_hidden()

    page = player.read_text(encoding="utf-8")
    for codec, told in (("hevc", "hevc"), ("mjpeg pcm_alaw", "unplayable"), ("h264 pcm_alaw", "telephone")):
        player.write_text(re.sub(r'data-codecs="[^"]*"', f'data-codecs="{codec}"', page), encoding="utf-8")
        disk.goto(player.as_uri())
        expect(disk.locator(f"[data-told={told}]")).to_be_visible()


@pytest.mark.requirement("R52", refuses=True)
def test_the_pages_run_their_own_scripts_alone_and_reach_nothing(custody: Custody, disk: Page, tmp_path: Path) -> None:
    context = custody.signed_in("en", DESK)
    _, path = fetch(context.new_page(), "browser", tmp_path)
    context.close()
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path)

    for name in ("open.html", "player.html"):
        page = tmp_path / path.stem / name
        html = page.read_text(encoding="utf-8")
        [policy] = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
        assert policy.startswith("default-src &#39;none&#39;; script-src &#39;sha256-")
        assert "unsafe" not in policy
        assert not re.findall(r'(?:src|href)="(?:https?:)?//', html)
        page.write_text(html.replace("</main>", "</main><script>window.foreign = true</script>"), encoding="utf-8")
        disk.goto(page.as_uri())
        asked = "fetch('https://example.com/').then(() => 'sent', () => 'refused')"
        assert json.loads(disk.evaluate(f"async () => JSON.stringify([window.foreign ?? null, await {asked}])")) == [
            None,
            "refused",
        ]

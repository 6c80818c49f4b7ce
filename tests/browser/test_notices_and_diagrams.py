"""In Chromium: a notice ends with its review for all who were asked, and the English diagram is whole and English."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from lent_case import Lens
from playwright.sync_api import Browser, BrowserContext, Page, expect
from portal_client import portal_over
from review_desk import PASSWORD, ReviewDesk
from served import served

from services.domain.process.model_library import ModelLibrary
from services.runtime import models
from services.runtime.places import BPMN
from services.runtime.settings import Settings
from services.web.language import gettext

DESK: dict[str, Any] = {"viewport": {"width": 1280, "height": 900}}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
CHINESE = re.compile("[\u3400-\u9fff]")
# Each element that is drawn on the plane that is shown: the lines of its label, and by how many pixels the label stands
# out of its shape, where it is written inside.
LABELS = """() => [...document.querySelectorAll("#diagram .djs-element")].flatMap((group) => {
  const visual = group.querySelector(":scope > .djs-visual"), text = visual?.querySelector(":scope > text");
  const shape = visual?.querySelector(":scope > rect");
  if (!text || !text.textContent || !text.getClientRects().length) return [];
  const lines = [...text.querySelectorAll("tspan")].map((line) => line.textContent);
  const [inner, outer] = [text, shape || text].map((part) => part.getBoundingClientRect());
  const beside = Math.max(outer.left - inner.left, inner.right - outer.right);
  const out = Math.max(beside, outer.top - inner.top, inner.bottom - outer.bottom);
  return [{ id: group.dataset.elementId, lines, out }];
})"""

Open = Callable[[str], Page]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(f"sqlite:///{tmp_path / 'database.sqlite3'}")
    yield desk
    desk.close()


@pytest.fixture
def signed_in(desk: ReviewDesk, tmp_path: Path, browser: Browser, language: str, device: Any) -> Iterator[Open]:
    """Call it with a login to get that person's page, in the language and on the device of the test."""
    library = ModelLibrary(models.read(sorted(BPMN.glob("*.bpmn"))))
    settings, contexts = Settings(data_dir=tmp_path), list[BrowserContext]()
    given = {"database": desk.database, "settings": settings, "models": library, "recorders": lambda *_: Lens()}
    with served(portal_over(given)) as address:

        def open_as(login: str) -> Page:
            context = browser.new_context(base_url=address, **device)
            context.add_cookies([{"name": "footage_desk_language", "value": language, "url": address}])
            assert context.request.post("/api/login", data={"login": login, "password": PASSWORD}).ok
            contexts.append(context)
            return context.new_page()

        yield open_as
        for context in contexts:
            context.close()


def of_security(desk: ReviewDesk) -> tuple[str, str]:
    """A case before Security's review: the ids of both."""
    application_id = desk.submitted(title="仓库丢货")
    desk.decide(desk.opened(application_id, "preliminary"), "head")
    return application_id, desk.opened(application_id, "security")


def unread(page: Page) -> int:
    named = page.locator(".bell").get_attribute("aria-label") or ""
    return int(named.split()[0])


@pytest.mark.slow
@pytest.mark.requirement("R30")
@pytest.mark.parametrize(("language", "device"), [("zh", DESK), ("en", PHONE)], ids=["zh-desk", "en-phone"])
def test_a_notice_ends_with_its_review_for_everybody_who_was_asked(
    desk: ReviewDesk, signed_in: Open, language: str
) -> None:
    application_id, review_id = of_security(desk)
    stage, approve = ("安全审核", "同意并签字") if language == "zh" else ("Security review", "Approve and sign")
    reviewer, other, said = signed_in("reviewer"), signed_in("reviewer2"), list[str]()
    for page in (reviewer, other):
        page.on("console", lambda message: said.append(message.text))
        page.goto("/notices?unread=true")
        expect(page.locator("tbody tr")).to_have_count(1)
        expect(page.locator("tbody tr")).to_contain_text(stage)
        expect(page.locator("tbody tr")).to_contain_text("仓库丢货")
        assert unread(page) == 1
    assert other.evaluate("() => document.documentElement.scrollWidth <= window.innerWidth")
    found = Axe().run(other).response["violations"]
    assert [one["id"] for one in found if one["impact"] in ("serious", "critical")] == []

    reviewer.locator("tbody th button").click()  # the notice itself
    reviewer.wait_for_url(f"**/reviews/{review_id}")
    for question in reviewer.locator(".decide .radios:has([name^=answers-])").all():
        question.get_by_label(gettext(language, "Yes"), exact=True).check()
    reviewer.fill("[name=password]", PASSWORD)
    reviewer.get_by_role("button", name=approve).click()
    reviewer.wait_for_url(lambda address: not address.endswith(f"/reviews/{review_id}"))

    other.reload()
    expect(other.locator("tbody tr")).to_have_count(0)
    assert unread(other) == 0
    expect(other.locator("main")).to_contain_text(gettext(language, "No unread notices."))
    other.goto("/notices")
    expect(other.locator("tbody tr")).to_have_count(1)
    expect(other.locator("tbody .tag")).to_have_text(gettext(language, "done"))

    drafter = signed_in("drafter")
    drafter.goto("/notices?unread=true")
    expect(drafter.locator("tbody tr")).to_have_count(1)  # the newest decision alone
    drafter.locator("tbody th button").click()
    drafter.wait_for_url(f"**/cases/{application_id}#review-{review_id}")
    expect(drafter.locator(f"#review-{review_id}")).to_be_in_viewport()
    assert said == []


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en"])
@pytest.mark.parametrize("device", [DESK, PHONE], ids=["desk", "phone"])
def test_the_english_diagram_has_whole_labels_no_chinese_and_opens_at_the_current_phase(
    desk: ReviewDesk, signed_in: Open, device: Any
) -> None:
    application_id, _ = of_security(desk)
    page, said = signed_in("reviewer"), list[str]()
    page.on("console", lambda message: said.append(message.text))
    page.goto(f"/cases/{application_id}")
    folded = page.locator(".diagram-box:not([open]) > summary")
    if folded.count():  # as on a phone
        folded.click()
    page.wait_for_selector("#diagram[data-drawn]")

    shown = page.locator("#diagram .djs-element.case-waiting:visible")
    expect(shown).to_have_count(1)
    expect(shown.first).to_be_in_viewport()
    expect(page.locator("#diagram-told")).to_contain_text("Security decides")
    assert page.locator("#diagram .bjs-breadcrumbs-shown").count() == 1, "inside a phase, not above all"
    way_ends = page.locator("#diagram .bjs-breadcrumbs").evaluate("one => one.getBoundingClientRect().bottom")
    begins = page.locator("#diagram .djs-shape:visible").evaluate_all(
        "all => all.map((one) => one.getBoundingClientRect().top)"
    )
    assert min(begins) >= way_ends, "the way to the phase covers no step"

    address = page.locator("#diagram").get_attribute("data-model") or ""
    names = page.request.get(address).text()
    assert CHINESE.search(" ".join(re.findall(r"<bpmn:sequenceFlow[^>]*", names))) is None
    drawn = labels_of_all_planes(page)
    assert len(drawn) > 60
    assert [one for one in drawn if CHINESE.search("".join(one["lines"]))] == []
    named = dict(re.findall(r'id="([^"]+)"[^>]*? name="([^"]+)"', names))
    broken = {
        one["id"]: one["lines"]
        for one in drawn
        if (name := named.get(one["id"].removesuffix("_label"))) and as_written(one["lines"]) != as_written([name])
    }
    assert broken == {}
    if device is DESK:  # letters of a few pixels, as all of a phase has on a phone, are not measured
        framed = [one for one in drawn if not one["id"].startswith("Note_")]  # a note has a bracket and no frame
        assert {one["id"]: one["out"] for one in framed if one["out"] > 1} == {}
    assert said == []


def as_written(lines: list[str]) -> str:
    """The words of a label in one line; a line may end after a hyphen of its own, and nowhere else within a word."""
    return " ".join(" ".join(lines).replace("&#10;", " ").split()).replace("- ", "-")


def labels_of_all_planes(page: Page) -> list[dict[str, Any]]:
    """Open the diagram above all and each of its phases, and read the labels of each."""
    path = page.locator("#diagram .bjs-breadcrumbs li")
    path.first.click()
    expect(path).to_have_count(1)

    def read(depth: int) -> dict[str, dict[str, Any]]:
        found = {one["id"]: one for one in page.evaluate(LABELS)}
        phases = page.locator("#diagram .bjs-drilldown:visible").evaluate_all("all => all.map((one) => one.title)")
        for title in phases:
            page.locator(f'#diagram .bjs-drilldown[title="{title}"]:visible').click()
            expect(path).to_have_count(depth + 1)
            found |= read(depth + 1)
            path.nth(depth - 1).click()
            expect(path).to_have_count(depth)
        return found

    return list(read(1).values())

"""In Chromium: an inspection of ten cases by the keyboard alone, from the group's appointment to a work order."""

import json
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from desk_browser import DESKTOP_EN, DESKTOP_ZH, SignIn, signing_in
from main_job import PortalUser
from playwright.sync_api import Browser, Page, expect
from review_desk import PASSWORD, ReviewDesk
from supervision_desk import GROUP, INSTANCE, PERIOD, Supervised

from services.database.tables.inspections import GroupInspection, InspectionFinding
from services.database.tables.work_orders import WorkOrder
from services.domain.supervision import findings, reports, service, signing
from services.runtime.rules import Rules

pytestmark = pytest.mark.slow

CASES, DRAWN = 100, 10
KEYS = {"yes": "1", "no": "2", "not-applicable": "3", "": "1"}
OVERRULED, SENTENCE = "application-1", "事由只写了“货物丢失”，没有时间。"
FOCUSED = "() => [document.activeElement.name, document.activeElement.dataset.system ?? '']"


@pytest.mark.requirement("R60", "R61", "R63", "R64")
def test_an_inspection_of_ten_cases_by_the_keyboard(tmp_path: Path, browser: Browser) -> None:
    file = tmp_path / "books.db"
    made = Supervised(ReviewDesk(f"sqlite:///{file}", Rules(max_use_days=30, inspection_period="month")))
    made.prepare(CASES)
    with signing_in(made.desk, browser, tmp_path) as sign_in:
        appoint(sign_in)
        leader = sign_in("supervisor", DESKTOP_ZH)
        page = leader.open("/")
        page.locator(".menu a[href='/supervision']").click()
        page.locator(".tabs a[href='/supervision/inspections']").click()
        expect(page.locator("[name=period]")).to_have_value(PERIOD)
        page.locator("form[action='/supervision/inspections'] button").click()
        page.wait_for_url("**/supervision/inspections/*")
        [inspection] = made.desk.all(GroupInspection)
        made.desk.run(service.draw, inspection.id, INSTANCE)
        rows = made.asked(inspection.id)
        assert len(rows) == DRAWN

        people = {"supervisor": leader} | {one: sign_in(one, DESKTOP_ZH) for one in GROUP[1:]}
        overruled = rows[0].id
        for login, somebody in people.items():
            own = [row.id for row in rows if row.assigned_to == login]
            inspect_own(somebody, own, overruled)
        assert not [row for row in made.cases(inspection.id) if row.decided_at is None]
        [finding] = made.desk.all(InspectionFinding)
        assert (finding.question, finding.text) == (OVERRULED, SENTENCE)

        made.desk.run(reports.write, inspection.id)
        made.desk.run(signing.open_review, inspection.id, job_key=next(made.desk.keys))
        for somebody in people.values():  # the leader first
            sign_report(somebody, file)
        made.desk.run(findings.open_corrections, inspection.id)
        made.desk.run(service.close, inspection.id, "signed")

        page = leader.open(f"/supervision/inspections/{inspection.id}")
        expect(page.locator("h1 .tag.good")).to_be_visible()
        leader.well_made()
        [order] = made.desk.all(WorkOrder, kind="corrective-action")
        page.locator(f"main a[href='/work-orders/{order.id}']").click()
        expect(page.locator("main")).to_contain_text(order.number)
        page.goto(f"/api/documents/{inspection.number}/print")
        for shown in (SENTENCE, "监督检查报告", str(inspection.number)):
            expect(page.locator("body")).to_contain_text(shown)
    made.desk.close()


def appoint(sign_in: SignIn) -> None:
    """One manager proposes the group; another one finds that in the overview, and confirms it."""
    manager = sign_in("manager", DESKTOP_EN)
    page = manager.open("/")
    page.locator("main .callout a[href='/supervision/group']").click()
    page.select_option("[name=leaderId]", GROUP[0])
    for member in GROUP:
        page.locator(f"[name=memberIds][value={member}]").check()
    page.fill("[name=untilDay]", "2031-12-31")
    page.fill("[name=basis]", "总经理办公会纪要第3号")
    page.fill("[name=password]", PASSWORD)
    manager.well_made()
    page.locator("form[action='/supervision/group'] button").click()
    expect(page.locator("form[action$='/confirm']")).to_have_count(0)  # nobody confirms what he has proposed
    second = sign_in("manager2", DESKTOP_ZH)
    page = second.open("/")
    second.well_made()
    page.locator("main .callout a[href='/supervision/group']").click()
    page.fill("#password-confirm", PASSWORD)
    second.well_made()
    page.locator("form[action$='/confirm'] button").click()
    expect(page.locator("#waiting")).to_have_count(0)
    expect(page.locator("section[aria-labelledby=current]")).to_contain_text("RM-2031-000001")


def inspect_own(somebody: PortalUser, own: list[str], overruled: str) -> None:
    """Inspect the person's cases one after another with keys alone, from the list on."""
    page = somebody.open("/supervision/inspections")
    press_until(page, "() => document.activeElement.matches('main .head a.button')")
    page.keyboard.press("Enter")
    for position, case in enumerate(own):
        page.wait_for_url(f"**/supervision/cases/{case}")
        if position == 0:
            somebody.well_made()
        if case == overruled:
            answer(page, {OVERRULED: ""})
            expect(page.locator("#refusal")).to_be_visible()  # nobody overrules without a sentence
            somebody.said.clear()  # the browser notes the refusal itself
            assert page.evaluate(FOCUSED)[0] == f"answer.{OVERRULED}"
            answer(page, {OVERRULED: SENTENCE})
        else:
            answer(page, {})
    page.wait_for_url("**/supervision/inspections/*")


def answer(page: Page, against: dict[str, str]) -> None:
    """Agree with the system in each question but those that are named, with their sentence; then sign."""
    for _ in range(50):
        name, system = page.evaluate(FOCUSED)
        if name == "password":
            break
        kind, _, code = name.partition(".")
        assert kind == "answer", name
        if code not in against:
            page.keyboard.press(KEYS[system])
            if system == "no":
                page.keyboard.insert_text("如系统所见。")
                page.keyboard.press("Enter")
            continue
        page.keyboard.press("2")
        assert page.evaluate(FOCUSED)[0] == f"word.{code}"
        page.keyboard.insert_text(against[code])
        page.keyboard.press("Enter")
    page.keyboard.insert_text(PASSWORD)
    with page.expect_navigation():
        page.keyboard.press("Enter")


def press_until(page: Page, focused: str) -> None:
    """Go on with Tab until the element is reached."""
    for _ in range(60):
        page.keyboard.press("Tab")
        if page.evaluate(focused):
            return
    raise AssertionError("no Tab has reached it")


def sign_report(somebody: PortalUser, file: Path) -> None:
    """Find the report in the overview, compare its numbers with what is counted beside the product, and sign."""
    page = somebody.open("/")
    page.locator("main .callout a[href^='/supervision/inspections/']").click()
    section = page.locator("section[aria-labelledby=report]")
    shown = [row.locator("td").all_inner_texts() for row in section.locator("tbody tr").all()]
    assert [[int(number) for number in row] for row in shown] == counted(file)
    numbers = dict(
        zip(section.locator("dl dt").all_inner_texts(), section.locator("dl dd").all_inner_texts(), strict=True)
    )
    with closing(sqlite3.connect(file)) as books:
        [[closed]] = books.execute("SELECT count(*) FROM applications WHERE closed_at BETWEEN ? AND ?", FEBRUARY)
    assert numbers["办结"] == str(closed) == str(CASES)
    somebody.well_made()
    page.fill("[name=password]", PASSWORD)
    somebody.press("outcome", "signed")
    expect(page.locator("section[aria-labelledby=signatures]")).to_contain_text(somebody.login)


FEBRUARY = ("2031-01-31 16:00:00", "2031-02-28 15:59:59.999999")


def counted(file: Path) -> list[list[int]]:
    """Count yes, no, not applicable and overruled of each question from the rows as they are stored."""
    with closing(sqlite3.connect(file)) as books:
        stored: list[list[dict[str, Any]]] = [
            json.loads(row[0]) for row in books.execute("SELECT answers FROM inspected_cases ORDER BY position")
        ]
    found: Counter[tuple[str, str]] = Counter()
    for answers in stored:
        for one in answers:
            found[one["question"], one["answer"]] += 1
            found[one["question"], "overruled"] += one["system"] is not None and one["system"] != one["answer"]
    kinds = ("yes", "no", "not-applicable", "overruled")
    return [[found[one["question"], kind] for kind in kinds] for one in stored[0]]

"""The pages and the API of the working calendar: check a file, import it by two, read it, and try a limit."""

from collections.abc import AsyncIterator

import httpx
import pytest
from portal_client import Portal
from review_desk import ReviewDesk
from review_pages import text_of
from second_person import newest
from working_stages import day, write_year

from services.database.tables.working_calendar import CalendarYear
from services.domain.change_requests import service as change_requests
from services.domain.working_calendar import tables

FILE = "date,kind,name_zh,name_en\n2031-10-01,off,国庆节,National Day\n2031-10-02,off,国庆节,National Day\n"
BODY = {
    "days": [{"date": "2031-10-01", "kind": "off", "zh": "国庆节", "en": "National Day"}],
    "reason": "国务院办公厅通知",
}


@pytest.fixture
async def portal(desk: ReviewDesk) -> AsyncIterator[Portal]:
    async with Portal(desk) as opened:
        yield opened


async def upload(browser: httpx.AsyncClient, content: str) -> httpx.Response:
    return await browser.post("/admin/calendar/check", files={"file": ("2031.csv", content.encode(), "text/csv")})


@pytest.mark.requirement("R2", refuses=True)
async def test_a_file_is_checked_confirmed_by_a_second_person_and_imported(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("admin")

    checked = await upload(browser, FILE)
    assert checked.status_code == 200
    assert "2031-10-01 – 2031-10-02" in text_of(checked)
    assert desk.all(CalendarYear) == []

    typed = {"table": FILE.replace("\n", "\r\n"), "was": "", "reason": "国务院办公厅通知"}
    silent = await browser.post("/admin/calendar", data={**typed, "reason": ""})
    waits = await browser.post("/admin/calendar", data=typed)
    assert (silent.status_code, waits.status_code) == (422, 409)
    assert "国务院办公厅通知" in waits.text, "what was typed stays"
    assert desk.all(CalendarYear) == []
    desk.run(change_requests.confirm, newest(desk), by="security-head")
    done = await browser.post("/admin/calendar", data=typed)

    assert (done.status_code, done.headers["location"]) == (303, "/admin/calendar/2031")
    assert [one["date"] for one in desk.the(CalendarYear).days] == ["2031-10-01", "2031-10-02"]
    reader = await portal.signed_in("supervisor")
    for page in ("/admin/calendar", "/admin/calendar/2031"):
        assert "国务院办公厅通知" in text_of(await reader.get(page))
    exported = await reader.get("/admin/calendar/2031.csv")
    assert tables.read(exported.content) == tables.read(FILE.encode())


async def test_wrong_lines_and_no_file_are_named_and_nothing_is_imported(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("admin")

    wrong = await upload(browser, FILE + "2031-10-03,holiday,国庆节,National Day\n")
    none = await browser.post("/admin/calendar/check", data={})
    unknown = await browser.post("/admin/calendar/check", data={"shipped": "1999"})
    tampered = await browser.post("/admin/calendar", data={"table": "x", "reason": "因为"})

    assert [one.status_code for one in (wrong, none, unknown)] == [422, 422, 422]
    assert "kind 只能是 off" in text_of(wrong)
    assert tampered.status_code == 422
    assert desk.all(CalendarYear) == []


@pytest.mark.requirement("R52", refuses=True)
async def test_the_name_of_a_day_becomes_no_markup(portal: Portal) -> None:
    browser = await portal.signed_in("admin")

    shown = await upload(browser, f'{FILE}2031-10-03,off,国庆节,"<img src=x>\'""{{{{7*7}}}}"\n')

    assert shown.status_code == 200
    assert "<img src=x>" not in shown.text
    assert "49" not in text_of(shown)
    assert "&lt;img src=x&gt;" in shown.text


async def test_a_table_of_the_release_is_checked_without_a_file(portal: Portal) -> None:
    browser = await portal.signed_in("admin")

    shown = await browser.post("/admin/calendar/check", data={"shipped": "2026"})

    assert shown.status_code == 200
    assert "2026-10-01 – 2026-10-07" in text_of(shown)


async def test_the_page_says_which_year_lacks_and_tries_a_limit(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("admin")
    assert "尚未导入：2031 年" in text_of(await browser.get("/admin/calendar"))
    desk.run(write_year, [day("2031-03-05")])
    asked = {"start": "2031-03-04T16:00", "amount": "1", "unit": "D"}

    tried = text_of(await browser.get("/admin/calendar", params=asked))
    refused = [
        await browser.get("/admin/calendar", params={**asked, **wrong})
        for wrong in (
            {"start": "soon"},
            {"amount": "0"},
            {"amount": "367"},
            {"amount": "9" * 5000},
            {"unit": "Y"},
            {"start": "0001-01-01T00:00"},
        )
    ]

    assert "2031-03-06 16:00" in tried
    assert "1 个工作日；3月5日放假（植树节）" in tried
    assert "尚未导入" not in tried
    assert [one.status_code for one in refused] == [422] * 6


@pytest.mark.requirement("R2", refuses=True)
async def test_the_api_imports_as_the_page_does(desk: ReviewDesk, portal: Portal) -> None:
    browser = await portal.signed_in("admin")

    dry = await browser.post("/api/admin/calendar", json={**BODY, "dryRun": True})
    asked = await browser.post("/api/admin/calendar", json=BODY)
    two_years = [*BODY["days"], {**BODY["days"][0], "date": "2032-10-01"}]  # type: ignore[dict-item]  # days are objects
    two = await browser.post("/api/admin/calendar", json={**BODY, "days": two_years})
    assert (dry.status_code, asked.status_code, two.status_code) == (200, 409, 422)
    assert (dry.json()["done"], dry.json()["version"], len(dry.json()["added"])) == (False, None, 1)
    assert asked.json()["code"] == "second-person-needed"
    assert desk.all(CalendarYear) == []

    desk.run(change_requests.confirm, newest(desk), by="security-head")
    done = await browser.post("/api/admin/calendar", json=BODY)

    assert done.json()["done"] is True
    calendar = (await browser.get("/api/admin/calendar")).json()
    assert [(year["year"], year["off"], year["reason"]) for year in calendar["years"]] == [
        (2031, 1, "国务院办公厅通知")
    ]
    assert (calendar["missing"], calendar["countsWorkingTime"], calendar["shipped"]) == ([], [], tables.list_shipped())
    year = (await browser.get("/api/admin/calendar/2031")).json()
    assert year["days"] == BODY["days"]
    assert (await browser.get("/api/admin/calendar/2030")).status_code == 404
    again = await browser.post("/api/admin/calendar", json={**BODY, "was": year["version"]})
    assert again.json()["code"] == "calendar-same"
    deadline = await browser.get(
        "/api/admin/calendar/deadline", params={"start": "2031-09-30T08:00:00Z", "limit": "P1D"}
    )
    assert deadline.json() == {
        "dueAt": "2031-10-02T08:00:00Z",
        "whyZh": "审核任务发起后 1 个工作日；10月1日放假（国庆节）",
        "whyEn": "1 working day after the review was opened; October 1 is a day off (National Day)",
    }

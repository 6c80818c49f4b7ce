"""Every list of cases says what each is about: title, cameras, place and span; without a title, category and place."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from portal_client import Portal
from review_desk import NOON, ReviewDesk

from services.database.tables.custody import HandOver
from services.domain.applications.forms import ItemAsked

pytestmark = pytest.mark.requirement("R20", verb="recorded")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
TITLE = "三号门货物丢失"
# of two items: the first one's camera and place, and the whole time
ABOUT = {
    **{"title": TITLE, "purposeCategory": "security-incident", "cameraEn": "North gate", "placeEn": "north"},
    **{"cameras": 2, "zone": "Asia/Shanghai", "start": "2031-03-02T11:00:00Z", "end": "2031-03-02T13:00:00Z"},
}
FIRST = {("North gate", "2", "north")}


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    desk.add_north_gate()
    yield desk
    desk.close()


def submitted(desk: ReviewDesk, title: str | None = TITLE) -> str:
    start = NOON - 2 * DAY
    items = (
        ItemAsked("north", start, start + HOUR, "Asia/Shanghai"),
        ItemAsked("camera", start - HOUR, start, "Asia/Shanghai"),
    )
    return desk.submitted(title=title, items=items)


def said(about: dict[str, Any]) -> dict[str, Any]:
    return {name: about[name] for name in ABOUT}


async def test_the_api_says_it_on_every_line(desk: ReviewDesk) -> None:
    case = submitted(desk)
    desk.opened(case, "preliminary")
    lent = HandOver(application_id=case, custodian_id="keeper", offered_at=NOON, take_up_until=NOON, use_days=5)
    lent.accepted_at, lent.due_at = NOON, NOON + DAY
    async with Portal(desk) as portal:
        lists = {
            "reviewer": ["/api/register", "/api/applications"],
            "drafter": ["/api/applications/own", "/api/applications?mine=true"],
            "head": ["/api/reviews"],
        }
        for login, addresses in lists.items():
            browser = await portal.signed_in(login)
            for address in addresses:
                [line] = (await browser.get(address)).json()
                assert said(line["about"]) == ABOUT, address
        reviewer = await portal.signed_in("reviewer")
        assert said((await reviewer.get(f"/api/cases/{case}")).json()["about"]) == ABOUT
        risks = (await reviewer.get("/api/register/next-overwritten")).json()
        assert {line["title"] for line in risks} == {TITLE}
        desk.run(lambda uow: uow.session.add(lent))
        [out] = (await reviewer.get("/api/register/copies-out", params={"text": "三号门"})).json()
        assert said(out["about"]) == ABOUT


async def test_pages_show_it_and_category_and_place_where_there_is_no_title(desk: ReviewDesk) -> None:
    cases = [submitted(desk), submitted(desk, None)]
    for case in cases:
        desk.opened(case, "preliminary")
    async with Portal(desk) as portal:
        for login, address in (("reviewer", "/register"), ("head", "/inbox"), ("drafter", "/applications")):
            browser = await portal.signed_in(login)
            browser.cookies.set("footage_desk_language", "en")
            page = (await browser.get(address)).text
            assert page.count("North gate and 1 more") == 2, address
            assert (TITLE in page, "2031-03-02 19:00:00" in page) == (True, True), address
            assert address == "/applications" or page.count("security incident · north") == 1, address
            suffix = f"{address}?form=csv" if address == "/register" else f"{address}.csv"
            rows = list(csv.DictReader(io.StringIO((await browser.get(suffix)).text.lstrip("\ufeff"))))
            assert sorted(row["Title"] for row in rows) == ["", TITLE]
            assert {(row["First camera"], row["Number of cameras"], row["Place"]) for row in rows} == FIRST
            assert {row["Footage begins"] for row in rows} == {"2031-03-02T19:00:00+08:00"}


async def test_what_a_conflict_bars_is_not_told(desk: ReviewDesk) -> None:
    desk.opened(desk.submitted(by="head", title=TITLE), "preliminary")
    async with Portal(desk) as portal:
        browser = await portal.signed_in("head")
        [barred] = (await browser.get("/api/reviews/conflicts")).json()
        assert barred["review"]["about"] is None
        assert TITLE not in (await browser.get("/inbox")).text

"""The register's pages over HTTP: the links from one to the next, in the API and on the page."""

import re
from datetime import timedelta

import pytest
from portal_client import Portal
from review_desk import ReviewDesk

from services.domain.cases.pages.register import ListQuery

ROW = re.compile(r'class="number-of" href="/cases/([^"]+)"')
LINK = re.compile(r'rel="(prev|next)" href="([^"]+)"')


async def test_the_answer_names_the_pages_around_it(desk: ReviewDesk, portal: Portal) -> None:
    cases = [desk.submitted() for _ in range(5)]
    reviewer = await portal.signed_in("reviewer")
    first = await reviewer.get("/api/register", params={"sort": "number", "order": "asc", "limit": 2})
    second = await reviewer.get(first.links["next"]["url"])
    third = await reviewer.get(second.links["next"]["url"])

    assert [line["id"] for page in (first, second, third) for line in page.json()] == cases
    assert (await reviewer.get(third.links["prev"]["url"])).json() == second.json()
    assert "prev" not in first.links
    assert "next" not in third.links


@pytest.mark.requirement("R2")
async def test_the_applications_name_the_pages_around_one(desk: ReviewDesk, portal: Portal) -> None:
    cases = [desk.submitted() for _ in range(5)]
    drafter, nobody = await portal.signed_in("drafter"), await portal.signed_in("office-head")
    first = await drafter.get("/api/applications", params={"mine": True, "limit": 3})
    desk.clock.turn(timedelta(minutes=1))
    later = desk.submitted()
    second = await drafter.get(first.links["next"]["url"])
    whole = (await drafter.get("/api/applications")).json()

    assert {line["id"] for page in (first, second) for line in page.json()} == set(cases)
    assert {line["id"] for line in whole} == {*cases, later}
    assert "next" not in second.links
    assert (await nobody.get(first.links["next"]["url"])).json() == []
    assert (await drafter.get("/api/applications", params={"limit": 3, "offset": 3})).json() == whole[3:]


async def test_the_page_leads_on_and_back_and_keeps_its_filters(
    desk: ReviewDesk, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ListQuery, "LENGTH", 2)
    cases = [desk.submitted() for _ in range(3)]
    reviewer = await portal.signed_in("reviewer")

    async def read(address: str) -> tuple[list[str], dict[str, str]]:
        page = (await reviewer.get(address)).text
        return ROW.findall(page), {rel: link.replace("&amp;", "&") for rel, link in LINK.findall(page)}

    first, links = await read("/register?sort=number&order=asc&state=approval")
    second, back = await read(links["next"])
    assert (first, second) == (cases[:2], cases[2:])
    assert set(links) == {"next"}
    assert set(back) == {"prev"}
    assert "state=approval" in back["prev"]
    assert await read(back["prev"]) == (first, links)


async def test_a_day_that_is_none_is_refused_on_the_page_also_where_a_table_was_asked_for(
    desk: ReviewDesk, portal: Portal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ListQuery, "LENGTH", 2)
    for _ in range(3):
        desk.submitted()
    reviewer = await portal.signed_in("reviewer")

    for filter_ in ("department", "camera", "pick"):  # what no id has is refused, and breaks nothing
        assert (await reviewer.get("/register", params={filter_: "\x1b[31m"})).status_code == 422
    refused = await reviewer.get("/register", params={"since": "soon", "form": "csv"})

    assert refused.status_code == 422
    assert len(ROW.findall(refused.text)) == 2
    assert 'rel="next"' in refused.text
    assert 'value="works"' in refused.text, "the departments to choose from"

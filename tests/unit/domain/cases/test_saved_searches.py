"""Each person's own searches of the register, by name, and the columns that the person chose."""

from collections.abc import Iterator
from typing import Any

import pytest
from portal_client import Portal
from review_desk import ReviewDesk

from services.database.tables.saved_searches import SavedSearch
from services.domain.cases import saved_searches
from services.domain.cases.pages.register_view import ListQuery
from services.runtime.errors import NotFound, Refused

QUERY = "state=approval&camera=camera&footage_since=2031-03-01"


@pytest.fixture
def desk(any_database_url: str) -> Iterator[ReviewDesk]:
    desk = ReviewDesk(any_database_url)
    yield desk
    desk.close()


def names(desk: ReviewDesk, by: str = "reviewer") -> list[str]:
    return [row.name for row in desk.run(saved_searches.list_own, by=by)]


def refused(desk: ReviewDesk, *call: Any) -> str:
    with pytest.raises(Refused) as refusal:
        desk.run(*call, by="reviewer")
    return refusal.value.code


def test_searches_are_saved_renamed_and_deleted_by_their_person_alone(desk: ReviewDesk) -> None:
    mine = desk.run(saved_searches.save, " 北门三月 ", QUERY, by="reviewer")
    desk.run(saved_searches.save, "北门三月", "text=x", by="head")
    assert (names(desk), mine.query) == (["北门三月"], QUERY)
    for act, *words in ((saved_searches.rename, "x"), (saved_searches.delete,)):
        with pytest.raises(NotFound):
            desk.run(act, mine.id, *words, by="head")
    desk.run(saved_searches.rename, mine.id, "北门", by="reviewer")
    desk.run(saved_searches.rename, mine.id, "北门", by="reviewer")  # as it is called already
    assert names(desk) == ["北门"]
    desk.run(saved_searches.delete, mine.id, by="reviewer")
    assert (names(desk), names(desk, "head")) == ([], ["北门三月"])


def test_a_name_is_one_line_and_taken_once_and_there_are_thirty_at_most(desk: ReviewDesk) -> None:
    for number in range(saved_searches.MOST - 1):
        desk.run(saved_searches.save, f"{number}", "", by="reviewer")
    for name in ("", "  ", "长" * 61, "a\nb", "a\x00"):
        assert refused(desk, saved_searches.save, name, "") == "search-name-wrong"
    assert refused(desk, saved_searches.save, "7", "") == "search-name-taken"
    last = desk.run(saved_searches.save, "长" * 60, "", by="reviewer")
    assert refused(desk, saved_searches.save, "one more", "") == "too-many-searches"
    assert refused(desk, saved_searches.rename, last.id, "7") == "search-name-taken"
    assert refused(desk, saved_searches.save, "x", "text=" + "x" * 2000) == "too-many-searches"
    assert len(names(desk)) == saved_searches.MOST


def test_what_makes_a_search_is_what_the_page_asks_for() -> None:
    for_a_page_alone = {"page", "form", "place", "camera_search", "pick"}
    assert set(saved_searches.PARAMETERS) == set(ListQuery.model_fields) - for_a_page_alone
    given = f"{QUERY}&place=x&form=csv&evil=1&state="
    assert saved_searches.known_part(given) == QUERY
    with pytest.raises(Refused, match="too long"):
        saved_searches.known_part("text=" + "x" * 2000)


async def test_a_search_is_saved_on_the_page_and_opened_again(desk: ReviewDesk) -> None:
    async with Portal(desk) as portal:
        browser = await portal.signed_in("reviewer")
        saved = await browser.post("/register/searches", data={"name": "北门", "query": QUERY})
        assert (saved.status_code, saved.headers["location"]) == (303, f"/register?{QUERY}")
        page = (await browser.get(f"/register?{QUERY}")).text
        link = f'<a href="/register?{QUERY.replace("&", "&amp;")}" aria-current="true">北门</a>'
        assert link in page
        again = await browser.post("/register/searches", data={"name": "北门", "query": QUERY})
        assert (again.status_code, "已有同名的查找" in again.text, 'value="2031-03-01"' in again.text) == (
            409,
            True,
            True,
        )
        row = desk.the(SavedSearch)
        at = f"/register/searches/{row.id}"
        assert (await browser.post(at, data={"name": "南门", "query": QUERY})).headers["location"].endswith(QUERY)
        assert (await browser.post(at, data={"name": "", "query": "since=x"})).status_code == 422
        assert desk.the(SavedSearch).name == "南门"
        head = await portal.signed_in("head")
        assert [(await head.post(path, data={"name": "x"})).status_code for path in (at, f"{at}/delete")] == [404, 404]
        assert "南门" not in (await head.get("/register")).text
        assert (await browser.post(f"{at}/delete")).headers["location"] == "/register"
        assert desk.all(SavedSearch) == []


async def test_the_api_has_the_same_searches(desk: ReviewDesk) -> None:
    async with Portal(desk) as portal:
        browser = await portal.signed_in("reviewer")
        made = await browser.post("/api/register/searches", json={"name": "北门", "query": QUERY})
        assert (made.status_code, made.json()["query"]) == (201, QUERY)
        at = f"/api/register/searches/{made.json()['id']}"
        assert (await browser.put(at, json={"name": "南门"})).json()["name"] == "南门"
        assert [row["name"] for row in (await browser.get("/api/register/searches")).json()] == ["南门"]
        head = await portal.signed_in("head")
        assert [(await head.put(at, json={"name": "x"})).status_code, (await head.delete(at)).status_code] == [404, 404]
        assert ((await browser.delete(at)).status_code, (await browser.get(at[:-37])).json()) == (204, [])


async def test_each_person_chooses_the_columns(desk: ReviewDesk) -> None:
    desk.submitted(title="三号门货物丢失", incident_reference="SJ-77")
    async with Portal(desk) as portal:
        browser, other = [await portal.signed_in(login) for login in ("reviewer", "security-head")]

        async def shown(client: Any) -> list[bool]:
            page = (await client.get("/register")).text
            return [f'<td data-label="{name}"' in page for name in ("录像", "用途", "事件或文书编号")]

        assert await shown(browser) == [True, True, False]
        answer = await browser.post(
            "/register/columns", data={"columns": ["incident", "footage", "no such"], "query": QUERY}
        )
        assert answer.headers["location"] == f"/register?{QUERY}"
        assert (await shown(browser), await shown(other)) == ([True, False, True], [True, True, False])
        assert "三号门货物丢失" in (await browser.get("/register")).text
        await browser.post("/register/columns", data={"query": ""})
        assert await shown(browser) == [False, False, False]
        await browser.post("/register/columns", data={"act": "usual"})
        assert await shown(browser) == [True, True, False]

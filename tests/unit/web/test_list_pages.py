"""Every list of the pages searches, sorts by its headers, pages and gives itself as CSV."""

import html
import re
from collections.abc import Iterator
from urllib.parse import urljoin

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute
from inspected_engine import with_one_stuck
from portal_client import Portal
from review_desk import ReviewDesk

from services.app.web import routers_of
from services.web.lists import ListQuery

READER = {"/admin": "admin", "/storage": "operator", "/register": "reviewer"}


def lists() -> Iterator[tuple[str, type[ListQuery]]]:
    """The addresses whose question is a list's."""
    for router in routers_of("pages"):
        yield from _lists_of(router, "")


def _lists_of(router: APIRouter, before: str) -> Iterator[tuple[str, type[ListQuery]]]:
    for route in router.routes:
        if isinstance(inner := getattr(route, "original_router", None), APIRouter):  # included, and kept as it is
            yield from _lists_of(inner, before + router.prefix)
        if isinstance(route, APIRoute):
            for parameter in route.dependant.query_params:
                kind = parameter.field_info.annotation
                if isinstance(kind, type) and issubclass(kind, ListQuery) and not route.path.endswith(".csv"):
                    yield before + route.path, kind


LISTS = {path: kind for path, kind in lists() if "{" not in path}


def reader(path: str) -> str:
    return next((login for start, login in READER.items() if path.startswith(start)), "drafter")


def test_the_lists_are_found() -> None:
    own = {"/register", "/register/copies-out", "/register/next-overwritten"}
    included = {"/admin/recorders", "/admin/engine/instances", "/admin/engine/incidents", "/admin/engine/jobs"}
    assert own | included <= set(LISTS)


@pytest.mark.slow
@pytest.mark.parametrize("path", LISTS)
async def test_each_order_of_a_list_is_an_answer(desk: ReviewDesk, portal: Portal, path: str) -> None:
    desk.submitted()
    portal.app.state.dependencies["engine"] = with_one_stuck()[0]
    browser = await portal.signed_in(reader(path))

    for sort in LISTS[path].SORTS:
        for order in ("asc", "desc"):
            for language in ("zh", "en"):
                browser.cookies.set("footage_desk_language", language)
                answer = await browser.get(f"{path}?sort={sort}&order={order}")
                assert answer.status_code == 200, f"{path} {sort} {order}"
                assert_the_header_says_it(answer.text, sort, order)


@pytest.mark.parametrize("path", LISTS)
async def test_a_list_is_searched_and_what_was_looked_for_stays(desk: ReviewDesk, portal: Portal, path: str) -> None:
    desk.submitted()
    portal.app.state.dependencies["engine"] = with_one_stuck()[0]
    browser = await portal.signed_in(reader(path))

    found = await browser.get(f"{path}?text=no%20such%20%25%20thing")
    [link] = re.findall(r'href="([^"]*(?:\.csv\?|form=csv)[^"]*)"', found.text)
    table = await browser.get(urljoin(f"{path}?", html.unescape(link)))

    assert found.status_code == 200
    assert re.search(r'name="text"[^>]*value="no such % thing"', found.text)
    assert "<tbody>" not in found.text
    assert table.headers["content-type"].startswith("text/csv")
    assert len(table.text.strip().splitlines()) == 1  # the header
    assert (await browser.get(f"{path}?page=10001")).status_code == 422


def assert_the_header_says_it(page: str, sort: str, order: str) -> None:
    """Where there are lines: the column says how it is sorted, and its link turns it round."""
    if "<thead>" not in page:
        return
    said = re.findall(r'<th[^>]*aria-sort="(\w+)"[^>]*><a href="/[^"?]*\?[^"]*sort=(\w+)&amp;order=(\w+)"', page)
    falling = order == "desc"
    assert said == [("descending" if falling else "ascending", sort, "asc" if falling else "desc")]

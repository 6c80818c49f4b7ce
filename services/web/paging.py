"""Addresses of the pages around one that begins behind a row (``database.keyset``)."""

from typing import TypeVar

from fastapi import Request, Response

from services.database.keyset import Page

Line = TypeVar("Line")


def lines_of(page: Page[Line], request: Request, response: Response) -> list[Line]:
    """Return the page's lines, and name the pages around it in the header Link (RFC 8288, `prev` and `next`)."""
    links = [
        f'<{request.url.path}?{request.url.include_query_params(place=place).query}>; rel="{rel}"'
        for rel, place in (("prev", page.previous), ("next", page.next))
        if place
    ]
    if links:
        response.headers["Link"] = ", ".join(links)
    return page.lines

"""Addresses of the pages around one that begins behind a row (``database.keyset``)."""

from typing import Any

from fastapi import Request

from services.database.keyset import Page


def page_links(request: Request, page: Page[Any]) -> str:
    """Return the value of the header Link (RFC 8288) with the previous and the next page; empty without either."""
    return ", ".join(
        f'<{request.url.path}?{request.url.include_query_params(place=place).query}>; rel="{rel}"'
        for rel, place in (("prev", page.previous), ("next", page.next))
        if place
    )

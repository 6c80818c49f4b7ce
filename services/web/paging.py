"""Lists of the API that are read page by page: each begins behind a row (``database.keyset``)."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response

from services.database.keyset import Line, Page


@dataclass(frozen=True)
class PagedAnswer:
    """The answer of a route that returns a page: its lines, and beside them where the pages around it are."""

    request: Request
    response: Response

    def lines(self, page: Page[Line]) -> list[Line]:
        """Return the lines of the page; the header Link (RFC 8288) names the previous and the next page."""
        if links := ", ".join(self._links(page)):
            self.response.headers["Link"] = links
        return page.lines

    def _links(self, page: Page[Any]) -> list[str]:
        return [
            f'<{self.request.url.path}?{self.request.url.include_query_params(place=place).query}>; rel="{rel}"'
            for rel, place in (("prev", page.previous), ("next", page.next))
            if place
        ]


async def paged_answer(request: Request, response: Response) -> PagedAnswer:
    return PagedAnswer(request, response)


Paged = Annotated[PagedAnswer, Depends(paged_answer)]

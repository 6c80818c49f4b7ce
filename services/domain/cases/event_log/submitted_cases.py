"""Read the cases that were submitted in a period, page by page."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select
from sqlalchemy.orm import Session

from services.database import keyset
from services.database.tables.applications import Application

CASES_AT_ONCE = 500
OLDEST_FIRST = keyset.Section((Application.listed_at.expression, Application.id.expression))


def read_pages(
    session: Session, query: Select[*tuple[Any, ...]], since: datetime | None, until: datetime | None
) -> Iterator[Sequence[Row[*tuple[Any, ...]]]]:
    """Yield the applications submitted from ``since`` and before ``until``, the oldest first; None for no limit.

    The query of ``Application`` names the columns of a row, to which ``listed_at`` and ``id`` are added. One statement
    a page.
    """
    query = query.where(Application.submitted_at.is_not(None))
    if since is not None:
        query = query.where(Application.listed_at >= since)
    if until is not None:
        query = query.where(Application.listed_at < until)
    place: keyset.Place | None = None
    while True:
        page, _, place = keyset.rows_at(
            session, query, [OLDEST_FIRST], descending=False, limit=CASES_AT_ONCE, place=place
        )
        if page:
            yield page
        if place is None:
            return

"""Show my notices: open one by its link, mark all as read, filter the unread (R30)."""

from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, get_args

from fastapi import APIRouter, Query
from fastapi.responses import Response

from services.database.listing import Listing
from services.database.unit_of_work import UnitOfWork
from services.domain.applications.pages import about
from services.domain.applications.schemas import CaseAbout
from services.domain.cases import footage as case_footage
from services.domain.notifications import queries, service
from services.domain.notifications.queries import NoticeLine
from services.runtime.translations import Message
from services.web import lists
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter()

NOTHING = CaseAbout(title=None, purpose_category="")


class ListQuery(lists.ListQuery):
    SORTS: ClassVar = get_args(queries.Sort)
    FALLING: ClassVar = frozenset({"created", "number"})
    LENGTH: ClassVar = 20

    unread: bool = False


@router.get("/notices")
async def list_notices(visitor: Visiting, database: GivenDatabase, query: Annotated[ListQuery, Query()]) -> Response:
    """List my notices, newest first."""
    part = query.listing(visitor.language)
    lines, abouts = await database.read(visitor.actor, _read, part, unread_only=query.unread)
    if query.as_csv:
        return _csv(visitor, lines, abouts)
    return visitor.page("notifications/list.html", abouts=abouts, **query.shown(lines))


def _read(uow: UnitOfWork, listing: Listing, *, unread_only: bool) -> tuple[list[NoticeLine], Mapping[str, CaseAbout]]:
    """Return the notices, and what the cases are about that the person may see."""
    lines = queries.list_own(uow, listing, unread_only=unread_only)
    return lines, case_footage.list_abouts(
        uow, {line.application_id for line in lines if line.application_id is not None}
    )


@router.post("/notices/read")
async def mark_all_read(visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    await database.run(visitor.actor, service.mark_all_read)
    return visitor.redirect("/notices", Message("All notices were marked as read."))


@router.post("/notices/{notice_id}/read")
async def mark_read(notice_id: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Mark one as read; with ``open`` redirect to its page."""
    line = await database.run(visitor.actor, queries.mark_read, notice_id)
    if typed.text("open"):
        return visitor.redirect(line.link)
    return visitor.redirect("/notices?unread=true" if typed.text("unread") else "/notices")


def _csv(visitor: Visitor, lines: Sequence[NoticeLine], abouts: Mapping[str, CaseAbout]) -> Response:
    _ = visitor.translated
    header = [_("Notice"), _("Application"), _("When"), _("Read"), _("Done"), *about.header(visitor)]
    rows = [
        [
            line.message.translate(visitor.language),
            line.number,
            lists.written(visitor, line.created_at),
            lists.written(visitor, line.read_at),
            lists.written(visitor, line.done_at),
            *about.cells(visitor, abouts.get(line.application_id or "", NOTHING)),
        ]
        for line in lines
    ]
    return lists.csv_answer(visitor, _("Notices"), header, rows)

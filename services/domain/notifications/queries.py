"""Read a person's notices for pages and API: text, application's number and title, link."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from services.database.listing import EVERYTHING, Listing
from services.database.tables.notices import Notice
from services.database.unit_of_work import UnitOfWork
from services.domain.notifications import service
from services.domain.notifications.texts import get_text, link_path
from services.runtime.translations import Text, Worded

Sort = Literal["created", "number", "read"]


@dataclass(frozen=True)
class NoticeLine(Worded):
    """One notice; ``link`` is a path of the portal."""

    id: str
    code: str
    application_id: str | None
    subject_id: str | None
    number: str | None
    title: str | None
    message: Text
    link: str
    created_at: datetime
    read_at: datetime | None
    done_at: datetime | None


def list_own(uow: UnitOfWork, listing: Listing = EVERYTHING, *, unread_only: bool = False) -> list[NoticeLine]:
    """List the acting person's notices, newest first."""
    return _lines(uow, service.list_own(uow, listing, unread_only=unread_only))


def mark_read(uow: UnitOfWork, notice_id: str) -> NoticeLine:
    """Mark one as read; NotFound for those of others."""
    [line] = _lines(uow, [service.mark_read(uow, notice_id)])
    return line


def _lines(uow: UnitOfWork, rows: list[Notice]) -> list[NoticeLine]:
    stages = service.get_stages(uow, {row.subject_id for row in rows if row.subject_id is not None})
    numbers = service.get_numbers(uow, {row.application_id for row in rows if row.application_id is not None})
    titles = service.get_titles(uow, {row.application_id for row in rows if row.application_id is not None})
    return [
        NoticeLine(
            id=row.id,
            code=row.code,
            application_id=row.application_id,
            subject_id=row.subject_id,
            number=numbers.get(row.application_id or ""),
            title=titles.get(row.application_id or ""),
            message=get_text(row.code, stages.get(row.subject_id or "")).message,
            link=link_path(row.code, row.application_id, row.subject_id),
            created_at=row.created_at,
            read_at=row.read_at,
            done_at=row.done_at,
        )
        for row in rows
    ]

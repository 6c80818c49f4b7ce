"""Deadlines towards people outside: what is still open of them, for pages and lists (R3, R58)."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Select, and_, case, or_, select

from services.database.due_rows import due_columns
from services.database.tables.applications import Application
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.applications import outsiders
from services.domain.cases.schemas.case import OutsideDeadline
from services.domain.cases.schemas.lists import OutsideLine

MOST_READ = 50
LETTER = and_(
    Application.letter_due_at.is_not(None),
    Application.original_letter.is_(None),
    Application.letter_first.is_not(None),
)
ANSWER = and_(Application.answer_due_at.is_not(None), Application.answered_at.is_(None))


def list_open(application: Application) -> list[OutsideDeadline]:
    """List the deadlines of a case that are not met yet, the nearest first."""
    if application.closed_at is not None:
        return []
    found = []
    if application.letter_due_at is not None and outsiders.lacks_letter(application):
        found.append(OutsideDeadline(kind="letter", due_at=application.letter_due_at))
    if application.answer_due_at is not None and application.answered_at is None:
        found.append(OutsideDeadline(kind="answer", due_at=application.answer_due_at))
    return sorted(found, key=lambda one: one.due_at)


def list_nearest(uow: UnitOfWork, limit: int) -> list[OutsideLine]:
    """List the nearest open deadlines of all cases to Security and supervision, who see them all; nothing to others.

    Without those that concern the actor (T8).
    """
    if not _sees_all(uow):
        return []
    first = case((LETTER, Application.letter_due_at), else_=Application.answer_due_at)
    query = select(Application).where(Application.closed_at.is_(None), or_(LETTER, ANSWER))
    rows = uow.session.scalars(query.order_by(first, Application.id).limit(MOST_READ)).all()
    return _lines(row for row in rows if uow.actor.id not in row.subject_ids)[:limit]


def select_due(uow: UnitOfWork) -> list[Select[*tuple[Any, ...]]]:
    """Select the deadlines that ``list_nearest`` lists, each kind by itself, as ``due_dates`` reads them."""
    if not _sees_all(uow):
        return []
    return [
        select(*due_columns(kind, Application.id, Application.number, due_at, own=False)).where(
            Application.closed_at.is_(None), is_open, ~visibility.concerns(uow.actor.id)
        )
        for kind, is_open, due_at in (
            ("outside-letter", LETTER, Application.letter_due_at),
            ("outside-answer", ANSWER, Application.answer_due_at),
        )
    ]


def _sees_all(uow: UnitOfWork) -> bool:
    me, directory = str(uow.actor.id), access_queries.load_directory(uow)
    return directory.holds(me, "security-reviewer", "supervisor") or directory.holds_in(
        me, "security", "head", "deputy"
    )


def _lines(rows: Iterable[Application]) -> list[OutsideLine]:
    """Return the open deadlines of these cases, the nearest first."""
    lines = [
        OutsideLine(application_id=row.id, number=row.number, title=row.title, kind=one.kind, due_at=one.due_at)
        for row in rows
        for one in list_open(row)
    ]
    return sorted(lines, key=lambda line: line.due_at)

"""Due dates: what waits for the actor and until when; for who watches over cases also what others owe.

Each source is read by the query that its own list is read by, so nobody finds a date here of what is hidden from them
there. Only what is still open has a due date. The number of statements does not depend on the number of rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import Select, and_, literal, select, true
from sqlalchemy.orm import load_only

from services.database.due_rows import Span, due_columns, first_of_each, united
from services.database.tables.applications import Application
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.cases import consent_queries, inbox, outside, register, states
from services.domain.cases import footage as case_footage
from services.domain.cases.schemas.lists import DueDate
from services.domain.custody import queries as custody_queries
from services.domain.holds import queries as hold_queries
from services.domain.matters.violations import queries as violation_queries
from services.domain.packages import service as package_service
from services.domain.supervision import queries as supervision_queries
from services.domain.work_orders import queries as work_order_queries
from services.runtime.translations import Message
from services.web import menu

MOST = 300  # of one kind
NOT_ALL = Message(
    "Not everything is shown, only the first {number} of each kind: the lists have the others.", number=MOST
)


@dataclass(frozen=True)
class Period:
    """From ``begin`` up to ``end``; with ``before`` also what was due before the beginning."""

    begin: datetime
    end: datetime
    before: bool


@dataclass(frozen=True)
class DueDates:
    """What is due in a period, and what was due before it, the first due first; at most ``MOST`` of each kind in each.

    ``cut`` and ``before_cut``: there is more than was read.
    """

    due: list[DueDate]
    before: list[DueDate]
    cut: bool
    before_cut: bool


# where what ``_of_sources`` reads leads to, by its kind
_PAGES = {
    "work-order": "/work-orders/{}",
    "work-order-verification": "/work-orders/{}",
    "correction": "/applications/{}/edit",
    "inspection": "/supervision/cases/{}",
    "use-period": "/cases/{}",
    "outside-letter": "/cases/{}",
    "outside-answer": "/cases/{}",
    "hold-review": "/holds",
}


@dataclass
class _Reading:
    """What was read of a period, by kind and id."""

    period: Period
    found: dict[tuple[str, str], DueDate] = field(default_factory=dict)
    cut: bool = False
    before_cut: bool = False

    @property
    def spans(self) -> list[Span]:
        due = Span(self.period.begin, self.period.end)
        return [Span(None, self.period.begin), due] if self.period.before else [due]

    def add(self, lines: Iterable[DueDate]) -> None:
        for one in lines:
            self.found.setdefault((one.kind, one.id), one)

    def add_first(self, lines: Sequence[DueDate]) -> None:
        """Add what one source has, of each span one more than ``MOST`` where there are more."""
        for span in self.spans:
            of_span = [one for one in lines if span.covers(one.at)]
            self.cut |= span.since is not None and len(of_span) > MOST
            self.before_cut |= span.since is None and len(of_span) > MOST
            self.add(of_span[:MOST])

    def close(self) -> DueDates:
        lines = sorted(self.found.values(), key=lambda one: (one.at, one.kind, one.number))
        begin, end = self.period.begin, self.period.end
        return DueDates(
            due=[one for one in lines if begin <= one.at < end],
            before=[one for one in lines if one.at < begin] if self.period.before else [],
            cut=self.cut,
            before_cut=self.before_cut,
        )


def list_due(uow: UnitOfWork, period: Period, *, watched: bool = False) -> DueDates:
    """List what is due in the period.

    It is what waits for the actor; with ``watched`` also what others owe in the cases that the actor watches over.
    """
    reading, watches = _Reading(period), watched and may_watch(uow)
    reading.add(_own(uow))
    reading.add_first(_reviews(uow, reading.spans))
    for lines in _of_sources(uow, reading.spans, watched=watches):
        reading.add_first(lines)
    for lines in _overwritten(uow, reading.spans, watched=watches):
        reading.add_first(lines)
    if supervision_queries.is_supervisor(uow):
        reading.add(_reports(uow))
    return reading.close()


def may_watch(uow: UnitOfWork) -> bool:
    """Return whether the actor watches over cases, as the overview shows them."""
    posts = {post.kind for post in access_queries.load_directory(uow).posts_of(str(uow.actor.id))}
    return bool(posts & menu.WATCHES) and not posts & menu.ADMINISTRATOR


def _own(uow: UnitOfWork) -> Iterator[DueDate]:
    """List what waits for the actor and is read whole, since one person has few of it."""
    for consent_id, due_at in consent_queries.list_due(uow):
        yield _due("consent", consent_id, "", due_at, f"/consents/{consent_id}")
    for loan in custody_queries.open_loans(uow):
        address = f"/hand-overs/{loan.id}"
        if loan.due_at is not None:
            yield _due("use-period", loan.id, loan.number, loan.due_at, address)
        elif loan.state == "awaiting-receipt":
            yield _due("receipt", loan.id, loan.number, loan.take_up_until, address)
    for package, application in package_service.list_waiting(uow):
        yield _due(
            "package", package.id, application.number, package_service.lapses_at(package), f"/packages/{package.id}"
        )
    for violation in violation_queries.list_unanswered(uow):
        address = f"/matters/{violation.matter_id}#hearing"
        yield _due("hearing", violation.matter_id, violation.number, violation.reply_until, address)


def _reports(uow: UnitOfWork) -> Iterator[DueDate]:
    for report in supervision_queries.list_to_sign(uow):
        if report.due_at is not None:
            address = f"/supervision/inspections/{report.inspection_id}"
            yield _due("inspection-report", report.inspection_id, report.number, report.due_at, address)


def _reviews(uow: UnitOfWork, spans: Sequence[Span]) -> list[DueDate]:
    found = inbox.list_due(uow, spans, MOST + 1)
    return [_due("review", row.id, row.number, row.due_at, f"/reviews/{row.id}", stage=row.stage) for row in found]


def _of_sources(uow: UnitOfWork, spans: Sequence[Span], *, watched: bool) -> list[list[DueDate]]:
    """Read what SQL alone can tell, own before watched, the first due of each source first; one statement."""
    holds = hold_queries.select_due(uow)
    sources = [work_order_queries.select_waiting_due(uow), _select_corrections(uow)]
    sources.append(holds.where(holds.selected_columns["own"]))
    if supervision_queries.is_supervisor(uow):
        sources.append(supervision_queries.select_due(uow))
    if watched:
        sources += [register.select_loans_due(uow), work_order_queries.select_due(uow), holds]
        sources += outside.select_due(uow)
    queries = [
        one.add_columns(literal(place).label("source"))
        for place, source in enumerate(sources)
        for one in first_of_each(source, spans, source.selected_columns["at"], source.selected_columns["id"], MOST + 1)
    ]
    lines: list[list[DueDate]] = [[] for _ in sources]
    for row in sorted(uow.session.execute(united(queries)), key=lambda row: (row.at, row.id)):
        path = _PAGES[row.kind].format(row.page)
        lines[row.source].append(_due(row.kind, row.id, row.number, row.at, path, own=row.own))
    return lines


def _select_corrections(uow: UnitOfWork) -> Select[*tuple[Any, ...]]:
    columns = due_columns("correction", Application.id, Application.number, Application.correction_until)
    return select(*columns).where(states.is_under_way(), Application.drafter_id == uow.actor.id)


def _overwritten(uow: UnitOfWork, spans: Sequence[Span], *, watched: bool) -> list[list[DueDate]]:
    """Read the cases, own and watched, of which footage lies on a recorder alone that may overwrite it.

    By the first such moment; two statements.
    """
    moment, me = case_footage.overwrite_order(), uow.actor.id
    # SQLite counts these seconds with an error of a tenth of a millisecond: who adds the lines asks for the very moment
    seconds = [
        and_(
            moment < span.until.timestamp() + 1, true() if span.since is None else moment >= span.since.timestamp() - 1
        )
        for span in spans
    ]
    whose = [Application.drafter_id == me, *([visibility.is_visible(uow)] if watched else [])]
    ids = [
        select(Application.id)
        .where(states.is_under_way(), one, within)
        .order_by(moment, Application.id)
        .limit(MOST + 1)
        for one in whose
        for within in seconds
    ]
    query = select(Application).where(Application.id.in_(united(ids)))
    columns = load_only(Application.number, Application.drafter_id, *case_footage.OF_CASE)
    rows = uow.session.scalars(query.options(columns)).all()
    footage = case_footage.read(uow, rows)
    lines = [
        _due("overwrite", row.id, row.number, at, f"/cases/{row.id}", own=row.drafter_id == me)
        for row in rows
        if (at := footage[row.id].overwrite_at) is not None
    ]
    lines.sort(key=lambda one: (one.at, one.id))
    return [[one for one in lines if one.own], lines]


def _due(
    kind: str, of: str, number: str | None, at: datetime, path: str, *, stage: str | None = None, own: bool = True
) -> DueDate:
    return DueDate(kind=kind, id=of, number=number or "", at=at, path=path, stage=stage, own=own)

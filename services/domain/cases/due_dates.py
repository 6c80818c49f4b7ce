"""Due dates: what waits for the actor and until when; for who watches over cases also what others owe.

Each source is read by the query that its own list is read by, so nobody finds a date here of what is hidden from them
there. Only what is still open has a due date. The number of statements does not depend on the number of rows.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import load_only

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


# what one source has from a moment (None: from ever) up to another, at most so many, the first due first
Source = Callable[[UnitOfWork, datetime | None, datetime, int], Iterable[DueDate]]


@dataclass
class _Reading:
    """What was read of a period, by kind and id."""

    uow: UnitOfWork
    period: Period
    found: dict[tuple[str, str], DueDate] = field(default_factory=dict)
    cut: bool = False
    before_cut: bool = False

    def add(self, lines: Iterable[DueDate]) -> None:
        for one in lines:
            self.found.setdefault((one.kind, one.id), one)

    def read(self, source: Source) -> None:
        """Read a source; once more where what was due before may have left no room for the period itself."""
        since = None if self.period.before else self.period.begin
        lines = list(source(self.uow, since, self.period.end, MOST + 1))
        if len(lines) > MOST:
            before = [one for one in lines if one.at < self.period.begin]
            due = list(source(self.uow, self.period.begin, self.period.end, MOST + 1)) if before else lines
            self.cut |= len(due) > MOST
            self.before_cut |= len(before) > MOST
            lines = [*before[:MOST], *due[:MOST]]
        self.add(lines)

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
    reading = _Reading(uow, period)
    reading.add(_own(uow))
    for source in (_reviews, _work_orders, _corrections, _own_overwritten, _own_holds):
        reading.read(source)
    if supervision_queries.is_supervisor(uow):
        reading.read(_inspections)
        reading.add(_reports(uow))
    if watched and may_watch(uow):
        for source in (_watched_loans, _watched_work_orders, _outside, _watched_overwritten, _watched_holds):
            reading.read(source)
    return reading.close()


def may_watch(uow: UnitOfWork) -> bool:
    """Return whether the actor watches over cases, as the overview shows them."""
    posts = {post.kind for post in access_queries.load_directory(uow).posts_of(str(uow.actor.id))}
    return bool(posts & menu.WATCHES) and not posts & menu.ADMINISTRATOR


def _own(uow: UnitOfWork) -> Iterator[DueDate]:
    """List what waits for the actor and is read whole, since one person has few of it."""
    for consent in consent_queries.list_waiting(uow):
        yield _due("consent", consent.id, "", consent.due_at, f"/consents/{consent.id}")
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


def _reviews(uow: UnitOfWork, since: datetime | None, until: datetime, most: int) -> Iterator[DueDate]:
    for row in inbox.list_due(uow, since, until, most):
        yield _due("review", row.id, row.number, row.due_at, f"/reviews/{row.id}", stage=row.stage)


def _work_orders(uow: UnitOfWork, since: datetime | None, until: datetime, most: int) -> Iterator[DueDate]:
    orders, _ = work_order_queries.list_waiting(uow, most, since=since, until=until)
    for order in orders:
        kind = "work-order-verification" if order.to_verify else "work-order"
        yield _due(kind, order.id, order.number, order.due_at, f"/work-orders/{order.id}")


def _inspections(uow: UnitOfWork, since: datetime | None, until: datetime, most: int) -> Iterator[DueDate]:
    for case in supervision_queries.list_own(uow, since=since, until=until, most=most):
        yield _due("inspection", case.id, case.number, case.due_at, f"/supervision/cases/{case.id}")


def _corrections(uow: UnitOfWork, since: datetime | None, until: datetime, most: int) -> Iterator[DueDate]:
    query = (
        select(Application.id, Application.number, Application.correction_until)
        .where(states.is_under_way(), Application.correction_until < until, Application.drafter_id == uow.actor.id)
        .order_by(Application.correction_until, Application.id)
        .limit(most)
    )
    if since is not None:
        query = query.where(Application.correction_until >= since)
    for row in uow.session.execute(query):
        yield _due("correction", row.id, row.number, row.correction_until, f"/applications/{row.id}/edit")


def _watched_loans(uow: UnitOfWork, since: datetime | None, until: datetime, most: int) -> Iterator[DueDate]:
    for loan in register.list_loans_due(uow, since, until, most):
        address = f"/cases/{loan.application_id}"
        yield _due("use-period", loan.hand_over_id, loan.number, loan.due_at, address, own=False)


def _watched_work_orders(uow: UnitOfWork, since: datetime | None, until: datetime, most: int) -> Iterator[DueDate]:
    for order in work_order_queries.list_due(uow, since, until, most):
        yield _due("work-order", order.id, order.number, order.due_at, f"/work-orders/{order.id}", own=False)


def _outside(uow: UnitOfWork, since: datetime | None, until: datetime, most: int) -> Iterator[DueDate]:
    for line in outside.list_due(uow, since, until, most):
        address = f"/cases/{line.application_id}"
        yield _due(f"outside-{line.kind}", line.application_id, line.number, line.due_at, address, own=False)


def _own_holds(uow: UnitOfWork, since: datetime | None, until: datetime, most: int) -> list[DueDate]:
    return _holds(hold_queries.list_due(uow, since, until, most, owned=True))


def _watched_holds(uow: UnitOfWork, since: datetime | None, until: datetime, most: int) -> list[DueDate]:
    return _holds(hold_queries.list_due(uow, since, until, most))


def _holds(found: Iterable[hold_queries.DueHold]) -> list[DueDate]:
    return [_due("hold-review", one.id, one.number, one.review_at, "/holds", own=one.owned) for one in found]


def _own_overwritten(uow: UnitOfWork, since: datetime | None, until: datetime, most: int) -> list[DueDate]:
    return _overwritten(uow, Application.drafter_id == uow.actor.id, since, until, most, own=True)


def _watched_overwritten(uow: UnitOfWork, since: datetime | None, until: datetime, most: int) -> list[DueDate]:
    return _overwritten(uow, visibility.is_visible(uow), since, until, most, own=False)


def _overwritten(
    uow: UnitOfWork,
    whose: ColumnElement[bool],
    since: datetime | None,
    until: datetime,
    most: int,
    *,
    own: bool,
) -> list[DueDate]:
    """List the cases of which footage lies on a recorder alone that may overwrite it, by the first such moment."""
    moment = case_footage.overwrite_order()
    # SQLite counts these seconds with an error of a tenth of a millisecond: ``close`` asks for the very moment
    query = (
        select(Application)
        .where(states.is_under_way(), whose, moment < until.timestamp() + 1)
        .options(load_only(Application.number, *case_footage.OF_CASE))
    )
    if since is not None:
        query = query.where(moment >= since.timestamp() - 1)
    rows = uow.session.scalars(query.order_by(moment, Application.id).limit(most)).all()
    footage = case_footage.read(uow, rows)
    return [
        _due("overwrite", row.id, row.number, at, f"/cases/{row.id}", own=own)
        for row in rows
        if (at := footage[row.id].overwrite_at) is not None
    ]


def _due(
    kind: str, of: str, number: str | None, at: datetime, path: str, *, stage: str | None = None, own: bool = True
) -> DueDate:
    return DueDate(kind=kind, id=of, number=number or "", at=at, path=path, stage=stage, own=own)

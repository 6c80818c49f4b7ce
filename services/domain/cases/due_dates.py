"""Due dates: what waits for the actor and until when; for who watches over cases also what others owe.

Each source is read by the query that its own list is read by, so nobody finds a date here of what is hidden from them
there. Only what is still open has a due date. The number of statements does not depend on the number of rows.
"""

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.cases import consent_queries, inbox, outside, register, states
from services.domain.cases import footage as case_footage
from services.domain.cases.schemas.lists import DueDate
from services.domain.custody import queries as custody_queries
from services.domain.matters.violations import queries as violation_queries
from services.domain.supervision import queries as supervision_queries
from services.domain.work_orders import queries as work_order_queries
from services.web import menu

MOST = 300  # of one kind


def list_due(uow: UnitOfWork, until: datetime, *, watched: bool = False) -> list[DueDate]:
    """List what is due before ``until``, overdue things too, the first due first; at most ``MOST`` of each kind.

    It is what waits for the actor; with ``watched`` also what others owe in the cases that the actor watches over.
    """
    found = {(one.kind, one.id): one for one in _own(uow, until)}
    if watched and may_watch(uow):
        for one in _watched(uow, until):
            found.setdefault((one.kind, one.id), one)
    return sorted((one for one in found.values() if one.at < until), key=lambda one: (one.at, one.kind, one.number))


def may_watch(uow: UnitOfWork) -> bool:
    """Return whether the actor watches over cases, as the overview shows them."""
    posts = {post.kind for post in access_queries.load_directory(uow).posts_of(str(uow.actor.id))}
    return bool(posts & menu.WATCHES) and not posts & menu.ADMINISTRATOR


def _own(uow: UnitOfWork, until: datetime) -> Iterator[DueDate]:
    for row in inbox.list_due(uow, until, MOST):
        yield _due("review", row.id, row.number, row.due_at, f"/reviews/{row.id}", stage=row.stage)
    for consent in consent_queries.list_waiting(uow):
        yield _due("consent", consent.id, "", consent.due_at, f"/consents/{consent.id}")
    for loan in custody_queries.open_loans(uow):
        address = f"/hand-overs/{loan.id}"
        if loan.due_at is not None:
            yield _due("use-period", loan.id, loan.number, loan.due_at, address)
        elif loan.state == "awaiting-receipt":
            yield _due("receipt", loan.id, loan.number, loan.take_up_until, address)
    orders, _ = work_order_queries.list_waiting(uow, MOST)
    for order in orders:
        kind = "work-order-verification" if order.to_verify else "work-order"
        yield _due(kind, order.id, order.number, order.due_at, f"/work-orders/{order.id}")
    duties = supervision_queries.read_own_duties(uow)
    for case in duties.cases:
        yield _due("inspection", case.id, case.number, case.due_at, f"/supervision/cases/{case.id}")
    for report in duties.reports:
        if report.due_at is not None:
            address = f"/supervision/inspections/{report.inspection_id}"
            yield _due("inspection-report", report.inspection_id, report.number, report.due_at, address)
    for violation in violation_queries.list_unanswered(uow):
        address = f"/matters/{violation.matter_id}#hearing"
        yield _due("hearing", violation.matter_id, violation.number, violation.reply_until, address)
    yield from _corrections(uow, until)
    yield from _overwritten(uow, own=True)


def _watched(uow: UnitOfWork, until: datetime) -> Iterator[DueDate]:
    for loan in register.list_loans_due(uow, until, MOST):
        yield _due(
            "use-period", loan.hand_over_id, loan.number, loan.due_at, f"/cases/{loan.application_id}", own=False
        )
    for order in work_order_queries.list_due(uow, until, MOST):
        yield _due("work-order", order.id, order.number, order.due_at, f"/work-orders/{order.id}", own=False)
    for line in outside.list_nearest(uow, MOST):
        address = f"/cases/{line.application_id}"
        yield _due(f"outside-{line.kind}", line.application_id, line.number, line.due_at, address, own=False)
    yield from _overwritten(uow, own=False)


def _corrections(uow: UnitOfWork, until: datetime) -> Iterator[DueDate]:
    query = (
        select(Application.id, Application.number, Application.correction_until)
        .where(states.is_under_way(), Application.correction_until < until, Application.drafter_id == uow.actor.id)
        .order_by(Application.correction_until, Application.id)
        .limit(MOST)
    )
    for row in uow.session.execute(query):
        yield _due("correction", row.id, row.number, row.correction_until, f"/applications/{row.id}/edit")


def _overwritten(uow: UnitOfWork, *, own: bool) -> Iterator[DueDate]:
    """List the cases of which footage lies on a recorder alone that may overwrite it, by the first such moment."""
    moment = case_footage.overwrite_order()
    whose = Application.drafter_id == uow.actor.id if own else visibility.is_visible(uow)
    query = select(Application).where(states.is_under_way(), whose, moment.is_not(None))
    rows = uow.session.scalars(query.order_by(moment, Application.id).limit(MOST)).all()
    footage = case_footage.read(uow, rows)
    for row in rows:
        at = footage[row.id].overwrite_at
        if at is not None:
            yield _due("overwrite", row.id, row.number, at, f"/cases/{row.id}", own=own)


def _due(
    kind: str, of: str, number: str | None, at: datetime, path: str, *, stage: str | None = None, own: bool = True
) -> DueDate:
    return DueDate(kind=kind, id=of, number=number or "", at=at, path=path, stage=stage, own=own)

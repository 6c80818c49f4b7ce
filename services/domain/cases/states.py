"""States of cases: derived from the rows of one case, of many, or in SQL; never stored (F24)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, String, and_, case, false, func, literal, or_, select
from sqlalchemy.orm import aliased

from services.database.tables.applications import Application
from services.database.tables.consents import Consultation
from services.database.tables.custody import HandOver, of_present_issue
from services.database.tables.documents import Document
from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.cases.rows import CaseRows
from services.domain.stages.catalogue import STAGES

STATES = (
    "draft",
    "approval",
    "correction",
    "retrieval",
    "awaiting-receipt",
    "in-use",
    "overdue",
    "return-inspection",
    "closed",
)
CUSTODY = ("awaiting-receipt", "in-use", "overdue", "return-inspection")
# beside those of the query that the state is a column of; to make them for each takes longer than the rest of it
LOAN, REVIEW, FORM = aliased(HandOver), aliased(Review), aliased(Document)


@dataclass(frozen=True)
class State:
    """``code``: draft, approval, correction, retrieval, awaiting-receipt, in-use, overdue, return-inspection, closed.

    ``detail`` is the open stage, the outcome of a closed case, or ``consents`` while joint departments are asked.
    """

    code: str
    detail: str | None = None


def states_of(uow: UnitOfWork, applications: Collection[Application]) -> dict[str, State]:
    """Derive the states of the cases, by id; one statement, however many there are."""
    known = {row.id: row for row in uow.session.execute(_facts([application.id for application in applications]))}
    return {
        application.id: _state(uow.now, application, row.HandOver, asked=row.asked, stage=row.stage, filed=row.filed)
        for application in applications
        for row in [known[application.id]]
    }


def state_of_rows(rows: CaseRows) -> State:
    """Derive the state of the case from rows that are read."""
    open_stages = [row.review.stage for row in rows.reviews if row.review.closed_at is None]
    return _state(
        rows.uow.now,
        rows.application,
        rows.head.hand_over,
        asked=any(consultation.ended_at is None for consultation, _, _ in rows.consents),
        stage=next(iter(open_stages), None),
        filed=any(document.kind == "application-form" for document in rows.documents),
    )


def _state(
    now: datetime,
    application: Application,
    hand_over: HandOver | None,
    *,
    asked: bool,
    stage: str | None,
    filed: bool,
) -> State:
    """Derive the state; ``code`` does the same in SQL, without the detail."""
    if application.closed_at is not None or application.withdrawn_at is not None:
        # of a withdrawn case the process only clears away what was preserved
        return State("closed", application.closed_as or "withdrawn")
    if application.submitted_at is None or application.correction_until is not None:
        code = "draft" if application.submitted_at is None else "correction"
        return State(code, "consents" if asked else None)
    if hand_over is not None:
        return State(_custody(now, hand_over))
    if stage in STAGES.of_phase("approval") or not filed:
        return State("approval", stage)
    return State("retrieval", stage)


def _custody(now: datetime, hand_over: HandOver) -> str:
    if hand_over.returned_at is not None:
        return "return-inspection"
    if hand_over.accepted_at is None:
        return "awaiting-receipt"
    overdue = hand_over.due_at is not None and hand_over.due_at <= now
    return "overdue" if overdue else "in-use"


def _facts(ids: Collection[str]) -> Select[*tuple[Any, ...]]:
    """Select what the state of each case rests on."""
    asked = select(Consultation.id).where(
        Consultation.application_id == Application.id, Consultation.ended_at.is_(None)
    )
    stage = (
        select(Review.stage)
        .where(Review.application_id == Application.id, Review.matter_id.is_(None), Review.closed_at.is_(None))
        .order_by(Review.opened_at, Review.id)
        .limit(1)
    )
    filed = select(Document.number).where(
        Document.application_id == Application.id, Document.kind == "application-form"
    )
    return (
        select(
            Application.id,
            HandOver,
            asked.exists().label("asked"),
            stage.scalar_subquery().label("stage"),
            filed.exists().label("filed"),
        )
        .outerjoin(HandOver, of_present_issue())
        .where(Application.id.in_(ids))
    )


def code(now: datetime) -> ColumnElement[str]:
    """Derive the state's code in SQL, as a column of a query on ``Application``; one of ``STATES``."""
    custody, approving = _custody_in_sql(now), _is_approving()
    return case(
        (is_over(), literal("closed", String)),
        (Application.submitted_at.is_(None), "draft"),
        (Application.correction_until.is_not(None), "correction"),
        else_=func.coalesce(custody, case((approving, "approval"), else_="retrieval")),
    )


def is_in(state: str, now: datetime) -> ColumnElement[bool]:
    """Build the condition on ``Application`` that ``code`` derives this state; false for what is none.

    A list that is filtered by a state finds its cases by this, from columns that are indexed, and derives the state of
    none but those it shows.
    """
    custody, correcting = _custody_in_sql(now), Application.correction_until.is_not(None)
    if state == "closed":
        return is_over()
    if state == "draft":
        return and_(Application.submitted_at.is_(None), ~is_over())
    if state == "correction":
        return and_(is_under_way(), correcting)
    if state in CUSTODY:
        return and_(is_under_way(), ~correcting, custody == state)
    if state not in STATES:
        return false()
    approving = _is_approving() if state == "approval" else ~_is_approving()
    return and_(is_under_way(), ~correcting, custody.is_(None), approving)


def _custody_in_sql(now: datetime) -> ColumnElement[str | None]:
    """Derive the state of the case's loan as ``_custody`` does; NULL without one.

    A value and no EXISTS, for which PostgreSQL would read all loans first (490 ms with 100,000 cases, instead of 37).
    """
    state = case(
        (LOAN.returned_at.is_not(None), literal("return-inspection", String)),
        (LOAN.accepted_at.is_(None), "awaiting-receipt"),
        (LOAN.due_at <= now, "overdue"),
        else_="in-use",
    )
    of_issue = (LOAN.application_id == Application.id, LOAN.issue == Application.issue)
    return select(state).where(*of_issue).correlate(Application).scalar_subquery()


def _is_approving() -> ColumnElement[bool]:
    """Select whether a case without a loan is still being approved: a review is open, or its form is not filed."""
    in_approval = select(REVIEW.id).where(
        REVIEW.application_id == Application.id,
        REVIEW.closed_at.is_(None),
        REVIEW.stage.in_(STAGES.of_phase("approval")),
    )
    filed = select(FORM.id).where(FORM.application_id == Application.id, FORM.kind == "application-form").limit(1)
    return or_(in_approval.correlate(Application).exists(), filed.correlate(Application).scalar_subquery().is_(None))


def place(now: datetime) -> ColumnElement[int]:
    """Derive the number of the state's place in ``STATES``, to sort by."""
    return case({state: number for number, state in enumerate(STATES)}, value=code(now))


def is_over() -> ColumnElement[bool]:
    """Select what is closed, or withdrawn and about to be."""
    return or_(Application.closed_at.is_not(None), Application.withdrawn_at.is_not(None))


def is_under_way() -> ColumnElement[bool]:
    """Select what is handed in, and neither closed nor withdrawn."""
    return and_(
        Application.submitted_at.is_not(None), Application.closed_at.is_(None), Application.withdrawn_at.is_(None)
    )

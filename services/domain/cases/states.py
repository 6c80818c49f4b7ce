"""Where cases stand, in SQL: what ``cases.state`` says of one application, for lists that filter and count."""

from datetime import datetime

from sqlalchemy import ColumnElement, String, and_, case, literal, or_, select
from sqlalchemy.orm import aliased

from services.database.tables.applications import Application
from services.database.tables.custody import HandOver
from services.database.tables.documents import Document
from services.database.tables.reviews import Review
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


def code(now: datetime) -> ColumnElement[str]:
    """The state's code as a column of a query on ``Application``; one of ``STATES``."""
    hand_over, review, form = aliased(HandOver), aliased(Review), aliased(Document)
    handed = hand_over.application_id == Application.id
    in_approval = select(review.id).where(
        review.application_id == Application.id,
        review.closed_at.is_(None),
        review.stage.in_(STAGES.of_phase("approval")),
    )
    filed = select(form.number).where(form.application_id == Application.id, form.kind == "application-form")

    def is_handed(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
        return select(hand_over.id).where(handed, *conditions).correlate(Application).exists()

    return case(
        (or_(Application.closed_at.is_not(None), Application.withdrawn_at.is_not(None)), literal("closed", String)),
        (Application.submitted_at.is_(None), "draft"),
        (Application.correction_until.is_not(None), "correction"),
        (is_handed(hand_over.returned_at.is_not(None)), "return-inspection"),
        (is_handed(hand_over.accepted_at.is_(None)), "awaiting-receipt"),
        (is_handed(hand_over.due_at.is_not(None), hand_over.due_at <= now), "overdue"),
        (is_handed(), "in-use"),
        (or_(in_approval.correlate(Application).exists(), ~filed.correlate(Application).exists()), "approval"),
        else_="retrieval",
    )


def is_under_way() -> ColumnElement[bool]:
    """Handed in, and neither closed nor withdrawn."""
    return and_(
        Application.submitted_at.is_not(None), Application.closed_at.is_(None), Application.withdrawn_at.is_(None)
    )

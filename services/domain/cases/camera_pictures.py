"""The picture by which an operator knows a camera before releasing its footage (R31, R34, docs/failures.md F7)."""

from dataclasses import dataclass
from datetime import datetime

from services.database.tables.reviews import Review
from services.database.unit_of_work import UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.access import visibility
from services.domain.audit import trail as audit_trail
from services.domain.cameras import measurements
from services.domain.retrieval import preservations
from services.domain.reviews import service as review_service
from services.runtime.errors import NotFound, Refused
from services.runtime.spans import Span
from services.runtime.translations import Message


@dataclass(frozen=True)
class PictureSource:
    """The source of a picture, and its moment."""

    source: measurements.Source
    at: datetime


def get_source(uow: UnitOfWork, review_id: str, item_id: str, at: datetime | None = None) -> PictureSource:
    """Return where an item's picture is, for those who may release it or confirm that; reading it is an event.

    ``at`` lies inside the approved span, by default at its start. Refused outside it, and to everybody else.
    """
    review = uow.session.get(Review, review_id)
    if review is None or review.stage != "storage-release":
        raise NotFound(Message("release"), review_id)
    visibility.readable(uow, review)
    if review.closed_at is not None:
        raise Refused("review-closed", "This review is closed already.")
    second = review_service.open_proposal(uow, review) is not None
    refusal = access_policy.refusal_for(
        access_queries.directory(uow),
        access_queries.facts(uow, review.application_id),
        review,
        uow.actor.id,
        second=second,
    )
    if refusal is not None:
        raise refusal
    items = preservations.items_in_scope(uow, review.application_id)
    item = next((item for item in items if item.id == item_id), None)
    if item is None:
        raise NotFound(Message("item"), item_id)
    start, end = item.granted_start or item.asked_start, item.granted_end or item.asked_end
    at = at or start
    require_inside(Span(start, end), at)
    audit_trail.record(
        uow,
        "picture-read",
        "item",
        item_id,
        application_id=review.application_id,
        review=review_id,
        moment=at.isoformat(),
    )
    return PictureSource(measurements.source_of(uow, item), at)


def require_inside(granted: Span, at: datetime) -> None:
    """Raise Refused for a moment outside the approved span."""
    if not granted.start <= at < granted.end:
        raise Refused(
            "outside-scope",
            "Only the approved span can be looked at: choose a moment inside it.",
            status=422,
            field="at",
        )

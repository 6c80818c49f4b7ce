"""What a reviewer sees: the open reviews, the most pressing first, and one review with all that belongs to it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select

from services.register import audit, cases, decisions, duties, findings, scopes, visibility
from services.register.applications import Application, Revision
from services.register.people import Person
from services.register.reviews import Decision, Finding, Proposal, Review
from services.register.stages import STAGES, Stage
from services.register.unit import Unit
from services.runtime.errors import NotFound, Refused

NEVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Waiting:
    """One line of the inbox. ``to_confirm``: somebody has decided and a second person is to confirm."""

    review: Review
    number: str | None
    overwrite_at: datetime | None
    to_confirm: bool


@dataclass(frozen=True)
class View:
    """One review for the person who reads it; ``why_not`` is None where that person may decide (or confirm) it."""

    review: Review
    stage: Stage
    number: str | None
    revision: Revision
    findings: list[Finding]
    granted: list[dict[str, Any]]
    marks: dict[str, bool]
    use_days: int
    way_of_use: str
    earlier: list[tuple[Decision, str]]
    proposal: Proposal | None
    second_person: bool
    claimed_by: str | None
    decision: Decision | None
    why_not: Refused | None


def mine(unit: Unit) -> list[Waiting]:
    """The open reviews that the acting person may decide or confirm now; what is overwritten first comes first."""
    receipts = (Review.stage == "receipt") & (Application.custodian_id == unit.actor.id)
    query = (
        select(Review)
        .join(Application, Application.id == Review.application_id)
        .where(Review.closed_at.is_(None), receipts | Review.stage.in_(duties.stages_of(unit, unit.actor.id)))
        .order_by(Review.due_at)
    )
    waiting = []
    for review in unit.session.scalars(query).all():
        if not any(unit.actor.id in pool for pool in duties.pools(unit, review)):
            continue
        to_confirm = decisions.open_proposal(unit, review) is not None
        if duties.why_not(unit, review, unit.actor.id, second=to_confirm) is None:
            application = unit.session.get_one(Application, review.application_id)
            overwrite_at = cases.nearest_overwrite(unit, application)
            waiting.append(Waiting(review, application.number, overwrite_at, to_confirm))
    return sorted(waiting, key=lambda line: (line.overwrite_at or NEVER, line.review.due_at))


def view(unit: Unit, review_id: str) -> View:
    """The review, for those who hold a post for it and those who may see the case; the look is on the trail (F20)."""
    review = unit.session.get(Review, review_id)
    if review is None:
        raise NotFound("审核", "review", review_id)
    visibility.readable(unit, review)
    application = unit.session.get_one(Application, review.application_id)
    revision = unit.session.scalar(
        select(Revision).where(Revision.application_id == application.id, Revision.round == review.round)
    )
    if revision is None:
        raise NotFound("申请表", "form", application.id)
    audit.record(unit, "review-read", "review", review.id, application_id=application.id)
    proposal = decisions.open_proposal(unit, review)
    earlier = select(Decision).where(Decision.application_id == application.id).order_by(Decision.decided_at)
    return View(
        review=review,
        stage=STAGES[review.stage],
        number=application.number,
        revision=revision,
        findings=findings.of_round(unit, application.id, review.round),
        granted=scopes.granted(unit, application),
        marks={mark: bool(getattr(application, mark)) for mark in scopes.MARKS},
        use_days=application.granted_use_days or scopes.use_days(unit, application, None),
        way_of_use=application.granted_way_of_use or application.way_of_use,
        earlier=[
            (row, name_of(unit, row.decided_by)) for row in unit.session.scalars(earlier) if row.review_id != review.id
        ],
        proposal=proposal,
        second_person=decisions.needs_second_person(application, review),
        claimed_by=name_of(unit, review.claimed_by) if review.claimed_by else None,
        decision=unit.session.scalar(select(Decision).where(Decision.review_id == review.id)),
        why_not=_why_not(unit, review, second=proposal is not None),
    )


def name_of(unit: Unit, person_id: str) -> str:
    return unit.session.get_one(Person, person_id).name


def _why_not(unit: Unit, review: Review, *, second: bool) -> Refused | None:
    if review.closed_at is not None:
        return Refused("review-closed", "此项审核已经结束。", "This review is closed already.")
    if review.stage == "receipt":
        return Refused(
            "receipt-elsewhere", "请在移交页面签收或拒收副本。", "Accept or decline on the hand-over's page."
        )
    return duties.why_not(unit, review, unit.actor.id, second=second)

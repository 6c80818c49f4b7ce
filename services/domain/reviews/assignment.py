"""Who works on a review: claimed, put back, or given to another candidate, several at once too."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sqlalchemy import select

from services.database.tables.applications import Application
from services.database.tables.reviews import Review
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.access import policy as access_policy
from services.domain.access import queries as access_queries
from services.domain.access import reviews as access_reviews
from services.domain.audit import trail as audit_trail
from services.domain.notifications import service as notification_service
from services.domain.reviews import service, tasks
from services.runtime.errors import NotFound, Refused


@dataclass(frozen=True)
class Tried:
    """What became of one of several reviews; ``number`` is that of its case, None where the actor may not see it."""

    review_id: str
    number: str | None
    refusal: Refused | None


async def try_each(
    database: Database, actor: Actor, act: Callable[[UnitOfWork, str], Review], review_ids: Iterable[str]
) -> list[Tried]:
    """Do the act with each of the reviews, in a unit of its own: one that is refused leaves the others done."""
    tried = []
    for review_id in dict.fromkeys(review_ids):
        refusal = None
        try:
            await database.run(actor, act, review_id)
        except Refused as error:
            refusal = error
        tried.append(Tried(review_id, await database.read(actor, _find_number, review_id), refusal))
    return tried


def reassign(uow: UnitOfWork, review_id: str, person_id: str) -> Review:
    """Give a claimed review to another candidate, as head or deputy of the department in charge; tell that person."""
    review = tasks.lock_open(uow, review_id)
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, review.application_id)
    refusal = access_policy.reassignment_refusal(directory, facts, review, uow.actor.id)
    if refusal is not None:
        raise refusal
    service.require_no_proposal(uow, review)
    if review.claimed_by is None:
        raise Refused("not-claimed", "Nobody has claimed this review: it can be claimed by anyone who may decide it.")
    if person_id not in list_others(uow, review):
        raise Refused(
            "not-a-candidate",
            "This person cannot decide the review now: choose a person from the list.",
            status=422,
            field="personId",
        )
    before, review.claimed_by, review.claimed_at = review.claimed_by, person_id, uow.now
    audit_trail.record(
        uow,
        "review-reassigned",
        "review",
        review_id,
        application_id=review.application_id,
        stage=review.stage,
        claimed_by=before,
        given_to=person_id,
    )
    notification_service.notify(
        uow, person_id, "review-assigned", application_id=review.application_id, subject_id=review_id
    )
    return review


def list_others(uow: UnitOfWork, review: Review) -> list[str]:
    """List who may decide the review now, beside the one who has claimed it."""
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, review.application_id)
    people = access_policy.candidates(directory, facts, review)
    return [person_id for person_id in people if person_id != review.claimed_by]


def may_reassign(uow: UnitOfWork, review: Review) -> bool:
    """Return whether the actor may give the review to somebody else now."""
    if review.closed_at is not None or review.claimed_by is None:
        return False
    directory, facts = access_queries.load_directory(uow), access_queries.load_facts(uow, review.application_id)
    return access_policy.reassignment_refusal(directory, facts, review, uow.actor.id) is None


def _find_number(uow: UnitOfWork, review_id: str) -> str | None:
    row = uow.session.execute(
        select(Review, Application.number)
        .join(Application, Application.id == Review.application_id)
        .where(Review.id == review_id)
    ).one_or_none()
    try:
        if row is not None:
            access_reviews.require_readable(uow, row[0])
            return str(row.number) if row.number is not None else None
    except NotFound:
        pass
    return None

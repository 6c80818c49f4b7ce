"""Reviews: my inbox, one review with its questions, and claim, decide, confirm (R22 to R27, R33, R34, R39)."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query

from services.database.keyset import Page
from services.database.unit_of_work import UnitOfWork
from services.domain.accounts.signatures.http import signed
from services.domain.cases import inbox as case_inbox
from services.domain.process.api import EngineHere
from services.domain.reviews import assignment, ending, questions, service, tasks
from services.domain.reviews.schemas import (
    BarredReview,
    ClaimedReview,
    ConfirmationBody,
    DecidedReview,
    DecisionBody,
    InboxQuestion,
    QuestionBody,
    ReassignmentBody,
    ReassignmentsBody,
    ReviewsBody,
    ReviewView,
    TriedReview,
    WaitingReview,
)
from services.web.dependencies import GivenDatabase, GivenEngineClient
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.paging import Paged
from services.web.problem import Problem
from services.web.schemas import PageParameters

router = APIRouter(prefix="/api/reviews", tags=["reviews"])


@router.get("", responses=problems(401))
async def my_reviews(
    asked: Annotated[InboxQuestion, Query()],
    actor: Acting,
    database: GivenDatabase,
    paged: Paged,
) -> list[WaitingReview]:
    """Return the open reviews that I may decide or confirm now; whose footage is overwritten first comes first.

    The header `Link` has the addresses of the pages around this one (RFC 8288, `prev` and `next`).
    """

    def read(uow: UnitOfWork) -> Page[WaitingReview]:
        return case_inbox.read_waiting(uow, asked.listing(), stage=asked.stage or "")

    return paged.lines(await database.read(actor, read))


@router.get("/conflicts", responses=problems(401))
async def conflicts(
    asked: Annotated[PageParameters, Query()],
    actor: Acting,
    database: GivenDatabase,
    paged: Paged,
) -> list[BarredReview]:
    """Return the open reviews of my posts that a conflict keeps from me, and who can decide them.

    The header `Link` has the addresses of the pages around this one (RFC 8288, `prev` and `next`).
    """
    return paged.lines(await database.read(actor, case_inbox.read_barred, asked.listing()))


@router.get("/claimed", responses=problems(401))
async def claimed(
    asked: Annotated[PageParameters, Query()],
    actor: Acting,
    database: GivenDatabase,
    paged: Paged,
) -> list[ClaimedReview]:
    """Return the claimed reviews that I may give to somebody else, as head or deputy of the department in charge.

    The header `Link` has the addresses of the pages around this one (RFC 8288, `prev` and `next`).
    """
    return paged.lines(await database.read(actor, case_inbox.read_claimed, asked.listing()))


@router.post("/reassign", responses=problems(401, 403, 422))
async def reassign_several(body: ReassignmentsBody, actor: Acting, database: GivenDatabase) -> list[TriedReview]:
    """Give several claimed reviews to one candidate; each one that is refused says why, and the others are given."""
    act = partial(assignment.reassign, person_id=body.person_id)
    return [_tried(one) for one in await assignment.try_each(database, actor, act, body.review_ids)]


@router.post("/claim", responses=problems(401, 403, 422))
async def claim_several(body: ReviewsBody, actor: Acting, database: GivenDatabase) -> list[TriedReview]:
    """Claim several reviews; each one that is refused says why, and the others are claimed."""
    tried = await assignment.try_each(database, actor, tasks.claim, body.review_ids)
    return [_tried(one) for one in tried]


@router.post("/unclaim", responses=problems(401, 403, 422))
async def unclaim_several(body: ReviewsBody, actor: Acting, database: GivenDatabase) -> list[TriedReview]:
    """Put several reviews back; each one that is refused says why, and the others are put back."""
    tried = await assignment.try_each(database, actor, tasks.unclaim, body.review_ids)
    return [_tried(one) for one in tried]


def _tried(one: assignment.Tried) -> TriedReview:
    refusal = Problem.of(one.refusal) if one.refusal is not None else None
    return TriedReview(review_id=one.review_id, number=one.number, refusal=refusal)


@router.get("/{review_id}", responses=problems(401, 404))
async def read_review(review_id: str, actor: Acting, database: GivenDatabase) -> ReviewView:
    """Return one review with its questions, the form and its hash, and what the checks found."""
    return await database.read(actor, case_inbox.get_review, review_id)


@router.post("/{review_id}/claim", responses=problems(*USUAL))
async def claim(review_id: str, actor: Acting, database: GivenDatabase) -> ReviewView:
    """Claim the review, so that nobody else works on it."""

    def act(uow: UnitOfWork) -> ReviewView:
        tasks.claim(uow, review_id)
        return case_inbox.get_review(uow, review_id)

    return await database.run(actor, act)


@router.post("/{review_id}/reassign", responses=problems(*USUAL))
async def reassign(review_id: str, body: ReassignmentBody, actor: Acting, database: GivenDatabase) -> ReviewView:
    """Give a claimed review to another candidate, as head or deputy of the department in charge."""

    def act(uow: UnitOfWork) -> ReviewView:
        assignment.reassign(uow, review_id, body.person_id)
        return case_inbox.get_review(uow, review_id)

    return await database.run(actor, act)


@router.post("/{review_id}/unclaim", responses=problems(*USUAL))
async def unclaim(review_id: str, actor: Acting, database: GivenDatabase) -> ReviewView:
    """Return a claimed review to all who may decide it."""

    def act(uow: UnitOfWork) -> ReviewView:
        tasks.unclaim(uow, review_id)
        return case_inbox.get_review(uow, review_id)

    return await database.run(actor, act)


@router.post("/{review_id}/questions", responses=problems(*USUAL))
async def ask_applicant(review_id: str, asked: QuestionBody, actor: Acting, database: GivenDatabase) -> ReviewView:
    """Ask the applicant; the review stays open and its limit goes on."""

    def act(uow: UnitOfWork) -> ReviewView:
        questions.ask(uow, review_id, asked.text)
        return case_inbox.get_review(uow, review_id)

    return await database.run(actor, act)


@router.post("/{review_id}/decide", responses=signed(*USUAL))
async def decide(
    review_id: str,
    decision: DecisionBody,
    actor: Acting,
    database: GivenDatabase,
    *,
    engine: GivenEngineClient,
    here: EngineHere,
) -> DecidedReview:
    """Decide and sign a review."""
    await ending.close_if_ended(database, engine, review_id, here)
    decided = await database.run(actor, service.decide, review_id, **decision.arguments())
    return DecidedReview.model_validate(decided)


@router.post("/{review_id}/confirm", responses=signed(*USUAL))
async def confirm(
    review_id: str,
    word: ConfirmationBody,
    actor: Acting,
    database: GivenDatabase,
    *,
    engine: GivenEngineClient,
    here: EngineHere,
) -> DecidedReview:
    """Confirm a release as the second person, or disagree."""
    await ending.close_if_ended(database, engine, review_id, here)
    decided = await database.run(actor, service.confirm, review_id, **word.arguments())
    return DecidedReview.model_validate(decided)

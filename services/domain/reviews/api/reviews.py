"""Reviews: my inbox, one review with its questions, and claim, decide, confirm (R22 to R27, R33, R34, R39)."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.database.unit_of_work import Unit
from services.domain.accounts.signatures.http import signed
from services.domain.cases import inbox as case_inbox
from services.domain.reviews import service, tasks
from services.domain.reviews.api.schemas import (
    BarredAnswer,
    ConfirmationBody,
    DecidedAnswer,
    DecisionBody,
    InboxQuestion,
    ReviewAnswer,
    WaitingReviewAnswer,
    barred_answer,
    review_answer,
    waiting,
)
from services.web.dependencies import Books
from services.web.errors import USUAL, problems
from services.web.identity import Acting

router = APIRouter(prefix="/api/reviews", tags=["reviews"])


@router.get("", responses=problems(401))
async def my_reviews(
    asked: Annotated[InboxQuestion, Query()], actor: Acting, books: Books
) -> list[WaitingReviewAnswer]:
    """The open reviews that I may decide or confirm now; whose footage is overwritten first comes first."""

    def read(unit: Unit) -> list[WaitingReviewAnswer]:
        lines = case_inbox.chosen(
            case_inbox.mine(unit),
            stage=asked.stage or "",
            search=asked.search,
            sort=asked.sort,
            descending=asked.descending,
        )
        return [waiting(line) for line in lines]

    return await books.run(actor, read)


@router.get("/conflicts", responses=problems(401))
async def conflicts(actor: Acting, books: Books) -> list[BarredAnswer]:
    """The open reviews that my post would bring me and a conflict keeps from me, and who can decide them."""
    return await books.run(actor, lambda unit: [barred_answer(one) for one in case_inbox.barred(unit)])


@router.get("/{review_id}", responses=problems(401, 404))
async def read_review(review_id: str, actor: Acting, books: Books) -> ReviewAnswer:
    """One review with its questions, the form and its hash, and what the checks found."""
    return await books.run(actor, lambda unit: review_answer(unit, case_inbox.view(unit, review_id)))


@router.post("/{review_id}/claim", responses=problems(*USUAL))
async def claim(review_id: str, actor: Acting, books: Books) -> ReviewAnswer:
    """Take the review on, so that nobody else works on it."""

    def act(unit: Unit) -> ReviewAnswer:
        tasks.claim(unit, review_id)
        return review_answer(unit, case_inbox.view(unit, review_id))

    return await books.run(actor, act)


@router.post("/{review_id}/put-back", responses=problems(*USUAL))
async def put_back(review_id: str, actor: Acting, books: Books) -> ReviewAnswer:
    """Give a claimed review back to all who may decide it."""

    def act(unit: Unit) -> ReviewAnswer:
        tasks.put_back(unit, review_id)
        return review_answer(unit, case_inbox.view(unit, review_id))

    return await books.run(actor, act)


@router.post("/{review_id}/decide", responses=signed(*USUAL))
async def decide(review_id: str, decision: DecisionBody, actor: Acting, books: Books) -> DecidedAnswer:
    """Decide and sign a review."""
    decided = await books.run(actor, service.decide, review_id, **decision.arguments())
    return DecidedAnswer.model_validate(decided)


@router.post("/{review_id}/confirm", responses=signed(*USUAL))
async def confirm(review_id: str, word: ConfirmationBody, actor: Acting, books: Books) -> DecidedAnswer:
    """Confirm a release as the second person, or disagree."""
    decided = await books.run(actor, service.confirm, review_id, **word.arguments())
    return DecidedAnswer.model_validate(decided)

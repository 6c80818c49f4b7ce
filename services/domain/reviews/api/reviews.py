"""Reviews: my inbox, one review with its questions, and claim, decide, confirm (R22 to R27, R33, R34, R39)."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.database.unit_of_work import UnitOfWork
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
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting

router = APIRouter(prefix="/api/reviews", tags=["reviews"])


@router.get("", responses=problems(401))
async def my_reviews(
    asked: Annotated[InboxQuestion, Query()], actor: Acting, database: GivenDatabase
) -> list[WaitingReviewAnswer]:
    """The open reviews that I may decide or confirm now; whose footage is overwritten first comes first."""

    def read(uow: UnitOfWork) -> list[WaitingReviewAnswer]:
        lines = case_inbox.chosen(
            case_inbox.mine(uow),
            stage=asked.stage or "",
            search=asked.search,
            sort=asked.sort,
            descending=asked.descending,
        )
        return [waiting(line) for line in lines]

    return await database.run(actor, read)


@router.get("/conflicts", responses=problems(401))
async def conflicts(actor: Acting, database: GivenDatabase) -> list[BarredAnswer]:
    """The open reviews that my post would bring me and a conflict keeps from me, and who can decide them."""
    return await database.run(actor, lambda uow: [barred_answer(one) for one in case_inbox.barred(uow)])


@router.get("/{review_id}", responses=problems(401, 404))
async def read_review(review_id: str, actor: Acting, database: GivenDatabase) -> ReviewAnswer:
    """One review with its questions, the form and its hash, and what the checks found."""
    return await database.run(actor, lambda uow: review_answer(uow, case_inbox.view(uow, review_id)))


@router.post("/{review_id}/claim", responses=problems(*USUAL))
async def claim(review_id: str, actor: Acting, database: GivenDatabase) -> ReviewAnswer:
    """Take the review on, so that nobody else works on it."""

    def act(uow: UnitOfWork) -> ReviewAnswer:
        tasks.claim(uow, review_id)
        return review_answer(uow, case_inbox.view(uow, review_id))

    return await database.run(actor, act)


@router.post("/{review_id}/put-back", responses=problems(*USUAL))
async def put_back(review_id: str, actor: Acting, database: GivenDatabase) -> ReviewAnswer:
    """Give a claimed review back to all who may decide it."""

    def act(uow: UnitOfWork) -> ReviewAnswer:
        tasks.put_back(uow, review_id)
        return review_answer(uow, case_inbox.view(uow, review_id))

    return await database.run(actor, act)


@router.post("/{review_id}/decide", responses=signed(*USUAL))
async def decide(review_id: str, decision: DecisionBody, actor: Acting, database: GivenDatabase) -> DecidedAnswer:
    """Decide and sign a review."""
    decided = await database.run(actor, service.decide, review_id, **decision.arguments())
    return DecidedAnswer.model_validate(decided)


@router.post("/{review_id}/confirm", responses=signed(*USUAL))
async def confirm(review_id: str, word: ConfirmationBody, actor: Acting, database: GivenDatabase) -> DecidedAnswer:
    """Confirm a release as the second person, or disagree."""
    decided = await database.run(actor, service.confirm, review_id, **word.arguments())
    return DecidedAnswer.model_validate(decided)

"""Reviews: my inbox, one review with its questions, and claim, decide, confirm (R22 to R27, R33, R34, R39)."""

from fastapi import APIRouter

from services.portal.api.dependencies import Books
from services.portal.api.errors import USUAL, problems
from services.portal.api.review_shapes import (
    ConfirmationBody,
    DecidedAnswer,
    DecisionBody,
    ReviewAnswer,
    WaitingAnswer,
    review_answer,
    waiting,
)
from services.portal.api.session import Acting
from services.register import decisions, inbox, review_tasks
from services.register.scopes import Classification, Granting, Narrowed
from services.register.signatures import Proof
from services.register.unit import Unit

router = APIRouter(prefix="/api/reviews", tags=["reviews"])


@router.get("", responses=problems(401))
async def my_reviews(actor: Acting, books: Books) -> list[WaitingAnswer]:
    """The open reviews that I may decide or confirm now; whose footage is overwritten first comes first."""

    def read(unit: Unit) -> list[WaitingAnswer]:
        return [waiting(line) for line in inbox.mine(unit)]

    return await books.run(actor, read)


@router.get("/{review_id}", responses=problems(401, 404))
async def read_review(review_id: str, actor: Acting, books: Books) -> ReviewAnswer:
    """One review with its questions, the form and its hash, and what the checks found."""
    return await books.run(actor, lambda unit: review_answer(unit, inbox.view(unit, review_id)))


@router.post("/{review_id}/claim", responses=problems(*USUAL))
async def claim(review_id: str, actor: Acting, books: Books) -> ReviewAnswer:
    """Take the review on, so that nobody else works on it."""

    def act(unit: Unit) -> ReviewAnswer:
        review_tasks.claim(unit, review_id)
        return review_answer(unit, inbox.view(unit, review_id))

    return await books.run(actor, act)


@router.post("/{review_id}/put-back", responses=problems(*USUAL))
async def put_back(review_id: str, actor: Acting, books: Books) -> ReviewAnswer:
    """Give a claimed review back to all who may decide it."""

    def act(unit: Unit) -> ReviewAnswer:
        review_tasks.put_back(unit, review_id)
        return review_answer(unit, inbox.view(unit, review_id))

    return await books.run(actor, act)


@router.post("/{review_id}/decide", responses=problems(*USUAL))
async def decide(review_id: str, decision: DecisionBody, actor: Acting, books: Books) -> DecidedAnswer:
    """Decide and sign a review."""
    decided = await books.run(
        actor,
        decisions.decide,
        review_id,
        outcome=decision.outcome,
        answers=decision.answers,
        proof=Proof(decision.form_sha256, decision.password),
        reason=decision.reason,
        opinion=decision.opinion,
        classification=Classification(decision.important_information, decision.sensitive_event, decision.high_impact),
        granting=Granting(
            tuple(Narrowed(span.item_id, span.start, span.end) for span in decision.scope),
            decision.use_period_days,
            decision.way_of_use,
        ),
    )
    return DecidedAnswer.model_validate(decided)


@router.post("/{review_id}/confirm", responses=problems(*USUAL))
async def confirm(review_id: str, word: ConfirmationBody, actor: Acting, books: Books) -> DecidedAnswer:
    """Confirm a release as the second person, or disagree."""
    decided = await books.run(
        actor,
        decisions.confirm,
        review_id,
        agrees=word.agrees,
        proof=Proof(word.form_sha256, word.password),
        reason=word.reason,
    )
    return DecidedAnswer.model_validate(decided)

"""Serve the legal holds as JSON."""

from collections.abc import Callable
from typing import Annotated, Concatenate, ParamSpec

from fastapi import APIRouter, Query

from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.domain.holds import queries, service
from services.domain.holds.schemas import HoldBody, HoldsAnswer, LiftBody, ReviewBody
from services.domain.matters import held
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Identifier, PageParameters

P = ParamSpec("P")


class HoldsQuestion(PageParameters):
    """``lifted``: those that were lifted, in the place of the open ones."""

    lifted: bool = False


router = APIRouter(prefix="/api/holds", tags=["holds"])
ACTS = problems(401, 403, 404, 409, 422)


@router.get("", responses=problems(401, 403))
async def list_holds(
    actor: Acting, database: GivenDatabase, question: Annotated[HoldsQuestion, Query()]
) -> HoldsAnswer:
    """List the open holds by their review dates, or with ``lifted`` those that were lifted, the last first."""
    return await database.read(actor, queries.list_open, question.listing(), lifted=question.lifted)


@router.post("", responses=ACTS)
async def place_hold(body: HoldBody, actor: Acting, database: GivenDatabase) -> HoldsAnswer:
    """Hold a case at once: nothing of it is discarded or disposed of, and the stores hold what it has there.

    It is a matter, ``matterId``, by which Legal confirms the hold; a refusal lifts it.
    """
    named = body.model_dump(exclude={"number"})
    return await _after(database, actor, held.place, body.number, **named)


@router.post("/{legal_hold_id}/review", responses=ACTS)
async def review_hold(
    legal_hold_id: Identifier, body: ReviewBody, actor: Acting, database: GivenDatabase
) -> HoldsAnswer:
    """Keep a hold for another term, maybe with another owner."""
    return await _after(database, actor, service.review, legal_hold_id, body.owner_id)


@router.post("/{legal_hold_id}/ask-lift", responses=ACTS)
async def ask_to_lift_hold(
    legal_hold_id: Identifier, body: LiftBody, actor: Acting, database: GivenDatabase
) -> HoldsAnswer:
    """Ask that a hold is lifted: a matter, ``liftMatterId``, which Legal and the head of Security decide."""
    return await _after(database, actor, held.ask_lift, legal_hold_id, body.because)


async def _after(
    database: Database,
    actor: Actor,
    act: Callable[Concatenate[UnitOfWork, str, P], object],
    subject: str,
    *given: P.args,
    **named: P.kwargs,
) -> HoldsAnswer:
    def run(uow: UnitOfWork) -> HoldsAnswer:
        act(uow, subject, *given, **named)
        uow.session.flush()
        return queries.list_open(uow, HoldsQuestion().listing())

    return await database.run(actor, run)

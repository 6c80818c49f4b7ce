"""Turn the clock of a demonstration."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from services.web.dependencies import GivenTurnClock
from services.web.errors import problems
from services.web.identity import Acting
from services.web.schemas import Body, Done

router = APIRouter(prefix="/api/demo", tags=["demo"])


class Turn(Body):
    seconds: Annotated[int, Field(ge=0, le=366 * 86400)]


@router.post("/clock", responses=problems(401, 403, 404))
async def turn(by: Turn, _actor: Acting, turn_clock: GivenTurnClock) -> Done:
    """Turn the clock forward; there is no way back. Only a demo has this."""
    return Done(at=turn_clock(timedelta(seconds=by.seconds)))

"""The engine as a page is given it: for administrators, by the token that the form itself carries."""

from typing import Annotated

from fastapi import Depends, Request

from services.domain.process.api import allow, engine
from services.domain.process.engine_view import EngineDesk
from services.web.dependencies import GivenDatabase
from services.web.visitor import Visiting


async def administrators_engine(request: Request, visitor: Visiting, database: GivenDatabase) -> EngineDesk:
    """Refused for everybody else, whether there is an engine or not."""
    await allow(database, visitor.actor)
    return engine(request)


GivenEngine = Annotated[EngineDesk, Depends(administrators_engine)]

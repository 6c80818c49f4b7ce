"""The engine as a page is given it: for administrators, by the token that the form itself carries."""

from typing import Annotated

from fastapi import Depends, Request

from services.domain.process.api import get_engine, require_administrator
from services.domain.process.engine_view import EngineInspection
from services.web.dependencies import GivenDatabase
from services.web.visitor import Visiting


async def administrators_engine(request: Request, visitor: Visiting, database: GivenDatabase) -> EngineInspection:
    """Refused for everybody else, whether there is an engine or not."""
    await require_administrator(database, visitor.actor)
    return get_engine(request)


GivenEngine = Annotated[EngineInspection, Depends(administrators_engine)]

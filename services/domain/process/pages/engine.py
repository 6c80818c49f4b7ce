"""Give pages the engine, for administrators only."""

from typing import Annotated

from fastapi import Depends, Request

from services.domain.process.api import get_engine, require_administrator
from services.domain.process.engine_view import EngineInspection
from services.web.dependencies import GivenDatabase
from services.web.visitor import Visiting


async def administrators_engine(request: Request, visitor: Visiting, database: GivenDatabase) -> EngineInspection:
    """Return the engine; Refused for everybody else, also without an engine."""
    await require_administrator(database, visitor.actor)
    return get_engine(request)


GivenEngine = Annotated[EngineInspection, Depends(administrators_engine)]

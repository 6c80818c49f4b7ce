"""Serve the handling rules of the confidentiality levels as JSON (R56)."""

from fastapi import APIRouter

from services.database.unit_of_work import UnitOfWork
from services.domain.handling import service
from services.domain.handling.levels import FLOOR
from services.domain.handling.schemas import (
    HandlingBody,
    HandlingChangeAnswer,
    LevelAnswer,
    change_answer,
    level_answer,
)
from services.web.dependencies import GivenDatabase
from services.web.errors import USUAL, problems
from services.web.identity import Acting
from services.web.schemas import Identifier

router = APIRouter(prefix="/api/admin/handling", tags=["administration"])


@router.get("", responses=problems(401, 403))
async def list_levels(actor: Acting, database: GivenDatabase) -> list[LevelAnswer]:
    """Return the rules of every level, for administrators, the head of Security and supervisors."""
    found = await database.read(actor, service.list_levels)
    return [level_answer(level, rules, FLOOR[level]) for level, rules in found.items()]


@router.get("/history", responses=problems(401, 403))
async def list_history(actor: Acting, database: GivenDatabase) -> list[HandlingChangeAnswer]:
    """Return all changes, the newest first."""
    return [change_answer(change) for change in await database.read(actor, service.list_changes)]


@router.put("/{level}", responses=problems(*USUAL))
async def change_level(level: Identifier, body: HandlingBody, actor: Acting, database: GivenDatabase) -> LevelAnswer:
    """Change the rules of a level, as an administrator; a second person has to confirm it before."""

    def act(uow: UnitOfWork) -> LevelAnswer:
        service.change_level(uow, level, body.handling(), body.reason, version=body.version)
        return level_answer(level, service.read_in_force(uow)[level], FLOOR[level])

    return await database.run(actor, act)

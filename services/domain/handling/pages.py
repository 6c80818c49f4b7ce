"""Serve the pages of the handling rules: all levels, and the form of one (R56)."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from services.database.tables.applications import WAYS_OF_USE
from services.database.unit_of_work import Database, UnitOfWork
from services.domain.access import administrators
from services.domain.handling import service
from services.domain.handling.levels import FLOOR
from services.domain.handling.schemas import HandlingBody
from services.runtime.errors import Refused
from services.runtime.labels import Label
from services.runtime.translations import Message
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed, TypedForm
from services.web.schemas import Identifier
from services.web.visitor import Visiting, Visitor

router = APIRouter(prefix="/admin/handling")


@router.get("")
async def list_levels(visitor: Visiting, database: GivenDatabase) -> Response:
    """Show the rules of every level."""
    levels = await database.read(visitor.actor, service.list_levels)
    return visitor.page("handling/levels.html", levels=levels)


@router.get("/{level}")
async def show_level(level: Identifier, visitor: Visiting, database: GivenDatabase) -> Response:
    """Show one level, the form to change it, and its history."""
    return await _page(level, visitor, database)


@router.post("/{level}")
async def change_level(level: Identifier, visitor: Visiting, typed: Typed, database: GivenDatabase) -> Response:
    """Change the rules of a level, which a second person has to confirm before."""
    try:
        given: dict[str, Any] = {name: typed.text(name) or None for name in ("maxUseDays", "checkInDays")}
        flags = {name: typed.text(name) == "true" for name in ("redactedOutside", "twoPeople")}
        body = typed.body(HandlingBody, **given, **flags)
        await database.run(
            visitor.actor, service.change_level, level, body.handling(), body.reason, version=body.version
        )
    except Refused as refusal:
        if refusal.status in (403, 404):
            raise
        return await _page(level, visitor, database, refusal=refusal, typed=typed)
    return visitor.redirect(
        f"/admin/handling/{level}",
        Message("The rules of the level {level} are changed.", level=Label(f"level-{level}")),
    )


async def _page(
    level: str,
    visitor: Visitor,
    database: Database,
    *,
    refusal: Refused | None = None,
    typed: TypedForm | None = None,
) -> Response:
    def read(uow: UnitOfWork) -> dict[str, Any]:
        return {
            "rules": service.get_level(uow, level),
            "changes": service.list_changes(uow, level),
            "administers": administrators.is_administrator(uow),
        }

    view = await database.read(visitor.actor, read)
    return visitor.page(
        "handling/level.html",
        refusal.status if refusal else 200,
        level=level,
        floor=FLOOR[level],
        ways=WAYS_OF_USE,
        **view,
        refusal=refusal,
        typed=typed,
    )

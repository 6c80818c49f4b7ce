"""Show the results of the command ``doctor`` as a page."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.app.api.doctor import doctor
from services.domain.access import administrators
from services.web.dependencies import GivenDatabase
from services.web.visitor import Visiting

router = APIRouter(prefix="/admin/doctor")


@router.get("")
async def examine(visitor: Visiting, database: GivenDatabase, request: Request) -> Response:
    """Examine every part of the set-up; for administrators."""
    await database.read(visitor.actor, administrators.require_administrator)
    lines = await doctor(request)()
    if visitor.is_htmx:
        return visitor.part("app/_doctor.html", lines=lines)
    return visitor.page("app/doctor.html", lines=lines)

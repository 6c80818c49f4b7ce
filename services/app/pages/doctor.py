"""The examination of the set-up as a page; the command ``doctor`` says the same."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.app.api.doctor import doctor
from services.domain.access import administrators
from services.web.dependencies import GivenDatabase
from services.web.visitor import Visiting

router = APIRouter(prefix="/admin/doctor")


@router.get("")
async def examine(visitor: Visiting, database: GivenDatabase, request: Request) -> Response:
    """Every part of the set-up, looked at now; for administrators."""
    await database.run(visitor.actor, administrators.require_administrator)
    lines = await doctor(request)()
    template = "app/_doctor.html" if visitor.is_htmx else "app/doctor.html"
    make = visitor.part if visitor.is_htmx else visitor.page
    return make(template, lines=lines)

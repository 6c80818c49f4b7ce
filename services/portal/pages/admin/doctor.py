"""The examination of the set-up as a page; the command ``doctor`` says the same."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from services.portal.api.dependencies import Books
from services.portal.api.doctor import doctor
from services.portal.pages.visitor import Visiting
from services.register import administration

router = APIRouter(prefix="/admin/doctor")


@router.get("")
async def examine(visitor: Visiting, books: Books, request: Request) -> Response:
    """Every part of the set-up, looked at now; for administrators."""
    await books.run(visitor.actor, administration.require_administrator)
    lines = await doctor(request)()
    template = "admin/_examined.html" if visitor.hurried else "admin/doctor.html"
    make = visitor.part if visitor.hurried else visitor.page
    return make(template, lines=lines)

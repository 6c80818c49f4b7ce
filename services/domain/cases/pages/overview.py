"""The overview page, and the switch between Chinese and English."""

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from services.domain.cases.overview import get_overview
from services.web import cookies, menu
from services.web import language as languages
from services.web.dependencies import GivenDatabase
from services.web.forms import Typed
from services.web.visitor import Visiting, own_path

router = APIRouter()


@router.get("/")
async def show(visitor: Visiting, database: GivenDatabase) -> Response:
    """Return what is waiting, what is about to be overwritten, who holds what, what is overdue."""
    view = await database.read(visitor.actor, get_overview, visitor.posts)
    return visitor.page("cases/overview.html", overview=view, decides=bool(visitor.posts & menu.DECIDES))


@router.post("/language")
async def switch_language(request: Request, typed: Typed) -> Response:
    """Switch this browser's language and go back to the page. Changes nothing else, so it needs no token."""
    answer = RedirectResponse(own_path(typed.text("back")), 303)
    language = languages.known_or_default(typed.text("language"))
    cookies.write_language(request, answer, language)
    return answer

"""The sign-in page."""

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.portal import cookies
from services.portal.api.dependencies import Books
from services.portal.api.session import place_of
from services.portal.pages import language as languages
from services.portal.pages.forms import Typed, TypedForm
from services.portal.pages.home.routes import own_path
from services.portal.pages.templates import render
from services.portal.pages.visitor import Visiting
from services.register import signing_in
from services.runtime.errors import Refused

router = APIRouter()


@router.get("/sign-in")
async def ask(request: Request, next: str = "/") -> Response:
    """The page that asks who it is."""
    return _page(request, next)


@router.post("/sign-in")
async def sign_in(request: Request, books: Books, typed: Typed) -> Response:
    """Sign in and go on to the page that was asked for."""
    try:
        signed_in = await signing_in.sign_in(books, typed.text("login"), typed.text("password"), place_of(request))
    except Refused as refusal:
        return _page(request, typed.text("next", "/"), typed, refusal)
    answer = RedirectResponse(own_path(typed.text("next", "/")), 303)
    cookies.write(request, answer, cookies.SESSION, signed_in.token)
    return answer


@router.post("/sign-out")
async def sign_out(visitor: Visiting) -> Response:
    """End the session."""
    answer = visitor.go("/sign-in")
    cookies.remove(visitor.request, answer, cookies.SESSION)
    return answer


def _page(request: Request, back: str, typed: TypedForm | None = None, refusal: Refused | None = None) -> Response:
    context = {"back": own_path(back), "typed": typed, "refusal": refusal}
    html = render("sign_in/sign_in.html", languages.chosen(request), "UTC", context)
    return HTMLResponse(html, refusal.status if refusal else 200)

"""Refusals outside a form: a page with the sentence, or for htmx the sentence alone; the way to sign in."""

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from services.runtime.errors import Refused
from services.web import language as languages
from services.web.templates import render
from services.web.visitor import NotSignedIn, to_sign_in


def page(request: Request, refusal: Refused) -> Response:
    """The refusal as a page of its own; htmx gets it into the place for messages, so that nothing typed is lost."""
    if refusal.status == 401:
        return to_sign_in(request)
    hurried = request.headers.get("hx-request") == "true"
    template = "refusal.html" if hurried else "refused.html"
    headers = {"HX-Retarget": "#said", "HX-Reswap": "innerHTML show:window:top"} if hurried else None
    html = render(template, languages.chosen(request), "UTC", {"refusal": refusal})
    return HTMLResponse(html, refusal.status, headers=headers)


def install(app: FastAPI) -> None:
    """Lead whoever is not signed in to the sign-in page."""
    app.add_exception_handler(NotSignedIn, _not_signed_in)


def _not_signed_in(request: Request, _error: Exception) -> Response:
    return to_sign_in(request)

"""Refusals outside a form, as pages; for htmx the sentence alone. Redirects to the sign-in page."""

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from services.runtime.errors import Refused
from services.runtime.logs import current_request_id
from services.web import language as languages
from services.web.templates import render
from services.web.visitor import NotSignedIn, is_htmx, redirect_to_login


def page(request: Request, refusal: Refused) -> Response:
    """Render the refusal as a page; htmx puts it where messages are shown, so that nothing typed is lost."""
    if refusal.status == 401:
        return redirect_to_login(request)
    part = is_htmx(request)
    template = "refusal.html" if part else "refused.html"
    headers = {"HX-Retarget": "#callouts", "HX-Reswap": "innerHTML show:window:top"} if part else None
    html = render(template, languages.chosen(request), "UTC", {"refusal": refusal, "request_id": current_request_id()})
    return HTMLResponse(html, refusal.status, headers=headers)


def install(app: FastAPI) -> None:
    """Redirect people who are not signed in to the sign-in page."""
    app.add_exception_handler(NotSignedIn, _not_signed_in)


def _not_signed_in(request: Request, _error: Exception) -> Response:
    return redirect_to_login(request)

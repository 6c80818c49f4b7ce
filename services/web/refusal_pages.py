"""Refusals outside a form, as pages; for htmx the sentence alone. Redirects to the sign-in page."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from fastapi import FastAPI, Request
from fastapi.responses import HTMLResponse, Response

from services.runtime.errors import Refused
from services.runtime.logs import current_request_id
from services.runtime.translations import Message, Text
from services.web import language as languages
from services.web.forms import TypedForm, kept
from services.web.identity import SAFE_METHODS
from services.web.templates import render
from services.web.visitor import NotSignedIn, is_htmx, own_path, page_of, redirect_to_login

# What no page repeats, by the last part of a field's name: what it is called, its type and what a browser fills in.
SECRETS: Mapping[str, tuple[Text, str, str]] = MappingProxyType(
    {
        "password": (Message("Password"), "password", "current-password"),
        "newPassword": (Message("New password"), "password", "new-password"),
        "repeat": (Message("Repeat new password"), "password", "new-password"),
        "code": (Message("One-time code"), "text", "one-time-code"),
        "secret": (Message("Secret"), "password", "off"),
        "webhook": (Message("Address of the robot"), "password", "off"),
    }
)


def page(request: Request, refusal: Refused) -> Response:
    """Render the refusal as a page; htmx puts it where messages are shown, so that nothing typed is lost.

    An act that cannot be done now keeps what was typed: the page sends the same form again.
    """
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        return redirect_to_login(request)
    part = is_htmx(request)
    away = refusal.status == HTTPStatus.SERVICE_UNAVAILABLE
    acts = request.method not in SAFE_METHODS
    context: dict[str, object] = {
        "refusal": refusal,
        "request_id": current_request_id(),
        "back": own_path(page_of(request)) if away else "/",
        "not_sent": away and acts,
    }
    template, headers = "refused.html", None
    if part:
        template = "refusal.html"
        # Of the page that asked nothing is selected in a sentence.
        headers = {"HX-Retarget": "#callouts", "HX-Reswap": "innerHTML show:window:top", "HX-Reselect": "unset"}
    elif away and acts and (form := kept(request)) is not None:
        template, context = "unsent.html", {**context, **_form_again(request, form)}
    html = render(template, languages.chosen(request), "UTC", context)
    return HTMLResponse(html, refusal.status, headers=headers)


def _form_again(request: Request, form: TypedForm) -> dict[str, object]:
    """Return what the form held, and which fields have to be filled in again: (name, what, type, autocomplete)."""
    secrets = [(name, *SECRETS[last]) for name, value in form.texts if value and (last := _last(name)) in SECRETS]
    again = {name for name, *_ in secrets}
    query = request.url.query
    return {
        "action": own_path(f"{request.url.path}?{query}" if query else request.url.path),
        "fields": [(name, value) for name, value in form.texts if name not in again],
        "secrets": secrets,
        "files": form.files,
    }


def _last(name: str) -> str:
    return name.rpartition("-")[2]


def install(app: FastAPI) -> None:
    """Redirect people who are not signed in to the sign-in page."""
    app.add_exception_handler(NotSignedIn, _not_signed_in)


def _not_signed_in(request: Request, _error: Exception) -> Response:
    return redirect_to_login(request)

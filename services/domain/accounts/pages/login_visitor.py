"""Somebody at the door: not signed in, or half; what the sign-in pages need of the request, and how they answer."""

import secrets
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.domain.accounts.sessions import IssuedSession
from services.runtime.errors import Refused
from services.web import cookies
from services.web import language as languages
from services.web.forms import CSRF_FIELD, Typed, TypedForm
from services.web.identity import browser_of, csrf_token, require_csrf
from services.web.language import Language
from services.web.templates import render
from services.web.visitor import own_path

PATHS = {"code": "/login/code", "password": "/login/password", "enrolment": "/login/enrolment"}


@dataclass(frozen=True)
class Guest:
    """``back`` is the page that was asked for, always one of ours.

    The first form has no session to take its CSRF token from. It follows from a cookie of the door's own, so that no
    other site can sign somebody in under an account of its choice; under https no neighbouring host can set it.
    """

    request: Request
    typed: TypedForm
    back: str

    @property
    def language(self) -> Language:
        return languages.chosen(self.request)

    @property
    def browser(self) -> str:
        return browser_of(self.request)

    @property
    def session(self) -> str:
        """The half session's token, of which nothing is known yet; empty where there is none."""
        return cookies.read(self.request, cookies.SESSION) or ""

    def require_own_form(self) -> None:
        """Refused with 403 unless the form came from the door's page in this browser."""
        self._require(cookies.read(self.request, cookies.DOOR) or "")

    def require_own_step(self) -> str:
        """The half session's token; Refused with 403 unless the form came from its page."""
        self._require(self.session)
        return self.session

    def _require(self, token: str) -> None:
        if not token:
            raise form_expired()
        try:
            require_csrf(token, self.typed.text(CSRF_FIELD))
        except Refused as refusal:
            raise form_expired() from refusal

    def page(self, template: str, *, refusal: Refused | None = None, **context: Any) -> Response:
        """A page of the door, never kept by the browser."""
        door = cookies.read(self.request, cookies.DOOR) or secrets.token_urlsafe(32)
        told = {
            "back": self.back,
            "here": self.request.url.path,
            "typed": self.typed if refusal else None,
            "refusal": refusal,
            "csrf_token": csrf_token(self.session if "step" in context else door),
            **context,
        }
        html = render(f"accounts/login/{template}", self.language, "UTC", told)
        answer = HTMLResponse(html, refusal.status if refusal else 200, headers={"Cache-Control": "no-store"})
        cookies.write(self.request, answer, cookies.DOOR, door)
        return answer

    def go_on(self, signed_in: IssuedSession) -> Response:
        """To the next step, or to the page that was asked for; under the session's new token."""
        path = self.back if signed_in.pending_step is None else self.to(PATHS[signed_in.pending_step])
        answer = RedirectResponse(path, 303)
        cookies.write(self.request, answer, cookies.SESSION, signed_in.token)
        return answer

    def to(self, path: str) -> str:
        """A page of the door that leads to the same page in the end."""
        return path if self.back == "/" else f"{path}?{urlencode({'next': self.back})}"

    def start_again(self) -> Response:
        """To the first page: the half session is over."""
        answer = RedirectResponse(self.to("/login"), 303)
        cookies.remove(self.request, answer, cookies.SESSION)
        return answer


def guest(request: Request, typed: Typed) -> Guest:
    wish = typed.text("next") or request.query_params.get("next", "")
    return Guest(request, typed, own_path(wish))


GivenGuest = Annotated[Guest, Depends(guest)]


def form_expired() -> Refused:
    return Refused("csrf", "The page was out of date: enter it again.", status=403)

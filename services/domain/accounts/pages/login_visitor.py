"""Read the request for the login pages, and build their responses."""

import secrets
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.domain.accounts.api.session import write_session
from services.domain.accounts.sessions import IssuedSession
from services.runtime.errors import Refused
from services.web import cookies
from services.web import language as languages
from services.web.forms import CSRF_FIELD, Typed, TypedForm, keep
from services.web.identity import browser_of, csrf_token, require_csrf
from services.web.language import Language
from services.web.templates import render
from services.web.visitor import own_path

PATHS = {"code": "/login/code", "password": "/login/password", "enrolment": "/login/enrolment"}


@dataclass(frozen=True)
class Guest:
    """A visitor whose login has not begun or is unfinished.

    ``next_path`` is the page that was asked for, always one of ours. The first form has no session for its CSRF token,
    so the token follows from a cookie of its own: no other site can log somebody in under an account of its choice, and
    under https no neighbouring host can set the cookie.
    """

    request: Request
    typed: TypedForm
    next_path: str

    @property
    def language(self) -> Language:
        return languages.chosen(self.request)

    @property
    def browser(self) -> str:
        return browser_of(self.request)

    @property
    def session(self) -> str:
        """Return the token of the unfinished session, unchecked; empty if none."""
        return cookies.read(self.request, cookies.SESSION) or ""

    def require_own_form(self) -> None:
        """Refuse with 403 unless the form is of this browser's login page."""
        self._require(cookies.read(self.request, cookies.DOOR) or "")

    def require_own_step(self) -> str:
        """Return the session's token.

        Refused with 403 unless the form came from its page.
        """
        self._require(self.session)
        return self.session

    def _require(self, token: str) -> None:
        if not token:
            raise form_expired()
        try:
            require_csrf(token, self.typed.text(CSRF_FIELD))
        except Refused as refusal:
            raise form_expired() from refusal
        keep(self.request, self.typed)

    def page(self, template: str, *, refusal: Refused | None = None, **context: Any) -> Response:
        """Render a login page that the browser does not store."""
        form_token = cookies.read(self.request, cookies.DOOR) or secrets.token_urlsafe(32)
        values = {
            "back": self.next_path,
            "here": self.request.url.path,
            "typed": self.typed if refusal else None,
            "refusal": refusal,
            "csrf_token": csrf_token(self.session if "step" in context else form_token),
            **context,
        }
        html = render(f"accounts/login/{template}", self.language, "UTC", values)
        answer = HTMLResponse(html, refusal.status if refusal else 200, headers={"Cache-Control": "no-store"})
        cookies.write(self.request, answer, cookies.DOOR, form_token)
        return answer

    def continue_login(self, session: IssuedSession) -> Response:
        """Set the new token; redirect to the next step or requested page."""
        path = self.next_path if session.pending_step is None else self.with_next(PATHS[session.pending_step])
        answer = RedirectResponse(path, 303)
        write_session(self.request, answer, session)
        return answer

    def with_next(self, path: str) -> str:
        """Return a login path that keeps the requested page."""
        return path if self.next_path == "/" else f"{path}?{urlencode({'next': self.next_path})}"

    def restart(self) -> Response:
        """Redirect to the login page and remove the session's cookie."""
        answer = RedirectResponse(self.with_next("/login"), 303)
        cookies.remove(self.request, answer, cookies.SESSION)
        return answer


async def guest(request: Request, typed: Typed) -> Guest:
    next_path = typed.text("next") or request.query_params.get("next", "")
    return Guest(request, typed, own_path(next_path))


GivenGuest = Annotated[Guest, Depends(guest)]


def form_expired() -> Refused:
    return Refused("csrf", "The page has expired: enter your data again.", status=403)

"""The visitor: the signed-in person who asks for a page, the language, and the answers that a page gives."""

import base64
import hmac
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Match

from services.database.unit_of_work import Actor
from services.runtime.errors import Refused
from services.runtime.translations import Text
from services.web import cookies
from services.web import language as languages
from services.web.dependencies import GivenDatabase, GivenSettings
from services.web.forms import CSRF_FIELD, Typed, keep
from services.web.identity import ANONYMOUS, CSRF_HEADER, SAFE_METHODS, GivenIdentity, Person, browser_of, csrf_token
from services.web.language import Language
from services.web.refused_access import remember
from services.web.templates import render

FLASH_COOKIE = "footage_desk_flash"


class NotSignedIn(Exception):
    """Nobody is signed in: the page redirects to the sign-in page and back."""


@dataclass(frozen=True)
class Visitor:
    """A signed-in person and the request; makes every answer of a page."""

    request: Request
    person: Person
    csrf_token: str
    language: Language
    demo: bool

    @property
    def actor(self) -> Actor:
        return Actor("person", self.person.id)

    @property
    def person_id(self) -> str:
        return self.person.id

    @property
    def name(self) -> str:
        return self.person.name

    @property
    def posts(self) -> frozenset[str]:
        return self.person.posts

    @property
    def department_id(self) -> str:
        return self.person.department_id

    @property
    def zone(self) -> str:
        """The organisation's zone, an IANA name: the default for moments on pages."""
        return self.person.zone

    @property
    def now(self) -> datetime:
        """The time of the request by the database's clock, which a demo may have turned."""
        return self.person.now

    @property
    def unread(self) -> int:
        return self.person.unread

    @property
    def here(self) -> str:
        """The address at which this page can be loaded again."""
        return page_of(self.request)

    @property
    def is_htmx(self) -> bool:
        """Whether htmx asks, for a part of the page."""
        return is_htmx(self.request)

    def translated(self, message: str, **values: Any) -> str:
        """Translate an English sentence into the visitor's language, with ``{names}`` filled in."""
        sentence = languages.gettext(self.language, message)
        return sentence.format(**values) if values else sentence

    def page(
        self, template: str, status: int = 200, *, headers: Mapping[str, str] | None = None, **context: Any
    ) -> HTMLResponse:
        """Render the whole page from ``<capability>/<name>.html``."""
        message = flashed(self.request)
        answer = HTMLResponse(self._render(template, {**context, "flashed": message}), status, headers=headers)
        if message is not None:
            answer.delete_cookie(FLASH_COOKIE, path="/")
        return answer

    def part(
        self, template: str, status: int = 200, *, headers: Mapping[str, str] | None = None, **context: Any
    ) -> HTMLResponse:
        """Render a part of a page, for htmx."""
        return HTMLResponse(self._render(template, context), status, headers=headers)

    def redirect(self, path: str, message: Text | None = None) -> Response:
        """Redirect to another page of ours, which shows the sentence once."""
        if self.is_htmx:
            answer = Response(status_code=204, headers={"HX-Redirect": path})
        else:
            answer = RedirectResponse(path, 303)
        if message is not None:
            flash(answer, message)
        return answer

    def _render(self, template: str, context: Mapping[str, Any]) -> str:
        return render(template, self.language, self.zone, {"visitor": self, "path": self.request.url.path, **context})


def is_htmx(request: Request) -> bool:
    """Whether htmx asks, for a part of a page."""
    return request.headers.get("hx-request") == "true"


def flash(answer: Response, message: Text, kind: str = "") -> None:
    """Show this sentence once on the next page; ``kind`` is "refused" for a refusal."""
    sentences = {language: message.translate(language) for language in languages.known()}
    content = base64.urlsafe_b64encode(json.dumps([sentences, kind]).encode()).decode()
    answer.set_cookie(FLASH_COOKIE, content, max_age=60, httponly=True, samesite="lax", path="/")


def flashed(request: Request) -> tuple[dict[str, str], str] | None:
    """Return the sentence (by language) and its kind that the page before left; shown escaped, never trusted."""
    with suppress(KeyError, ValueError, TypeError, RecursionError):
        sentences, kind = json.loads(base64.urlsafe_b64decode(request.cookies[FLASH_COOKIE]))
        shown = {language: str(sentences[language])[:300] for language in languages.known()}
        return shown, "refused" if kind == "refused" else ""
    return None


async def visitor(
    request: Request, database: GivenDatabase, settings: GivenSettings, form: Typed, accounts: GivenIdentity
) -> Visitor:
    """Return the signed-in visitor.

    Raises NotSignedIn without a valid session, and Refused (403) for an act without its CSRF token.
    """
    token = cookies.read(request, cookies.SESSION)
    if not token:
        raise NotSignedIn
    expected = csrf_token(token)
    if request.method not in SAFE_METHODS:
        given = request.headers.get(CSRF_HEADER) or form.text(CSRF_FIELD)
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise Refused(
                "csrf",
                "The page has expired: go back, reload it and try again.",
                status=403,
            )
        keep(request, form)
    try:
        person = await database.read(ANONYMOUS, accounts.person, token, browser_of(request), settings)
    except Refused as refusal:
        if refusal.status == 401:
            raise NotSignedIn from refusal
        raise
    remember(request.scope, person_id=person.id)
    return Visitor(request, person, expected, languages.chosen(request, person.locale), settings.demo)


Visiting = Annotated[Visitor, Depends(visitor)]


def page_of(request: Request) -> str:
    """Return the address of the requested page; of an act, that of the nearest page above it."""
    path, query = request.url.path, request.url.query
    if request.method in SAFE_METHODS:
        return f"{path}?{query}" if query else path
    while path != "/" and not _is_page(request, path):
        path = path.rpartition("/")[0] or "/"
    return path


def _is_page(request: Request, path: str) -> bool:
    scope = {"type": "http", "method": "GET", "path": path, "headers": []}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)


def redirect_to_login(request: Request) -> Response:
    """Redirect to the sign-in page, and from there back to the page; an act is not repeated."""
    back = page_of(request)
    path = "/login" if back == "/" else "/login?next=" + quote(back, safe="/")
    if is_htmx(request):
        return Response(status_code=204, headers={"HX-Redirect": "/login"})
    return RedirectResponse(path, 303)


def own_path(wish: str) -> str:
    """Return the path if it leads to a page of ours; ``/`` for one that a browser could resolve to another host."""
    plain = wish.isascii() and wish.isprintable() and "\\" not in wish and " " not in wish
    return wish if plain and wish.startswith("/") and not wish.startswith("//") else "/"

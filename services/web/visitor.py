"""The visitor: the signed-in person before a page, in one language, with what the page's frame shows."""

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
from services.web.forms import CSRF_FIELD, Typed
from services.web.identity import ANONYMOUS, CSRF_HEADER, SAFE_METHODS, GivenIdentity, Person, browser_of, csrf_token
from services.web.language import Language
from services.web.templates import render

SAID_COOKIE = "footage_desk_said"


class NotSignedIn(Exception):
    """Nobody is signed in: the page leads to the sign-in page and back."""


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
        """The organisation's zone, an IANA name: moments are shown in it where nothing else is said."""
        return self.person.zone

    @property
    def now(self) -> datetime:
        """The register's moment, which a demo may have turned."""
        return self.person.now

    @property
    def unread(self) -> int:
        return self.person.unread

    @property
    def here(self) -> str:
        """Where this page can be asked for again."""
        return page_of(self.request)

    @property
    def hurried(self) -> bool:
        """Whether htmx asks, for a part of the page."""
        return self.request.headers.get("hx-request") == "true"

    def translated(self, message: str, **values: Any) -> str:
        """An English sentence in the visitor's language, with ``{names}`` filled in."""
        sentence = languages.gettext(self.language, message)
        return sentence.format(**values) if values else sentence

    def page(
        self, template: str, status: int = 200, *, headers: Mapping[str, str] | None = None, **context: Any
    ) -> HTMLResponse:
        """The whole page from ``<group>/<name>.html``."""
        said = said_before(self.request)
        answer = HTMLResponse(self._render(template, {**context, "said": said}), status, headers=headers)
        if said is not None:
            answer.delete_cookie(SAID_COOKIE, path="/")
        return answer

    def part(
        self, template: str, status: int = 200, *, headers: Mapping[str, str] | None = None, **context: Any
    ) -> HTMLResponse:
        """A part of a page, for htmx."""
        return HTMLResponse(self._render(template, context), status, headers=headers)

    def go(self, path: str, message: Text | None = None) -> Response:
        """Lead to another page of ours, which shows the sentence once."""
        if self.hurried:
            answer = Response(status_code=204, headers={"HX-Redirect": path})
        else:
            answer = RedirectResponse(path, 303)
        if message is not None:
            say_next(answer, message)
        return answer

    def _render(self, template: str, context: Mapping[str, Any]) -> str:
        return render(template, self.language, self.zone, {"visitor": self, "path": self.request.url.path, **context})


def say_next(answer: Response, message: Text, kind: str = "") -> None:
    """Have the next page show this sentence once; ``kind`` is "refused" for a refusal."""
    sentences = {language: message.translate(language) for language in languages.known()}
    told = base64.urlsafe_b64encode(json.dumps([sentences, kind]).encode()).decode()
    answer.set_cookie(SAID_COOKIE, told, max_age=60, httponly=True, samesite="lax", path="/")


def said_before(request: Request) -> tuple[dict[str, str], str] | None:
    """The sentence (by language) and its kind that the page before left; shown escaped, so nothing is trusted."""
    with suppress(KeyError, ValueError, TypeError):
        sentences, kind = json.loads(base64.urlsafe_b64decode(request.cookies[SAID_COOKIE]))
        shown = {language: str(sentences[language])[:300] for language in languages.known()}
        return shown, "refused" if kind == "refused" else ""
    return None


async def visitor(
    request: Request, database: GivenDatabase, settings: GivenSettings, form: Typed, accounts: GivenIdentity
) -> Visitor:
    """The signed-in visitor. NotSignedIn where nobody is; an act without its CSRF token is Refused with 403."""
    token = cookies.read(request, cookies.SESSION)
    if not token:
        raise NotSignedIn
    expected = csrf_token(token)
    if request.method not in SAFE_METHODS:
        given = request.headers.get(CSRF_HEADER) or form.text(CSRF_FIELD)
        if not hmac.compare_digest(given.encode(), expected.encode()):
            raise Refused(
                "csrf",
                "The page is out of date: go back, reload it and try again.",
                status=403,
            )
    try:
        person = await database.run(ANONYMOUS, accounts.person, token, browser_of(request), settings)
    except Refused as refusal:
        if refusal.status == 401:
            raise NotSignedIn from refusal
        raise
    return Visitor(request, person, expected, languages.chosen(request, person.locale), settings.demo)


Visiting = Annotated[Visitor, Depends(visitor)]


def page_of(request: Request) -> str:
    """The page that was asked for; of an act, the nearest one above that can be asked for."""
    path, query = request.url.path, request.url.query
    if request.method in SAFE_METHODS:
        return f"{path}?{query}" if query else path
    while path != "/" and not _is_page(request, path):
        path = path.rpartition("/")[0] or "/"
    return path


def _is_page(request: Request, path: str) -> bool:
    asked = {"type": "http", "method": "GET", "path": path, "headers": []}
    return any(route.matches(asked)[0] is Match.FULL for route in request.app.routes)


def to_sign_in(request: Request) -> Response:
    """The way to the sign-in page and back to the page; an act is not repeated."""
    back = page_of(request)
    path = "/sign-in" if back == "/" else "/sign-in?next=" + quote(back, safe="/")
    if request.headers.get("hx-request") == "true":
        return Response(status_code=204, headers={"HX-Redirect": "/sign-in"})
    return RedirectResponse(path, 303)


def own_path(wish: str) -> str:
    """Return the path if it leads to a page of ours; ``/`` for whatever a browser might take for another host's."""
    plain = wish.isascii() and wish.isprintable() and "\\" not in wish and " " not in wish
    return wish if plain and wish.startswith("/") and not wish.startswith("//") else "/"

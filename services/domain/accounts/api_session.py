"""Who acts: a session cookie bound to its browser, and a CSRF token for every act; signing out."""

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from services.database.tables.people import Department, Person
from services.database.unit_of_work import Actor, Unit
from services.domain.access import queries as access_queries
from services.domain.accounts import sessions
from services.domain.accounts.login import Place
from services.runtime.errors import Refused
from services.web import cookies
from services.web.dependencies import Books
from services.web.errors import problems
from services.web.schemas import Answer

router = APIRouter(prefix="/api", tags=["session"])

CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
ANONYMOUS = Actor("system", "portal")


class PostHeld(Answer):
    kind: str
    department_id: str


class Me(Answer):
    """Who is signed in. ``csrf_token`` goes into the header X-CSRF-Token of every act."""

    id: str
    name: str
    locale: str
    department_id: str
    department_zh: str
    department_en: str
    posts: list[PostHeld]
    csrf_token: str


def browser_of(request: Request) -> str:
    """The browser's name as it tells it; a session holds in the one that it was opened in."""
    return request.headers.get("user-agent", "")


def place_of(request: Request) -> Place:
    return Place(browser_of(request), request.client.host if request.client else "unknown")


def session_token(request: Request) -> str:
    """The session's token; Refused with 401 where there is none, with 403 where an act comes without its CSRF token."""
    token = cookies.read(request, cookies.SESSION)
    if not token:
        raise Refused("signed-out", "您尚未登录，请登录。", "You are not signed in: sign in.", status=401)
    if request.method not in SAFE_METHODS:
        require_csrf(token, request.headers.get(CSRF_HEADER, ""))
    return token


def require_csrf(token: str, given: str) -> None:
    """Refused with 403 unless ``given`` is the CSRF token that follows from ``token``."""
    if not hmac.compare_digest(given.encode(), sessions.csrf_token(token).encode()):
        raise Refused(
            "csrf",
            "请求缺少安全令牌，请刷新页面后再试。",
            "The security token is missing: reload the page.",
            status=403,
        )


Token = Annotated[str, Depends(session_token)]
Browser = Annotated[str, Depends(browser_of)]


async def acting(token: Token, browser: Browser, books: Books) -> Actor:
    """The signed-in person as actor for ``Register.run``; Refused with 401 when the session is over, or half."""
    return await books.run(ANONYMOUS, _actor, token, browser)


Acting = Annotated[Actor, Depends(acting)]


@router.post("/sign-out", status_code=204, responses=problems(401, 403))
async def sign_out(token: Token, actor: Acting, request: Request, response: Response, books: Books) -> None:
    """End the session."""
    await books.run(actor, sessions.sign_out, token)
    cookies.remove(request, response, cookies.SESSION)


@router.get("/me", responses=problems(401))
async def me(token: Token, actor: Acting, books: Books) -> Me:
    """Who is signed in, the posts held now, and the CSRF token."""
    return await books.run(actor, read_me, token)


def read_me(unit: Unit, token: str) -> Me:
    """The acting person, with the CSRF token of the session."""
    person = unit.session.get_one(Person, unit.actor.id)
    department = unit.session.get_one(Department, person.department_id)
    return Me(
        id=person.id,
        name=person.name,
        locale=person.locale,
        department_id=department.id,
        department_zh=department.name_zh,
        department_en=department.name_en,
        posts=[PostHeld.model_validate(post) for post in access_queries.posts_of(unit, person.id)],
        csrf_token=sessions.csrf_token(token),
    )


def _actor(unit: Unit, token: str, browser: str) -> Actor:
    return Actor("person", sessions.person_of(unit, token, browser).id)

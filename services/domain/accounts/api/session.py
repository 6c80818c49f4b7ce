"""Serve the session as JSON: who is logged in, and the logout."""

from fastapi import APIRouter, Request, Response

from services.database.tables.people import Department, Person
from services.database.unit_of_work import UnitOfWork
from services.domain.access import queries as access_queries
from services.domain.accounts import known_browsers, sessions
from services.domain.accounts.client import Client
from services.domain.accounts.sessions import IssuedSession
from services.web import cookies
from services.web.dependencies import GivenDatabase
from services.web.errors import problems
from services.web.identity import Acting, Token, browser_of, csrf_token
from services.web.schemas import Answer

router = APIRouter(prefix="/api", tags=["session"])
_SEPARATOR = "."  # in no base64


class HeldPost(Answer):
    kind: str
    department_id: str


class Me(Answer):
    """The logged-in person.

    ``csrf_token`` goes into the header X-CSRF-Token of every act.
    """

    id: str
    name: str
    locale: str
    department_id: str
    department_zh: str
    department_en: str
    posts: list[HeldPost]
    csrf_token: str


def client_of(request: Request) -> Client:
    return Client(browser_of(request), request.client.host if request.client else "unknown", _known_browsers(request))


def write_session(request: Request, response: Response, session: IssuedSession) -> None:
    """Set the session's cookie, and after a complete login the one of a known browser."""
    cookies.write(request, response, cookies.SESSION, session.token)
    if session.known_browser is not None:
        known = (session.known_browser, *_known_browsers(request))[: known_browsers.MAX_PEOPLE]
        seconds = int(known_browsers.LIFETIME.total_seconds())
        cookies.write(request, response, cookies.KNOWN, _SEPARATOR.join(known), seconds=seconds)


def _known_browsers(request: Request) -> tuple[str, ...]:
    value = cookies.read(request, cookies.KNOWN) or ""
    return tuple(value.split(_SEPARATOR)[: known_browsers.MAX_PEOPLE]) if value else ()


@router.post("/logout", status_code=204, responses=problems(401, 403))
async def sign_out(token: Token, actor: Acting, request: Request, response: Response, database: GivenDatabase) -> None:
    """End the session."""
    await database.run(actor, sessions.log_out, token)
    cookies.remove(request, response, cookies.SESSION)


@router.get("/me", responses=problems(401))
async def me(token: Token, actor: Acting, database: GivenDatabase) -> Me:
    """Return the logged-in person, their posts and the CSRF token."""
    return await database.read(actor, read_me, token)


def read_me(uow: UnitOfWork, token: str) -> Me:
    """Return the acting person, with the CSRF token of the session."""
    person = uow.session.get_one(Person, uow.actor.id)
    department = uow.session.get_one(Department, person.department_id)
    return Me(
        id=person.id,
        name=person.name,
        locale=person.locale,
        department_id=department.id,
        department_zh=department.name_zh,
        department_en=department.name_en,
        posts=[HeldPost.model_validate(post) for post in access_queries.list_posts(uow, person.id)],
        csrf_token=csrf_token(token),
    )

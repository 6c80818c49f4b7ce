"""Signing in and out, and who acts: a session cookie, and a CSRF token for every act."""

import hmac
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import Field

from services.portal.api.dependencies import Books, GivenSettings, register
from services.portal.api.errors import problems
from services.portal.api.shapes import Answer, Body, Line
from services.register import people, sign_ins
from services.register.people import Department, Person
from services.register.unit import Actor, Unit
from services.runtime.errors import Refused

router = APIRouter(prefix="/api", tags=["session"])

COOKIE = "footage_desk_session"
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
ANONYMOUS = Actor("system", "portal")


class Credentials(Body):
    login: Line
    password: Annotated[str, Field(min_length=1, max_length=1000)]


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


def session_token(request: Request) -> str:
    """The session's token; Refused with 401 where there is none, with 403 where an act comes without its CSRF token."""
    token = request.cookies.get(COOKIE)
    if not token:
        raise Refused("signed-out", "您尚未登录，请登录。", "You are not signed in: sign in.", status=401)
    given = request.headers.get(CSRF_HEADER, "")
    if request.method not in SAFE_METHODS and not hmac.compare_digest(
        given.encode(), sign_ins.csrf_token(token).encode()
    ):
        raise Refused(
            "csrf",
            "请求缺少安全令牌，请刷新页面后再试。",
            "The security token is missing: reload the page.",
            status=403,
        )
    return token


Token = Annotated[str, Depends(session_token)]


async def acting(token: Token, books: Books) -> Actor:
    """The signed-in person as actor for ``Register.run``; Refused with 401 when the session is over."""
    return await books.run(ANONYMOUS, _actor, token)


Acting = Annotated[Actor, Depends(acting)]


async def count_wrong_password(request: Request) -> None:
    """Count a signature that was refused for its password; too many lock the account."""
    token = request.cookies.get(COOKIE)
    if token:
        await register(request).run(ANONYMOUS, sign_ins.wrong_signature, token, datetime.now(UTC))


@router.post("/sign-in", responses=problems(401, 429))
async def sign_in(
    credentials: Credentials, request: Request, response: Response, books: Books, settings: GivenSettings
) -> Me:
    """Sign in. Sets the session cookie."""
    address = request.client.host if request.client else "unknown"
    signed_in = await sign_ins.sign_in(books, credentials.login, credentials.password, address)
    response.set_cookie(
        COOKIE,
        signed_in.token,
        httponly=True,
        samesite="strict",
        secure=(settings.public_url or "").startswith("https://"),
        path="/",
    )
    return await books.run(Actor("person", signed_in.person_id), _me, signed_in.token)


@router.post("/sign-out", status_code=204, responses=problems(401, 403))
async def sign_out(token: Token, actor: Acting, response: Response, books: Books) -> None:
    """End the session."""
    await books.run(actor, sign_ins.sign_out, token, datetime.now(UTC))
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")


@router.get("/me", responses=problems(401))
async def me(token: Token, actor: Acting, books: Books) -> Me:
    """Who is signed in, the posts held now, and the CSRF token."""
    return await books.run(actor, _me, token)


def _actor(unit: Unit, token: str) -> Actor:
    return Actor("person", sign_ins.person_of(unit, token, datetime.now(UTC)).id)


def _me(unit: Unit, token: str) -> Me:
    person = unit.session.get_one(Person, unit.actor.id)
    department = unit.session.get_one(Department, person.department_id)
    return Me(
        id=person.id,
        name=person.name,
        locale=person.locale,
        department_id=department.id,
        department_zh=department.name_zh,
        department_en=department.name_en,
        posts=[PostHeld.model_validate(post) for post in people.posts_of(unit, person.id)],
        csrf_token=sign_ins.csrf_token(token),
    )

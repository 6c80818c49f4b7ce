"""Who is signed in, for pages and API. The kit knows no accounts: the application gives it an ``Identity``."""

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Concatenate, ParamSpec, Protocol, TypeVar, cast

from fastapi import Depends, Request

from services.database.tables.people import Department
from services.database.unit_of_work import Actor, Database, UnitOfWork
from services.runtime.errors import Refused
from services.runtime.settings import Settings
from services.runtime.translations import in_context
from services.web import cookies
from services.web.dependencies import GivenDatabase
from services.web.refused_access import remember

P = ParamSpec("P")
T = TypeVar("T")
CSRF_HEADER = "X-CSRF-Token"
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
ANONYMOUS = Actor("system", "portal")


@dataclass(frozen=True)
class Person:
    """What the frame of a page shows of the signed-in person; ``posts`` are the kinds held now."""

    id: str
    name: str
    locale: str
    department_id: str
    department: Department
    posts: frozenset[str]
    unread: int
    now: datetime
    zone: str
    organisation: str
    passkey_origin: str  # where this person's passkeys sign; empty without any


class Identity(Protocol):
    """What the kit needs of the accounts (``domain.accounts.identity``)."""

    def actor(self, uow: UnitOfWork, token: str, browser: str) -> Actor:
        """Return the person of a session's token; Refused with 401 when the session is over, or half."""
        ...

    def require_not_ended(self, uow: UnitOfWork, token: str) -> None:
        """Raise Refused with 401 where the session was ended, or its person deactivated, while a request lasted."""
        ...

    def person(self, uow: UnitOfWork, token: str, browser: str, settings: Settings) -> Person:
        """Return ``actor`` with what the frame of a page shows."""
        ...


async def identity(request: Request) -> Identity:
    """Return what ``app.web.create_app`` has given to the application."""
    return cast("Identity", request.app.state.identity)


def csrf_token(token: str) -> str:
    """Return the token that a page sends with every act; derived from the session's, and reveals nothing of it."""
    return hashlib.sha256(b"footage-desk csrf\x00" + token.encode()).hexdigest()


def require_csrf(token: str, given: str) -> None:
    """Refuse with 403 unless ``given`` is the CSRF token derived from ``token``."""
    if not hmac.compare_digest(given.encode(), csrf_token(token).encode()):
        raise Refused(
            "csrf",
            "The security token is missing: reload the page.",
            status=403,
        )


def browser_of(request: Request) -> str:
    """Return the browser's User-Agent; a session is valid only in the browser that opened it."""
    return request.headers.get("user-agent", "")


async def session_token(request: Request) -> str:
    """Return the session's token; Refused with 401 without one, with 403 where an act comes without its CSRF token."""
    token = cookies.read(request, cookies.SESSION)
    if not token:
        raise Refused("logged-out", in_context("logged-out", "You are not signed in: please sign in."), status=401)
    if request.method not in SAFE_METHODS:
        require_csrf(token, request.headers.get(CSRF_HEADER, ""))
    return token


Token = Annotated[str, Depends(session_token)]
GivenIdentity = Annotated[Identity, Depends(identity)]


async def acting(request: Request, token: Token, database: GivenDatabase, accounts: GivenIdentity) -> Actor:
    """Return the signed-in person as actor for ``run``; Refused with 401 when the session is over, or half."""
    actor = await database.read(ANONYMOUS, accounts.actor, token, browser_of(request))
    remember(request.scope, person_id=actor.id)
    return actor


Acting = Annotated[Actor, Depends(acting)]


@dataclass(frozen=True)
class LastingRequest:
    """A request that sends for a long time, and the session that it began in."""

    actor: Actor
    _token: str
    _accounts: Identity

    async def run(
        self,
        database: Database,
        act: Callable[Concatenate[UnitOfWork, P], T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run the act of the signed-in person; Refused with 401 where the session was ended since the request began."""

        def in_session(uow: UnitOfWork) -> T:
            self._accounts.require_not_ended(uow, self._token)
            return act(uow, *args, **kwargs)

        return await database.run(self.actor, in_session)


async def lasting(actor: Acting, token: Token, accounts: GivenIdentity) -> LastingRequest:
    """Return the request with its session, which is asked again while the answer is sent."""
    return LastingRequest(actor, token, accounts)


Lasting = Annotated[LastingRequest, Depends(lasting)]

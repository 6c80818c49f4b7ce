"""Count refused accesses by their cause, and tell whoever keeps watch which person was refused what (R52).

An allowed request costs nothing but the look at its status.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.database.unit_of_work import Database
from services.runtime import metrics
from services.runtime.errors import Retryable
from services.runtime.logs import get_logger
from services.web.observation import route_of

log = get_logger(__name__)

SIGNED_OUT, NOT_ALLOWED, NOT_THERE = metrics.REFUSED_CAUSES
STATUSES = {
    HTTPStatus.UNAUTHORIZED: SIGNED_OUT,
    HTTPStatus.FORBIDDEN: NOT_ALLOWED,
    HTTPStatus.NOT_FOUND: NOT_THERE,
}
# Refusals of the request and not of what it asks for: an old form, a page that only a demo has.
NO_ACCESS = frozenset({"csrf", "no-demo"})
LONGEST_PATH = 300
ELSEWHERE = ("cross-site", "same-site")  # of the header Sec-Fetch-Site


@dataclass(frozen=True)
class RefusedRequest:
    """What was refused. ``path`` has no query, and nothing that turns or breaks a line.

    ``code`` is empty where a page has shown the refusal in a form. ``site``: by the browser, whether a page of another
    site has led there; empty otherwise.
    """

    cause: str
    code: str
    method: str
    route: str
    path: str
    parameters: dict[str, Any]
    site: str = ""


Note = Callable[[Database, str, RefusedRequest], Awaitable[None]]


def remember(scope: Scope, *, person_id: str | None = None, code: str | None = None) -> None:
    """Keep with a request who asks, or the code of its refusal."""
    state = scope.setdefault("state", {})
    if person_id is not None:
        state["person_id"] = person_id
    if code is not None:
        state["refusal_code"] = code


class RefusedAccess:
    """Counts the refusals; those of a signed-in person are given to ``note`` once the answer is sent."""

    def __init__(self, app: ASGIApp, *, note: Note) -> None:
        self.app = app
        self._note = note

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        cause: str | None = None

        async def seen(message: Message) -> None:
            nonlocal cause
            if message["type"] == "http.response.start":
                cause = STATUSES.get(message["status"])
            await send(message)

        await self.app(scope, receive, seen)
        if cause is not None:
            await self._refused(scope, cause)

    async def _refused(self, scope: Scope, cause: str) -> None:
        state = scope.get("state") or {}
        code = str(state.get("refusal_code", ""))
        if code in NO_ACCESS or (cause == NOT_THERE and code != "not-found"):
            return  # an address that there is not is no access to anything
        metrics.ACCESS_REFUSED.labels(cause).inc()
        person_id = state.get("person_id")
        database = scope["app"].state.dependencies.get("database")
        if person_id is None or not isinstance(database, Database):
            return
        refused = RefusedRequest(
            cause,
            code,
            scope["method"],
            route_of(scope),
            "".join(sign if sign.isprintable() else "\ufffd" for sign in scope["path"][:LONGEST_PATH]),
            dict(scope.get("path_params") or {}),
            next((one for one in ELSEWHERE if one == Headers(scope=scope).get("sec-fetch-site")), ""),
        )
        try:
            await self._note(database, str(person_id), refused)
        except Retryable as error:
            log.warning("a refused access was not recorded", cause=str(error))

"""Clients of the API for the demonstration's people, who sign in, read and decide as real people do."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import httpx

POLL_SECONDS = 0.3
TIMEOUT = timedelta(seconds=60)
# The portal closes a connection that was idle for five seconds, as httpx would: one that is used just then is reset.
LIMITS = httpx.Limits(keepalive_expiry=1)


class StepFailed(Exception):
    """A step did not succeed in time, or the API refused it; the text says which."""


class NoAnswer(StepFailed):
    """The portal did not answer: it is not there, or was killed meanwhile."""


class PortalUser:
    """One signed-in person."""

    def __init__(self, http: httpx.AsyncClient, login: str, password: str) -> None:
        self._http = http
        self._login = login
        self._password = password

    async def sign_in(self) -> dict[str, Any]:
        me: dict[str, Any] = await self.post("/api/login", {"login": self._login, "password": self._password})
        self._http.headers["X-CSRF-Token"] = me["csrfToken"]
        return me

    async def get(self, path: str, **parameters: Any) -> Any:
        return _answer(await self._send("GET", path, params=parameters or None))

    async def get_bytes(self, path: str) -> bytes:
        return _checked(await self._send("GET", path)).content

    async def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return _answer(await self._send("POST", path, json=body or {}))

    async def read(self, path: str, first: int, last: int) -> httpx.Response:
        """Read the bytes ``first`` to ``last`` of footage by a Range request, as a player does."""
        return await self._send("GET", path, headers={"Range": f"bytes={first}-{last}"})

    async def _send(self, method: str, path: str, **named: Any) -> httpx.Response:
        try:
            return await self._http.request(method, path, **named)
        except httpx.HTTPError as error:
            raise NoAnswer(f"{method} {path} got no answer: {type(error).__name__} {error}") from error

    async def decide(self, review: dict[str, Any], outcome: str, **more: Any) -> Any:
        """Answer every question as needed to approve, and sign the form's hash with the password."""
        details = await self.get(f"/api/reviews/{review['id']}")
        body = {
            "outcome": outcome,
            "formSha256": details["formSha256"],
            "password": self._password,
            "answers": {question["code"]: question["yesToApprove"] for question in details["questions"]},
            **more,
        }
        return await self.post(f"/api/reviews/{review['id']}/decide", body)

    @property
    def password(self) -> str:
        return self._password


class People:
    """The users of one portal, each with an own session."""

    def __init__(self, address: str, passwords: dict[str, str]) -> None:
        self._address = address
        self._passwords = passwords
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._known: dict[str, PortalUser] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def __call__(self, login: str) -> PortalUser:
        """Return the user with this login, signed in."""
        if login not in self._known:
            client = self._clients[login] = httpx.AsyncClient(base_url=self._address, timeout=30, limits=LIMITS)
            user = PortalUser(client, login, self._passwords[login])
            await user.sign_in()
            self._known[login] = user
        return self._known[login]


async def wait_for(what: str, poll: Callable[[], Awaitable[Any]], limit: timedelta = TIMEOUT) -> Any:
    """Return the first result of ``poll`` that is not empty; raises StepFailed after ``limit``."""
    end = asyncio.get_running_loop().time() + limit.total_seconds()
    while not (result := await poll()):
        if asyncio.get_running_loop().time() > end:
            raise StepFailed(f"{what} did not come within {limit.total_seconds():.0f} s")
        await asyncio.sleep(POLL_SECONDS)
    return result


def _answer(response: httpx.Response) -> Any:
    return _checked(response).json() if response.content else None


def _checked(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        problem = response.json() if response.headers.get("content-type", "").startswith("application/json") else {}
        raise StepFailed(
            f"{response.request.method} {response.request.url.path} answered {response.status_code}: "
            f"{problem.get('en', response.text[:200])}"
        )
    return response

"""The people of the demonstration as the API sees them: signed in, reading, deciding. Nothing here has a short cut."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

import httpx

LOOK_AGAIN = 0.1
PATIENCE = timedelta(seconds=60)


class Stuck(Exception):
    """What was waited for did not come; the text says what, and where the case stands."""


class Somebody:
    """One signed-in person."""

    def __init__(self, http: httpx.AsyncClient, login: str, password: str) -> None:
        self._http = http
        self._login = login
        self._password = password

    async def sign_in(self) -> dict[str, Any]:
        me: dict[str, Any] = await self.post("/api/sign-in", {"login": self._login, "password": self._password})
        self._http.headers["X-CSRF-Token"] = me["csrfToken"]
        return me

    async def get(self, path: str, **parameters: Any) -> Any:
        return _answer(await self._http.get(path, params=parameters or None))

    async def get_bytes(self, path: str) -> bytes:
        return _right(await self._http.get(path)).content

    async def post(self, path: str, body: dict[str, Any] | None = None) -> Any:
        return _answer(await self._http.post(path, json=body or {}))

    async def read(self, path: str, first: int, last: int) -> httpx.Response:
        """The bytes ``first`` to ``last`` of footage, as a player asks for them."""
        return await self._http.get(path, headers={"Range": f"bytes={first}-{last}"})

    async def decide(self, review: dict[str, Any], outcome: str, **more: Any) -> Any:
        """Answer every question with yes and sign with the password again over the form's hash."""
        whole = await self.get(f"/api/reviews/{review['id']}")
        body = {
            "outcome": outcome,
            "formSha256": whole["formSha256"],
            "password": self._password,
            "answers": {question["code"]: question["yesToApprove"] for question in whole["questions"]},
            **more,
        }
        return await self.post(f"/api/reviews/{review['id']}/decide", body)

    @property
    def password(self) -> str:
        return self._password


class People:
    """Everybody who acts, each with a session of one's own, on one portal."""

    def __init__(self, address: str, passwords: dict[str, str]) -> None:
        self._address = address
        self._passwords = passwords
        self._clients: dict[str, httpx.AsyncClient] = {}
        self._known: dict[str, Somebody] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def __call__(self, login: str) -> Somebody:
        """The person, signed in."""
        if login not in self._known:
            client = self._clients[login] = httpx.AsyncClient(base_url=self._address, timeout=30)
            somebody = Somebody(client, login, self._passwords[login])
            await somebody.sign_in()
            self._known[login] = somebody
        return self._known[login]


async def wait_for(what: str, look: Callable[[], Awaitable[Any]], patience: timedelta = PATIENCE) -> Any:
    """The first answer of ``look`` that is not empty; raises Stuck after ``patience``."""
    end = asyncio.get_running_loop().time() + patience.total_seconds()
    while not (found := await look()):
        if asyncio.get_running_loop().time() > end:
            raise Stuck(f"{what} did not come within {patience.total_seconds():.0f} s")
        await asyncio.sleep(LOOK_AGAIN)
    return found


def _answer(response: httpx.Response) -> Any:
    return _right(response).json() if response.content else None


def _right(response: httpx.Response) -> httpx.Response:
    if response.is_error:
        problem = response.json() if response.headers.get("content-type", "").startswith("application/json") else {}
        raise Stuck(
            f"{response.request.method} {response.request.url.path} answered {response.status_code}: "
            f"{problem.get('en', response.text[:200])}"
        )
    return response

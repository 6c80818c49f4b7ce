"""Frigate over HTTP: signing in, asking, and footage that may turn out to be a page for people."""

import json
from collections.abc import AsyncIterator, Collection, Generator, Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

import httpx

from services.recorders.http_client import PAGE, Answer, HttpClient, bound, head_of
from services.recorders.protocol import RecorderDown
from services.runtime.addresses import Guard
from services.runtime.iterators import closing

COOKIE = "frigate_token"


class Token(httpx.Auth):
    """Logs in where that is required, once for each request, and holds the token in memory only."""

    def __init__(self, address: str, user: str, password: str) -> None:
        self._login = f"{address.rstrip('/')}/api/login"
        self._body = json.dumps({"user": user, "password": password}).encode()
        self._token = ""

    def forget(self) -> None:
        self._token = ""

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        fresh = False
        if not self._token:
            response = yield self._request(request)
            if not self._taken(response):
                return  # the answer of the login is the answer, and is refused as one
            fresh = True
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code != 401 or fresh:
            return
        response = yield self._request(request)
        if self._taken(response):
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _request(self, request: httpx.Request) -> httpx.Request:
        headers = {"Content-Type": "application/json"}
        # Its time-outs are among the extensions.
        return httpx.Request(
            "POST", self._login, headers=headers, content=self._body, extensions=dict(request.extensions)
        )

    def _taken(self, response: httpx.Response) -> bool:
        """Whether there is a token in the answer to a login. Raises NoToken where it accepts and sends none."""
        self._token = ""
        bound(response)
        if response.status_code != 200:
            return False
        cookies: SimpleCookie = SimpleCookie()
        for header in response.headers.get_list("set-cookie"):
            try:
                cookies.load(header)
            except CookieError:
                continue
        # The setting auth.cookie_name renames it.
        cookie = cookies.get(COOKIE) or next((one for one in cookies.values() if one.value.count(".") == 2), None)
        if cookie is None or not cookie.value.isascii() or not cookie.value.isprintable():
            raise NoToken
        self._token = cookie.value
        return True


class NoToken(Exception):
    """A login was answered with yes and without a token, as a page for people is."""


class FrigateClient:
    """What Frigate answers. Every method raises what ``HttpClient``'s raise; a login page is answered by a login."""

    def __init__(self, address: str, guard: Guard, *, user: str, password: str, identity: str, patience: float) -> None:
        self._token = Token(address, user, password) if user else None
        self._client = HttpClient(address, guard, identity=identity, auth=self._token, patience=patience)
        self.identity = self._client.identity

    async def request(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        payload: Mapping[str, Any] | None = None,
        accept: Collection[int] = (200,),
    ) -> Answer:
        """Return the answer; ``payload`` is sent as JSON."""
        headers = {"Accept": "application/json"} | ({} if payload is None else {"Content-Type": "application/json"})
        content = None if payload is None else json.dumps(payload).encode()
        answer: Answer | None = None
        for _ in range(2):
            try:
                answer = await self._client.request(
                    method, path, params=params, headers=headers, content=content, accept=accept
                )
            except NoToken:
                answer = None
            if answer is not None and not (answer.status == 200 and answer.is_page):
                return answer
            self._forget_login()
        raise self._page(path)

    def parsed(self, answer: Answer, path: str) -> Any:
        """Parse the JSON of an answer."""
        return self._client.parsed(answer, path)

    async def footage(self, path: str) -> AsyncIterator[bytes]:
        """Yield the bytes of a file; none where it does not exist."""
        for _ in range(2):
            try:
                async with closing(self._client.read(path, ranges=True, absent=(404,))) as chunks:
                    head = await head_of(chunks)
                    if not head.lstrip().lower().startswith(PAGE):
                        yield head
                        async for chunk in chunks:
                            yield chunk
                        return
            except NoToken:
                pass
            self._forget_login()
        raise self._page(path)

    def down(self, code: str, cause: str) -> RecorderDown:
        """The error to raise, as ``HttpClient.down``."""
        return self._client.down(code, cause)

    def _forget_login(self) -> None:
        if self._token is not None:
            self._token.forget()

    def _page(self, path: str) -> RecorderDown:
        code = "not-a-recorder" if self._token is None else "login"
        return self._client.down(code, f"it answered {path} with a page for people, such as a login page")

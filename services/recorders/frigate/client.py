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
    """Signs in where that is asked for, once for each request, and keeps the token in memory only."""

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
                return  # what the login answered stands for the answer, and is refused as one
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
        """Whether there is a token in the answer to a login. Raises NoToken where it says yes and gives none."""
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
        # The setting auth.cookie_name gives it another name.
        given = cookies.get(COOKIE) or next((one for one in cookies.values() if one.value.count(".") == 2), None)
        if given is None or not given.value.isascii() or not given.value.isprintable():
            raise NoToken
        self._token = given.value
        return True


class NoToken(Exception):
    """A login was answered with yes and without a token, as a page for people is."""


class FrigateClient:
    """What Frigate answers. Every method raises what ``HttpClient``'s raise; a login page is answered by a login."""

    def __init__(self, address: str, guard: Guard, *, user: str, password: str, identity: str, patience: float) -> None:
        self._token = Token(address, user, password) if user else None
        self._client = HttpClient(address, guard, identity=identity, auth=self._token, patience=patience)
        self.identity = self._client.identity

    async def ask(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str | int] | None = None,
        payload: Mapping[str, Any] | None = None,
        accept: Collection[int] = (200,),
    ) -> Answer:
        """The answer; ``told`` goes along as JSON."""
        headers = {"Accept": "application/json"} | ({} if payload is None else {"Content-Type": "application/json"})
        content = None if payload is None else json.dumps(payload).encode()
        answer: Answer | None = None
        for _ in range(2):
            try:
                answer = await self._client.ask(
                    method, path, params=params, headers=headers, content=content, accept=accept
                )
            except NoToken:
                answer = None
            if answer is not None and not (answer.status == 200 and answer.is_page):
                return answer
            self._sign_in_again()
        raise self._page(path)

    def parsed(self, answer: Answer, path: str) -> Any:
        """What its JSON says."""
        return self._client.parsed(answer, path)

    async def footage(self, path: str) -> AsyncIterator[bytes]:
        """The bytes of a file; none where it is not there."""
        for _ in range(2):
            try:
                async with closing(self._client.read(path, ranges=True, gone=(404,))) as chunks:
                    head = await head_of(chunks)
                    if not head.lstrip().lower().startswith(PAGE):
                        yield head
                        async for chunk in chunks:
                            yield chunk
                        return
            except NoToken:
                pass
            self._sign_in_again()
        raise self._page(path)

    def down(self, code: str, cause: str) -> RecorderDown:
        """The error to raise, as ``HttpClient.down``."""
        return self._client.down(code, cause)

    def _sign_in_again(self) -> None:
        if self._token is not None:
            self._token.forget()

    def _page(self, path: str) -> RecorderDown:
        code = "not-a-recorder" if self._token is None else "login"
        return self._client.down(code, f"it answered {path} with a page for people, such as a login page")

"""HTTP Digest for recorders that keep a session behind it."""

from collections.abc import Generator

import httpx


class Digest(httpx.Auth):
    """Digest whose challenge can be forgotten, so that the next request signs in anew."""

    def __init__(self, user: str, password: str) -> None:
        self._credentials = user, password
        self._digest = httpx.DigestAuth(user, password)

    def forget(self) -> None:
        self._digest = httpx.DigestAuth(*self._credentials)

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        yield from self._digest.auth_flow(request)
